/* How large a process is. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "plugin.h"

/* What may not grow: KiB of memory in use and of address space, and numbers of the rest. */
struct size {
	long kibibytes, address_space, descriptors, mappings, threads;
};

/* Takes the plugin through `number` lives, after a tenth as many that do not count, and
 * returns the last one; null if one of them failed. */
const struct life *rounds(const struct line *line, int number, struct size *before, struct size *after);

#endif
