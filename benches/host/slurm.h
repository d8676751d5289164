/* The part of Slurm that this program replaces: a job step, and the calls that a plugin can make.
 * Numbers and layouts are those of slurm/spank.h, which are the same from 20.11 to 26.05. */
#ifndef SLURM_H
#define SLURM_H

enum context { CONTEXT_LOCAL = 1, CONTEXT_REMOTE, CONTEXT_ALLOCATOR, CONTEXT_SLURMD };
enum item {
	JOB_UID, JOB_GID, JOB_ID, JOB_STEPID, JOB_NNODES, JOB_NODEID, JOB_LOCAL_TASK_COUNT,
	JOB_TOTAL_TASK_COUNT, JOB_NCPUS, JOB_ARGV, JOB_ENV, TASK_ID, TASK_GLOBAL_ID
};
enum answer { SUCCESS = 0, BAD_ARGUMENT = 3001, NO_VARIABLE = 3004, NO_SPACE = 3005, NOT_AVAILABLE = 3009 };

/* The handle that plugins receive, and only pass back. */
struct spank_handle;
typedef struct spank_handle *spank_t;

struct spank_option {
	char *name, *arginfo, *usage;
	int has_arg, val;
	int (*cb)(int, const char *, int);
};

/* The step and its command. */
struct step {
	enum context context;
	int argc;
	char **argv;
	/* The value of the option that the plugin registers, or null. */
	const char *option;
	/* The expected exit status of tasks. */
	int status;
	/* 1 to report one argument too many to plugins. */
	int miscount;
	/* Whether every call from a plugin fails. */
	int refuse;
	/* The return value of the option's callback, and whether it was called. */
	int answer, answered;
	/* The number of calls of spank_setenv. */
	int set_variables;
	/* Whether log messages of plugins go to stderr. */
	int verbose;
};
extern struct step step;

/* Not null in a step with a container, as in slurmstepd. */
extern void *oci_conf;
/* Slurm's allocator. Its blocks begin with a header, so that free(3) cannot free them, and
 * slurm_xfree rejects all other blocks. */
char *slurm_xstrdup(const char *text);
void slurm_xfree(void **item);

#endif
