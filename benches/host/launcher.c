/*
 * Only executes the runtime: the minimum cost of any program that runs before a runtime. The
 * runtime is REAL_RUNTIME, or Apptainer by default.
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
