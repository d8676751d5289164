/* Slurm's exec_task copies the environment of the step, so a plugin changes pages that already
 * belong to the task. Slurm's setenvf clears a large buffer for each value. Both decide what a plugin
 * costs that sets variables, and both are the same from 20.11 to 26.05. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "environment.h"
#include "slurm.h"

/* ENV_BUFSIZE in Slurm's src/common/env.c, and the longest variable that it sets. */
enum { BUFFER = 256 * 1024, LONGEST = 32 * 4096 };

char **step_environment;

static void *or_abort(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static size_t count(char *const *strings)
{
	size_t number = 0;
	while (strings[number])
		number++;
	return number;
}

static char **copy_of(char *const *strings)
{
	size_t number = count(strings);
	char **copy = or_abort(calloc(number + 1, sizeof *copy));
	for (size_t i = 0; i < number; i++)
		copy[i] = slurm_xstrdup(strings[i]);
	return copy;
}

/* The entry of a variable; the null pointer at the end if it is not set. */
static char **entry_of(const char *name)
{
	size_t length = strlen(name);
	char **entry = step_environment;
	while (*entry && (strncmp(*entry, name, length) || (*entry)[length] != '='))
		entry++;
	return entry;
}

void start_environment(void)
{
	extern char **environ;
	if (!step_environment)
		step_environment = copy_of(environ);
}

void start_task_environment(void)
{
	static const char *const names[] = {
		"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEPID", "SLURM_PROCID", "SLURM_LOCALID",
		"SLURM_NODEID", "SLURM_GTIDS", "SLURM_TASK_PID", "SLURM_CPUS_ON_NODE",
		"SLURM_CPU_BIND", "SLURM_DISTRIBUTION", "SLURM_LAUNCH_NODE_IPADDR",
		"SLURM_SRUN_COMM_PORT", "SLURM_JOB_GID", "SLURM_JOB_UID", "SLURMD_NODENAME",
	};
	char **copy = copy_of(step_environment);
	end_environment();
	step_environment = copy;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put_variable(names[i], "1", 1);
}

void end_environment(void)
{
	for (char **string = step_environment; *string; string++)
		slurm_xfree((void **)string);
	free(step_environment);
	step_environment = NULL;
}

const char *get_variable(const char *name)
{
	const char *string = *entry_of(name);
	return string ? string + strlen(name) + 1 : NULL;
}

static void put(const char *name, const char *value)
{
	char **entry = entry_of(name), *text = or_abort(malloc(strlen(name) + strlen(value) + 2));
	strcat(strcat(strcpy(text, name), "="), value);
	if (!*entry) {
		size_t number = count(step_environment);
		step_environment = or_abort(realloc(step_environment, (number + 2) * sizeof *step_environment));
		step_environment[number + 1] = NULL;
		entry = &step_environment[number];
	}
	slurm_xfree((void **)entry);
	*entry = slurm_xstrdup(text);
	free(text);
}

int put_variable(const char *name, const char *value, int overwrite)
{
	if (*entry_of(name) && !overwrite)
		return 0;
	char *buffer = or_abort(calloc(1, BUFFER));
	snprintf(buffer, BUFFER, "%s", value);
	int is_short = strlen(name) + strlen(buffer) + 2 < LONGEST;
	if (is_short)
		put(name, buffer);
	free(buffer);
	return is_short ? 0 : -1;
}

void remove_variable(const char *name)
{
	char **entry = entry_of(name);
	if (!*entry)
		return;
	slurm_xfree((void **)entry);
	do
		entry[0] = entry[1];
	while (*entry++);
}
