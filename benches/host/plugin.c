/* Runs a plugin's lifetime, like Slurm's _spank_plugin_create, _do_call_stack and exec_task. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "environment.h"
#include "plugin.h"

typedef int hook(spank_t, int, char **);

const char *const stage_names[STAGES] = { "load", "symbols", "init", "task_init", "unload" };

/* The symbols that every plugin has, and the hooks in spank.h. */
static const char *const symbols[] = {
	"plugin_name", "plugin_type", "plugin_version", "slurm_spank_init",
	"slurm_spank_job_prolog", "slurm_spank_init_post_opt", "slurm_spank_local_user_init",
	"slurm_spank_user_init", "slurm_spank_task_init_privileged", "slurm_spank_task_init",
	"slurm_spank_task_post_fork", "slurm_spank_task_exit", "slurm_spank_job_epilog",
	"slurm_spank_slurmd_exit", "slurm_spank_exit", "spank_options",
};

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Page faults of this process, and of the processes that it has waited for. */
static long faults(void)
{
	struct rusage own, others;
	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &others);
	return own.ru_minflt + others.ru_minflt;
}

static void begin(struct life *life, enum stage stage, void (*mark)(enum stage, int))
{
	life->faults[stage] = faults();
	if (mark)
		mark(stage, 0);
	life->seconds[stage] = now();
}

static void end(struct life *life, enum stage stage, void (*mark)(enum stage, int))
{
	life->seconds[stage] = now() - life->seconds[stage];
	if (mark)
		mark(stage, 1);
	life->faults[stage] = faults() - life->faults[stage];
}

static void call(void *plugin, const char *name, const struct line *line)
{
	hook *found = (hook *)dlsym(plugin, name);
	/* The handle is opaque to plugins: any address except null is valid. */
	if (found)
		found((spank_t)line, line->argc, line->argv);
}

/* Stores the last argument that was replaced, or an empty string. */
static void keep_image(struct life *life, char *const *before)
{
	life->image[0] = 0;
	for (int i = 0; i < step.argc; i++)
		if (before[i] != step.argv[i])
			snprintf(life->image, sizeof life->image, "%s", step.argv[i]);
}

/* Copies the command with Slurm's allocator. There is no null pointer at its end, so that a memory
 * checker detects reads beyond it. */
static char **exactly(char **argv, int argc)
{
	char **copy = malloc(sizeof *copy * (size_t)argc);
	for (int i = 0; i < argc; i++)
		copy[i] = slurm_xstrdup(argv[i]);
	return copy;
}

/* Slurm frees the arguments of a container's command after it has written them to config.json. */
static void free_command(char **argv, int argc)
{
	for (int i = 0; i < argc; i++)
		slurm_xfree((void **)&argv[i]);
}

static void task(void *plugin, const struct line *line, struct life *life,
		 void (*mark)(enum stage, int))
{
	step.argv = exactly(step.argv, step.argc);
	/* Static, so that a memory checker does not report the replaced arguments as leaks. */
	static char **before;
	before = malloc(sizeof *before * (size_t)step.argc);
	memcpy(before, step.argv, sizeof *before * (size_t)step.argc);
	start_task_environment();
	begin(life, TASK, mark);
	call(plugin, "slurm_spank_task_init", line);
	end(life, TASK, mark);
	keep_image(life, before);
	const char *path = get_variable("PATH");
	snprintf(life->path, sizeof life->path, "%s", path ? path : "");
	life->set_variables = step.set_variables;
	free_command(step.argv, step.argc);
	end_environment();
	_exit(0);
}

void live(const struct line *line, struct life *life, void (*mark)(enum stage, int))
{
	life->status = -1;
	start_environment();
	begin(life, LOAD, mark);
	void *plugin = dlopen(line->file, RTLD_LAZY);
	end(life, LOAD, mark);
	if (!plugin) {
		fprintf(stderr, "host: %s\n", dlerror());
		return;
	}
	begin(life, SYMBOLS, mark);
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
		dlsym(plugin, symbols[i]);
	end(life, SYMBOLS, mark);
	begin(life, INIT, mark);
	call(plugin, "slurm_spank_init", line);
	end(life, INIT, mark);
	pid_t child = fork();
	if (child == 0)
		task(plugin, line, life, mark);
	if (child < 0 || waitpid(child, &life->status, 0) != child)
		perror("host: task");
	else
		life->status -= W_EXITCODE(step.status, 0);
	call(plugin, "slurm_spank_exit", line);
	begin(life, UNLOAD, mark);
	dlclose(plugin);
	end(life, UNLOAD, mark);
}
