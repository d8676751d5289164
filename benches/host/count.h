/* System calls in each stage of a plugin's lifetime. */
#ifndef COUNT_H
#define COUNT_H

#include "plugin.h"

/* The calls of a stage, in order. No plugin here comes near the limit. */
struct calls {
	int count;
	int numbers[4096];
};

/* Fills `calls`. Returns false if the process cannot be traced. */
int count(const struct line *line, struct calls calls[STAGES]);

/* The name of a system call, as in `man 2`. */
const char *call_name(int number);

#endif
