/*
 * Starts the runtime in its own place and does nothing else: what every program that stands
 * before a runtime costs at least. The runtime is REAL_RUNTIME, else Apptainer.
 */
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
	(void)count;
	const char *runtime = getenv("REAL_RUNTIME");
	execv(runtime ? runtime : "/usr/bin/apptainer", words);
	return 127;
}
