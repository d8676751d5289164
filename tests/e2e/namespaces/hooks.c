/*
 * A SPANK plugin that logs the namespaces of the process in each of its hooks in slurmstepd:
 * it writes a line "STEP HOOK MNT USER PID" to the file that its argument names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char plugin_name[] = "hooks";
const char plugin_type[] = "spank";
const unsigned int plugin_version = VERSION;

extern int spank_context(void);
extern unsigned int spank_get_item(void *spank, unsigned int item, ...);
#define S_CTX_REMOTE 2
#define S_JOB_STEPID 3

static void write_down(void *spank, int argc, char **argv, const char *hook)
{
	static const char *const kinds[] = { "mnt", "user", "pid" };
	char line[512], path[64], target[64];
	unsigned int step = 0;
	if (argc < 1 || spank_context() != S_CTX_REMOTE)
		return;
	spank_get_item(spank, S_JOB_STEPID, &step);
	int length = snprintf(line, sizeof line, "%u %s", step, hook);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		ssize_t size = readlink(path, target, sizeof target - 1);
		target[size < 0 ? 0 : size] = 0;
		length += snprintf(line + length, sizeof line - (size_t)length, " %s", target);
	}
	line[length++] = '\n';
	int file = open(argv[0], O_WRONLY | O_APPEND | O_CLOEXEC);
	if (file < 0)
		return;
	if (write(file, line, (size_t)length) != length)
		perror(argv[0]);
	close(file);
}

#define HOOK(name)                                                                         \
	int slurm_spank_##name(void *spank, int argc, char **argv)                          \
	{                                                                                  \
		write_down(spank, argc, argv, #name);                                      \
		return 0;                                                                  \
	}
HOOK(init)
HOOK(user_init)
HOOK(task_init_privileged)
HOOK(task_init)
HOOK(task_post_fork)
HOOK(task_exit)
HOOK(exit)
