/* A plugin, taken through its life as Slurm takes it. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include "slurm.h"

/* The steps that are timed and counted, in their order. TASK is in a forked child. */
enum stage { LOAD, SYMBOLS, INIT, TASK, UNLOAD, STAGES };
extern const char *const stage_names[STAGES];

/* A line of plugstack.conf: a file and its arguments. */
struct line {
	char *file;
	int argc;
	char **argv;
};

/* What one life took. */
struct life {
	/* Of each step, in seconds. */
	double seconds[STAGES];
	/* Of each step, pages that the kernel had to bring in. */
	long faults[STAGES];
	/* The task's command after it. */
	char image[4096];
	/* 0 if the task ended as it was to; -1 for a plugin that cannot be loaded. */
	int status;
};

/* The whole life, each step between two calls of `mark`, if that is not null. `life` is
 * shared with the forked task. */
void live(const struct line *line, struct life *life, void (*mark)(enum stage, int end));

#endif
