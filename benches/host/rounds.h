/* The size of a process, before and after many lifetimes of a plugin. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "plugin.h"

/* Memory in use and address space in KiB, and the numbers of the rest. */
struct size {
	long kibibytes, address_space, descriptors, mappings, threads;
};

/* Runs `number` lifetimes of the plugin, after a tenth as many that do not count, and returns the
 * last one, or null if one of them failed. */
const struct life *rounds(const struct line *line, int number, struct size *before, struct size *after);

#endif
