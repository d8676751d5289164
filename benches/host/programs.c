/* Measures whole programs that take turns. See the usage text below, and README.md. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "processor.h"

enum { MOST = 16, ENVIRONMENT = 256 };
extern char **environ;

/* A command line and its environment. */
struct program {
	char *argv[64];
	char *environment[ENVIRONMENT];
	double *seconds;
	long *faults;
};
static struct program programs[MOST];
static int program_count, runs = 200;

static void fail(const char *why)
{
	fprintf(stderr, "programs: %s\n", why);
	exit(1);
}

static void *or_end(void *pointer)
{
	if (!pointer)
		fail("no memory");
	return pointer;
}

static void usage(void)
{
	fputs("Usage: programs [--runs N] -- [NAME=VALUE...] PROGRAM [ARGUMENT...] [-- ...]\n\n"
	      "Runs each program N times (200), in turn, and prints JSON: the microseconds of each run\n"
	      "from start to end, the median number of page faults, and the numbers of system calls and\n"
	      "instructions in one run. A program may execute others; it must exit with 0.\n", stderr);
	exit(2);
}

/* Adds the words up to the next `--`, or to the end. Returns the number of words. */
static int add(char **words)
{
	if (program_count == MOST)
		fail("too many programs");
	struct program *program = &programs[program_count++];
	int variables = 0, count = 0, length = 0;
	for (; words[count] && strcmp(words[count], "--"); count++) {
		if (length == 0 && strchr(words[count], '='))
			program->environment[variables++] = words[count];
		else if (length < 63)
			program->argv[length++] = words[count];
		if (variables == ENVIRONMENT - 1)
			fail("too many variables");
	}
	for (char **entry = environ; *entry && variables < ENVIRONMENT - 1; entry++)
		program->environment[variables++] = *entry;
	if (!length)
		usage();
	return count;
}

static void read_words(int argc, char **argv)
{
	int at = 1;
	if (argc > 2 && !strcmp(argv[1], "--runs")) {
		runs = atoi(argv[2]);
		at = 3;
	}
	if (at >= argc || runs < 1)
		usage();
	while (at < argc) {
		if (strcmp(argv[at], "--"))
			usage();
		at++;
		at += add(&argv[at]);
	}
	for (int i = 0; i < program_count; i++) {
		programs[i].seconds = or_end(calloc((size_t)runs, sizeof(double)));
		programs[i].faults = or_end(calloc((size_t)runs, sizeof(long)));
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Ends with a message if a program did not exit with 0. */
static void check(const struct program *program, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	fprintf(stderr, "programs: %s ended with wait status %#x\n", program->argv[0], status);
	exit(1);
}

static void one(struct program *program, int run)
{
	pid_t child;
	int status;
	struct rusage usage;
	double start = now();
	if (posix_spawn(&child, program->argv[0], NULL, NULL, program->argv, program->environment))
		fail(program->argv[0]);
	wait4(child, &status, 0, &usage);
	program->seconds[run] = now() - start;
	program->faults[run] = usage.ru_minflt;
	check(program, status);
}

/* Counts the stops of a traced program and of its children: each is one system call's entry or exit
 * with PTRACE_SYSCALL, or one instruction with PTRACE_SINGLESTEP. */
static long trace(const struct program *program, enum __ptrace_request how)
{
	long stops = 0;
	int status;
	/* All programs have been timed before. */
	stay_on_this_processor();
	pid_t first = fork();
	if (first == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execve(program->argv[0], program->argv, program->environment);
		_exit(127);
	}
	/* The program stops with SIGTRAP when it has been executed. */
	if (first < 0 || waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, first, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
	       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	ptrace(how, first, NULL, 0);
	for (pid_t process; (process = waitpid(-1, &status, __WALL)) > 0;) {
		if (!WIFSTOPPED(status)) {
			if (process != first)
				continue;
			check(program, status);
			return stops;
		}
		int signal = WSTOPSIG(status), event = status >> 16;
		int counted = how == PTRACE_SYSCALL ? signal == (SIGTRAP | 0x80) : signal == SIGTRAP;
		stops += counted && !event;
		int ours = (signal & 0x7f) == SIGTRAP || signal == SIGSTOP;
		ptrace(how, process, NULL, ours ? 0 : signal);
	}
	return -1;
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

static void print(struct program *program)
{
	/* The last call, exit_group, does not return. */
	long calls = (trace(program, PTRACE_SYSCALL) + 1) / 2;
	long instructions = trace(program, PTRACE_SINGLESTEP);
	qsort(program->faults, (size_t)runs, sizeof(long), by_value);
	printf("  {\"page_faults\": %ld, \"calls\": %ld, \"instructions\": %ld, \"us\": [",
	       program->faults[runs / 2], calls, instructions);
	for (int i = 0; i < runs; i++)
		printf("%s%.2f", i ? ", " : "", program->seconds[i] * 1e6);
	printf("]}");
}

int main(int argc, char **argv)
{
	read_words(argc, argv);
	/* The first round reads the files. It is measured again. */
	for (int run = -1; run < runs; run++)
		for (int i = 0; i < program_count; i++)
			one(&programs[(i + run + 1) % program_count], run < 0 ? 0 : run);
	puts("[");
	for (int i = 0; i < program_count; i++) {
		print(&programs[i]);
		puts(i + 1 < program_count ? "," : "");
	}
	puts("]");
	return 0;
}
