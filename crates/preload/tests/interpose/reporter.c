/* A fake shim and runtime: prints its own path, arguments and environment. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	char exe[4096];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
	exe[length < 0 ? 0 : length] = 0;
	printf("exe %s\n", exe);
	for (int i = 0; i < argc; i++)
		printf("argv %s\n", argv[i]);
	for (char **entry = environ; *entry; entry++)
		if (strncmp(*entry, "LD_PRELOAD=", 11))
			printf("env %s\n", *entry);
	return 0;
}
