/* The part of Slurm that this program stands in for: a job step, and what a plugin can ask
 * of it. Numbers and layouts are those of slurm/spank.h, which 20.11 to 26.05 share. */
#ifndef SLURM_H
#define SLURM_H

enum context { CONTEXT_LOCAL = 1, CONTEXT_REMOTE, CONTEXT_ALLOCATOR, CONTEXT_SLURMD };
enum item {
	JOB_UID, JOB_GID, JOB_ID, JOB_STEPID, JOB_NNODES, JOB_NODEID, JOB_LOCAL_TASK_COUNT,
	JOB_TOTAL_TASK_COUNT, JOB_NCPUS, JOB_ARGV, JOB_ENV, TASK_ID, TASK_GLOBAL_ID
};
enum answer { SUCCESS = 0, BAD_ARGUMENT = 3001, NO_VARIABLE = 3004, NO_SPACE = 3005, NOT_AVAILABLE = 3009 };

/* The handle that plugins are given, which they only hand back. */
struct spank_handle;
typedef struct spank_handle *spank_t;

struct spank_option {
	char *name, *arginfo, *usage;
	int has_arg, val;
	int (*cb)(int, const char *, int);
};

/* The step: a command, and the environment of its tasks, which is this process's own. */
struct step {
	enum context context;
	int argc;
	char **argv;
	/* The value of whatever option the plugin registers; null is none. */
	const char *option;
	/* The status with which tasks are to end. */
	int status;
	/* Whether plugins are told of an argument more than there is. */
	int miscount;
	/* Whether every call of a plugin fails. */
	int refuse;
	/* What the option's callback has returned, and whether it was called. */
	int answer, answered;
	/* Whether what plugins log goes to stderr. */
	int verbose;
};
extern struct step step;

/* Not null in a step with a container, as in slurmstepd. */
extern void *oci_conf;
/* Slurm's allocator: what it gives begins with a header, so that free(3) cannot take it, and
 * slurm_xfree takes nothing else. */
char *slurm_xstrdup(const char *text);
void slurm_xfree(void **item);

#endif
