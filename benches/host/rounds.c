/* Runs many lifetimes in one process, to check that it does not grow. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "rounds.h"

/* The number in a line of /proc/self/status, in the unit of that line. */
static long status_of(const char *key)
{
	char text[256];
	long value = -1;
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(text, sizeof text, file))
		if (!strncmp(text, key, strlen(key)))
			sscanf(text + strlen(key), ": %ld", &value);
	if (file)
		fclose(file);
	return value;
}

static long entries(const char *path)
{
	long count = 0;
	DIR *directory = opendir(path);
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static long mappings(void)
{
	long count = 0;
	int byte;
	FILE *file = fopen("/proc/self/maps", "re");
	while (file && (byte = getc(file)) != EOF)
		count += byte == '\n';
	if (file)
		fclose(file);
	return count;
}

static void look(struct size *size)
{
	*size = (struct size){ .kibibytes = status_of("VmRSS"), .address_space = status_of("VmSize"),
			       .descriptors = entries("/proc/self/fd"), .mappings = mappings(),
			       .threads = status_of("Threads") };
}

const struct life *rounds(const struct line *line, int number, struct size *before, struct size *after)
{
	struct life *life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* The first rounds do not count: the C library and the loader make their permanent allocations. */
	for (int i = -number / 10; i < number; i++) {
		if (i == 0)
			look(before);
		live(line, life, NULL);
		if (life->status != 0)
			return NULL;
	}
	look(after);
	return life;
}
