/*
 * Changes its own process state in unusual ways and executes a program. A runtime can inherit
 * such a state from a shell, mpirun or a workflow engine.
 *
 *	caller WORD VALUE ... -- PROGRAM ARGUMENT ...
 *
 * The first ARGUMENT is argv[0]. Exit status 200 + errno if PROGRAM cannot be executed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *variables[20000];
static int by_descriptor;

static void check(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(98);
	}
}

/* The environment: strings that end with a null byte. Their content is arbitrary. */
static void read_environment(const char *path)
{
	static char text[8 << 20];
	FILE *file = fopen(path, "r");
	size_t length, count = 0;

	check(file != NULL, path);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	for (char *next = text; next < text + length; next += strlen(next) + 1)
		variables[count++] = next;
}

static void keep(int found, int wanted)
{
	check(found >= 0, "open");
	if (found != wanted) {
		check(dup2(found, wanted) >= 0, "dup2");
		close(found);
	}
}

static void open_at(int number, const char *path)
{
	keep(open(path, O_RDWR | O_CREAT | O_APPEND, 0600), number);
}

static void broken_pipe_at(int number)
{
	int ends[2];

	check(pipe(ends) == 0, "pipe");
	close(ends[0]);
	keep(ends[1], number);
}

static void limit(const char *text)
{
	unsigned long long number, soft;
	struct rlimit limit;

	check(sscanf(text, "%llu %llu", &number, &soft) == 2, text);
	check(getrlimit(number, &limit) == 0, "getrlimit");
	limit.rlim_cur = soft;
	check(setrlimit(number, &limit) == 0, "setrlimit");
}

/*
 * Root becomes another user, or another user becomes root, in a user namespace where the caller's
 * files belong to that user.
 */
static void become(int id)
{
	char map[32];
	int length = snprintf(map, sizeof(map), "%d %d 1", id, getuid());
	int file;

	if ((id == 0) == (getuid() == 0))
		return;
	check(unshare(CLONE_NEWUSER) == 0, "unshare");
	file = open("/proc/self/uid_map", O_WRONLY);
	check(write(file, map, length) == length, "uid_map");
	close(file);
}

static void block(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void set_up(const char *word, const char *value)
{
	int number = atoi(value);

	if (!strcmp(word, "environment"))
		read_environment(value);
	else if (!strcmp(word, "ignore"))
		signal(number, SIG_IGN);
	else if (!strcmp(word, "default"))
		signal(number, SIG_DFL);
	else if (!strcmp(word, "block"))
		block(number);
	else if (!strcmp(word, "raise"))
		raise(number);
	else if (!strcmp(word, "close"))
		close(number);
	else if (!strcmp(word, "report"))
		open_at(100, value);
	else if (!strcmp(word, "open5"))
		open_at(5, value);
	else if (!strcmp(word, "open77"))
		open_at(77, value);
	else if (!strcmp(word, "broken pipe"))
		broken_pipe_at(number);
	else if (!strcmp(word, "umask"))
		umask(strtol(value, NULL, 8));
	else if (!strcmp(word, "directory"))
		check(chdir(value) == 0, value);
	else if (!strcmp(word, "limit"))
		limit(value);
	else if (!strcmp(word, "nice"))
		check(nice(number) != -1, "nice");
	else if (!strcmp(word, "alarm"))
		alarm(number);
	else if (!strcmp(word, "death signal"))
		prctl(PR_SET_PDEATHSIG, number);
	else if (!strcmp(word, "real user"))
		/* As in a set-uid program, the effective user ID stays. */
		check(setresuid(number, -1, -1) == 0, "setresuid");
	else if (!strcmp(word, "user"))
		become(number);
	else if (!strcmp(word, "by descriptor"))
		by_descriptor = number;
	else {
		fprintf(stderr, "unknown: %s\n", word);
		exit(97);
	}
}

int main(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strcmp(argv[i], "--"); i += 2)
		set_up(argv[i], argv[i + 1]);
	if (by_descriptor)
		/* 1: closed by the exec, so that its path in /dev/fd does not exist; 2: left open. */
		fexecve(open(argv[i + 1], O_RDONLY | (by_descriptor == 1 ? O_CLOEXEC : 0)),
			argv + i + 2, variables);
	else
		execve(argv[i + 1], argv + i + 2, variables);
	return 200 + errno;
}
