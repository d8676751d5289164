/* The lifetime of a plugin, in the stages that it has in Slurm. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include "slurm.h"

/* The measured stages, in order. TASK runs in a forked child. */
enum stage { LOAD, SYMBOLS, INIT, TASK, UNLOAD, STAGES };
extern const char *const stage_names[STAGES];

/* A line of plugstack.conf: a file and its arguments. */
struct line {
	char *file;
	int argc;
	char **argv;
};

/* The measurements of one lifetime. */
struct life {
	/* Duration of each stage, in seconds. */
	double seconds[STAGES];
	/* Number of page faults of each stage. */
	long faults[STAGES];
	/* The argument that the plugin has put into the task's command. */
	char image[4096];
	/* The task's PATH, and how often the plugin had Slurm set a variable of the task. */
	char path[4096];
	int set_variables;
	/* 0 if the task ended with the expected status; -1 if the plugin cannot be loaded. */
	int status;
};

/* Runs the whole lifetime, each stage between two calls of `mark` unless that is null. `life` is
 * in memory that is shared with the forked task. */
void live(const struct line *line, struct life *life, void (*mark)(enum stage, int end));

#endif
