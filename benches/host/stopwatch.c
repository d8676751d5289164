/* Measures hooks of other plugins in Slurm's own processes: the time and the page faults between two
 * lines of this plugin in plugstack.conf. See README.md. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

const char plugin_name[] = "stopwatch";
const char plugin_type[] = "spank";
const uint32_t plugin_version = 0x1a0500;

enum { MOST = 16 };
static struct { double microseconds; long faults; } at[MOST];

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static long faults(void)
{
	struct rusage own, others;
	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &others);
	return own.ru_minflt + others.ru_minflt;
}

static void write_line(const char *file, const char *hook, int last)
{
	char line[1024];
	int length = snprintf(line, sizeof line, "%s", hook);
	for (int i = 0; i < last && length < (int)sizeof line - 64; i++)
		length += snprintf(line + length, sizeof line - (size_t)length, " %.2f %ld",
				   at[i + 1].microseconds - at[i].microseconds,
				   at[i + 1].faults - at[i].faults);
	line[length++] = '\n';
	int log = open(file, O_WRONLY | O_APPEND | O_CREAT, 0666);
	if (log >= 0 && write(log, line, (size_t)length) != length)
		perror(file);
}

/* The arguments are the number of the line, and in the last line also the file for the results. */
static int pass(const char *hook, int argc, char **argv)
{
	int number = argc > 0 ? atoi(argv[0]) : 0;
	if (number < 0 || number >= MOST)
		return 0;
	at[number].microseconds = now();
	at[number].faults = faults();
	if (argc > 1)
		write_line(argv[1], hook, number);
	/* What this call has cost is not part of the next distance. */
	at[number].faults = faults();
	at[number].microseconds = now();
	return 0;
}

int slurm_spank_init(void *spank, int argc, char **argv)
{
	(void)spank;
	return pass("init", argc, argv);
}

int slurm_spank_task_init(void *spank, int argc, char **argv)
{
	(void)spank;
	return pass("task_init", argc, argv);
}
