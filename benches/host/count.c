/* Traces the process that runs the plugin's lifetime, and its task. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "count.h"

/* No system call has this number or a higher one: the kernel rejects it, and the tracer sees it. */
enum { MARK = 1000000 };

static void mark(enum stage stage, int end) { syscall(MARK + 2 * (int)stage + end); }

static void traced(const struct line *line)
{
	struct life *life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || life == MAP_FAILED)
		_exit(1);
	raise(SIGSTOP);
	live(line, life, mark);
	_exit(life->status != 0);
}

/* Records the system call that a process is about to make. `in_task` is true for the forked child.
 * Calls of its parent at the same time, such as waitpid, belong to no stage. */
static void note(pid_t process, int in_task, struct calls calls[STAGES], int *stage)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof info, &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	long number = (long)info.entry.nr;
	if (number >= MARK) {
		*stage = (number - MARK) % 2 ? -1 : (int)(number - MARK) / 2;
	} else if (*stage >= 0 && in_task == (*stage == TASK)) {
		struct calls *into = &calls[*stage];
		if (into->count < (int)(sizeof into->numbers / sizeof *into->numbers))
			into->numbers[into->count++] = (int)number;
	}
}

int count(const struct line *line, struct calls calls[STAGES])
{
	/* Only one stage is active at a time, in one of the two processes. */
	int status, stage = -1;
	memset(calls, 0, sizeof *calls * STAGES);
	pid_t first = fork();
	if (first == 0)
		traced(line);
	if (first < 0 || waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
		return 0;
	ptrace(PTRACE_SETOPTIONS, first, NULL,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	       PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, first, NULL, 0);
	for (;;) {
		pid_t process = waitpid(-1, &status, __WALL);
		if (process < 0)
			return 0;
		if (process == first && !WIFSTOPPED(status))
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (!WIFSTOPPED(status))
			continue;
		int signal = WSTOPSIG(status);
		if (signal == (SIGTRAP | 0x80))
			note(process, process != first, calls, &stage);
		/* A forked process starts with SIGSTOP, and ptrace events are reported as SIGTRAP. */
		int ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
		ptrace(PTRACE_SYSCALL, process, NULL, ours ? 0 : signal);
	}
}

const char *call_name(int number)
{
	/* Generated from the headers by `build`. */
	static const struct { int number; const char *name; } names[] = {
#include "call_names.h"
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == number)
			return names[i].name;
	return "unknown";
}
