/* System calls of each step of a plugin's life. */
#ifndef COUNT_H
#define COUNT_H

#include "plugin.h"

/* The calls of a step, in their order; no step of any plugin here comes near the limit. */
struct calls {
	int count;
	int numbers[4096];
};

/* Fills `calls`; false if the process cannot be traced. */
int count(const struct line *line, struct calls calls[STAGES]);

/* The name of a system call, as in `man 2`. */
const char *call_name(int number);

#endif
