/* A program that does what the shim cannot avoid, without any decision: it reads the end of its own
 * file, searches two directories for the runtime, makes the system calls of a hit, and executes the
 * runtime. Its settings are in BARE, the runtime is REAL_RUNTIME. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bare.h"

enum { LABEL = 275, START = 2048 };

static void read_label(const char *program)
{
	char label[LABEL];
	struct statx attributes;
	statx(AT_FDCWD, program, 0, STATX_ALL, &attributes);
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	statx(own, "", AT_EMPTY_PATH, STATX_ALL, &attributes);
	if (pread(own, label, sizeof label, (off_t)attributes.stx_size - LABEL) < 0)
		_exit(1);
	close(own);
}

static void find(const char *program, const char *runtime)
{
	char start[START];
	struct statx attributes;
	statx(AT_FDCWD, program, 0, STATX_ALL, &attributes);
	statx(AT_FDCWD, runtime, 0, STATX_ALL, &attributes);
	access(runtime, X_OK);
	int file = open(runtime, O_RDONLY | O_CLOEXEC);
	if (read(file, start, sizeof start) < 0)
		_exit(1);
	close(file);
}

int main(int argc, char **argv)
{
	char *words[8];
	int count = 0;
	char *given = getenv("BARE");
	const char *runtime = getenv("REAL_RUNTIME");
	if (!given || !runtime || argc < 3)
		return 1;
	for (char *word = strtok(given, " "); word && count < 8; word = strtok(NULL, " "))
		words[count++] = word;
	read_label(argv[0]);
	find(argv[0], runtime);
	struct words found = bare_words(count, words);
	if (bare_hit(&found))
		return 1;
	execv(runtime, argv);
	return 127;
}
