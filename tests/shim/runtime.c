/*
 * A fake runtime, installed as `apptainer`: reports everything that a program inherits, as
 * records that end with a null byte. With RUNTIME_VERSION in the environment, `--version` prints
 * the value of this variable instead.
 *
 * The report goes to a descriptor that is already open. The program must not open any, because
 * the standard descriptors may be closed, or the limit may allow no further one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT 100

extern char **environ;

static void tell(const char *key, const char *format, ...)
{
	char value[8192];
	va_list list;

	va_start(list, format);
	vsnprintf(value, sizeof(value), format, list);
	va_end(list);
	if (dprintf(REPORT, "%s=%s", key, value) < 0 || write(REPORT, "", 1) != 1)
		_exit(99);
}

/* Written without a buffer, because a word can be longer than any buffer. */
static void tell_words(const char *key, char **words)
{
	for (; *words; words++) {
		size_t rest = strlen(*words) + 1;
		const char *next = *words;

		dprintf(REPORT, "%s=", key);
		while (rest) {
			ssize_t written = write(REPORT, next, rest);

			if (written <= 0)
				_exit(99);
			next += written;
			rest -= written;
		}
	}
}

static void tell_descriptors(void)
{
	for (int i = 0; i < 1100; i++) {
		char link[32], target[4096];
		int flags = fcntl(i, F_GETFD);
		ssize_t length;

		if (flags < 0)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
		length = readlink(link, target, sizeof(target));
		/* Every run has a different pipe. */
		if (length > 5 && !strncmp(target, "pipe:", 5))
			length = 5;
		/* The offsets of these two may differ, because the length of the written text differs. */
		if (i == REPORT)
			tell("descriptor", "%d %d", i, flags);
		else
			tell("descriptor", "%d %d %x %lld %.*s", i, flags, fcntl(i, F_GETFL),
			     i == 2 ? 0 : (long long)lseek(i, 0, SEEK_CUR), (int)length, target);
	}
}

static void tell_signals(void)
{
	sigset_t blocked, pending;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	sigpending(&pending);
	for (int i = 1; i <= SIGRTMAX; i++) {
		struct sigaction action;

		if (sigaction(i, NULL, &action) == 0)
			tell("signal", "%d %s %d %d", i,
			     action.sa_handler == SIG_IGN ? "ignored" :
			     action.sa_handler == SIG_DFL ? "default" : "caught",
			     sigismember(&blocked, i), sigismember(&pending, i));
	}
}

static void tell_process(void)
{
	char directory[4096], program[4096];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program));
	int death = 0;
	struct rusage children;

	tell("program", "%.*s", (int)length, program);
	tell("directory", "%s", getcwd(directory, sizeof(directory)));
	tell("umask", "%o", umask(0));
	tell("nice", "%d", getpriority(PRIO_PROCESS, 0));
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		getrlimit(i, &limit);
		tell("limit", "%d %llx %llx", i, (unsigned long long)limit.rlim_cur,
		     (unsigned long long)limit.rlim_max);
	}
	prctl(PR_GET_PDEATHSIG, &death);
	tell("death signal", "%d", death);
	tell("alarm", "%d", alarm(0) > 0);
	tell("ids", "%d %d %d %d", getppid() == atoi(getenv("PARENT") ?: "0"), getpid() == getpgrp(),
	     getuid(), geteuid());
	/* Zero only if this process has never waited for a child, not even before its execve. */
	getrusage(RUSAGE_CHILDREN, &children);
	tell("waited for", "%ld", children.ru_maxrss);
	tell("children", "%d", waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	tell("pid", "%d", getpid());
}

int main(int argc, char **argv)
{
	const char *version = getenv("RUNTIME_VERSION");

	if (version && argc == 2 && !strcmp(argv[1], "--version"))
		return puts(version) < 0;
	tell("argc", "%d", argc);
	tell_words("argv", argv);
	tell_words("environ", environ);
	tell_process();
	tell_signals();
	tell_descriptors();
	return 7;
}
