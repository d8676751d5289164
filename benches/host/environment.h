/* The environment of a step's tasks, which Slurm keeps in memory of its own. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/* The strings, with a null pointer at the end. A task changes its own copy. */
extern char **step_environment;

/* Gives the step the variables of this process, if it has none yet. */
void start_environment(void);
/* Does what each task does before the hooks: copies all strings and sets some variables. */
void start_task_environment(void);

/* Frees all strings, as Slurm may do with those of a task: one that is not from its allocator ends the
 * program. */
void end_environment(void);

/* The value of a variable, or null. */
const char *get_variable(const char *name);
/* Returns 0, or -1 if the value is too long. */
int put_variable(const char *name, const char *value, int overwrite);
void remove_variable(const char *name);

#endif
