/* Instructions in each stage of a plugin's lifetime. */
#ifndef STEPS_H
#define STEPS_H

#include "plugin.h"

/* Counts the instructions in user mode, also those of a process that the task starts. Returns false
 * if the process cannot be traced. */
int count_instructions(const struct line *line, long instructions[STAGES]);

#endif
