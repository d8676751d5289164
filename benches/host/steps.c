/* Runs the lifetime of a plugin step by step. This works on machines without hardware counters, and
 * unlike an emulator it runs every way to start a process. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "processor.h"
#include "steps.h"

/* The current stage, or -1. It is in memory that the traced processes share with the tracer. */
static volatile int *stage_now;

static void mark(enum stage stage, int end)
{
	*stage_now = end ? -1 : (int)stage;
	/* Stops the process, so that the tracer notices. */
	if (!end)
		raise(SIGTRAP);
}

static void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static void traced(const struct line *line)
{
	struct life *life = shared(sizeof *life);
	if (!life || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(1);
	raise(SIGSTOP);
	live(line, life, mark);
	_exit(life->status != 0);
}

/* Only one stage is active at a time: that of the task in forked processes, the others in the first. */
static void follow(pid_t first, long instructions[STAGES])
{
	int status;
	for (pid_t process; (process = waitpid(-1, &status, __WALL)) > 0;) {
		if (!WIFSTOPPED(status)) {
			if (process == first)
				return;
			continue;
		}
		int signal = WSTOPSIG(status), stage = *stage_now;
		/* Outside the stages, a process runs without steps, which would take minutes. */
		int counts = stage >= 0 && (process != first) == (stage == TASK);
		if (counts && signal == SIGTRAP && !(status >> 16))
			instructions[stage]++;
		/* A forked process starts with SIGSTOP. */
		int ours = signal == SIGTRAP || signal == SIGSTOP;
		ptrace(counts ? PTRACE_SINGLESTEP : PTRACE_CONT, process, NULL, ours ? 0 : signal);
	}
}

int count_instructions(const struct line *line, long instructions[STAGES])
{
	int status;
	memset(instructions, 0, sizeof *instructions * STAGES);
	stage_now = shared(sizeof *stage_now);
	if (!stage_now)
		return 0;
	*stage_now = -1;
	/* All plugins have been timed before. */
	stay_on_this_processor();
	pid_t first = fork();
	if (first == 0)
		traced(line);
	if (first < 0 || waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
		return 0;
	ptrace(PTRACE_SETOPTIONS, first, NULL, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	       PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	ptrace(PTRACE_CONT, first, NULL, 0);
	follow(first, instructions);
	munmap((void *)stage_now, sizeof *stage_now);
	return 1;
}
