/*
 * Installed set-uid root: prints whether the interposer is loaded, and executes PROGRAM with
 * its own PATH and otherwise the environment of its caller.
 *
 *	privileged PROGRAM ARGUMENT ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	int loaded = 0;

	while (maps && fgets(line, sizeof(line), maps))
		loaded |= strstr(line, "libsifcache_preload") != NULL;
	printf("uid %d euid %d interposer %d\n", getuid(), geteuid(), loaded);
	fflush(stdout);
	if (argc < 2)
		return 0;
	setenv("PATH", "/opt/real", 1);
	execv(argv[1], argv + 1);
	return 126;
}
