/* The functions that a plugin calls. The linker exports them (-rdynamic), as slurmstepd does. A
 * function that is missing here ends the program when it is called, not when the plugin is
 * loaded: the plugin is loaded with lazy binding. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "environment.h"
#include "slurm.h"

struct step step = { .context = CONTEXT_REMOTE };
void *oci_conf;
static struct spank_option registered;

enum { MAGIC = 42, HEADER = 16 };

char *slurm_xstrdup(const char *text)
{
	char *block = malloc(HEADER + strlen(text) + 1);
	if (!block)
		abort();
	block[0] = MAGIC;
	return strcpy(block + HEADER, text);
}

void slurm_xfree(void **item)
{
	if (!*item)
		return;
	char *block = (char *)*item - HEADER;
	if (block[0] != MAGIC)
		abort();
	block[0] = 0;
	free(block);
	*item = NULL;
}

int spank_context(void) { return step.context; }
int spank_remote(spank_t spank) { (void)spank; return step.context == CONTEXT_REMOTE; }
const char *spank_strerror(int error) { return error == SUCCESS ? "Success" : "Error"; }

int spank_get_item(spank_t spank, enum item item, ...)
{
	(void)spank;
	if (step.refuse)
		return BAD_ARGUMENT;
	va_list answers;
	va_start(answers, item);
	int answer = SUCCESS;
	switch (item) {
	/* Slurm has these values in memory and needs no system call. */
	case JOB_UID: *va_arg(answers, uid_t *) = 1001; break;
	case JOB_GID: *va_arg(answers, gid_t *) = 1001; break;
	case JOB_ID: *va_arg(answers, uint32_t *) = 1; break;
	case JOB_NNODES: case JOB_LOCAL_TASK_COUNT: case JOB_TOTAL_TASK_COUNT:
		*va_arg(answers, uint32_t *) = 1; break;
	case JOB_STEPID: case JOB_NODEID: case TASK_GLOBAL_ID:
		*va_arg(answers, uint32_t *) = 0; break;
	case JOB_NCPUS: *va_arg(answers, uint16_t *) = 1; break;
	case TASK_ID: *va_arg(answers, int *) = 0; break;
	case JOB_ARGV:
		*va_arg(answers, int *) = step.argc + step.miscount;
		*va_arg(answers, char ***) = step.argv;
		break;
	case JOB_ENV: *va_arg(answers, char ***) = step_environment; break;
	default: answer = NOT_AVAILABLE;
	}
	va_end(answers);
	return answer;
}

int spank_getenv(spank_t spank, const char *name, char *value, int size)
{
	(void)spank;
	const char *found = name ? get_variable(name) : NULL;
	if (step.refuse)
		return BAD_ARGUMENT;
	if (!found)
		return NO_VARIABLE;
	if (strlen(found) >= (size_t)size)
		return NO_SPACE;
	strcpy(value, found);
	return SUCCESS;
}

int spank_setenv(spank_t spank, const char *name, const char *value, int overwrite)
{
	(void)spank;
	step.set_variables++;
	return step.refuse || put_variable(name, value, overwrite) ? BAD_ARGUMENT : SUCCESS;
}

int spank_unsetenv(spank_t spank, const char *name)
{
	(void)spank;
	if (step.refuse)
		return BAD_ARGUMENT;
	remove_variable(name);
	return SUCCESS;
}

int spank_option_register(spank_t spank, struct spank_option *option)
{
	(void)spank;
	if (step.refuse)
		return BAD_ARGUMENT;
	registered = *option;
	/* Slurm calls the callback while it parses the options of the step. */
	if (step.option && registered.cb) {
		step.answer = registered.cb(registered.val, step.option, step.context == CONTEXT_REMOTE);
		step.answered = 1;
	}
	return SUCCESS;
}

int spank_option_getopt(spank_t spank, struct spank_option *option, char **value)
{
	(void)spank;
	(void)option;
	if (!step.option || step.refuse)
		return NOT_AVAILABLE;
	*value = (char *)step.option;
	return SUCCESS;
}

int spank_prepend_task_argv(spank_t spank, int argc, const char *argv[])
{
	(void)spank; (void)argc; (void)argv;
	return step.refuse ? BAD_ARGUMENT : SUCCESS;
}

/* A number that includes all levels, or slurmd's default, LOG_LEVEL_INFO. */
int slurm_get_log_level(void) { return step.verbose ? 9 : 3; }

/* slurm_error and similar functions, which differ only in their level. */
#define LOGS(name)                                                                         \
	void name(const char *format, ...)                                                 \
	{                                                                                  \
		if (!step.verbose)                                                         \
			return;                                                            \
		va_list arguments;                                                         \
		va_start(arguments, format);                                               \
		fputs(#name ": ", stderr);                                                 \
		vfprintf(stderr, format, arguments);                                       \
		fputc('\n', stderr);                                                       \
		va_end(arguments);                                                         \
	}
LOGS(slurm_error)
LOGS(slurm_info)
LOGS(slurm_verbose)
LOGS(slurm_debug)
LOGS(slurm_debug2)
LOGS(slurm_debug3)
LOGS(slurm_spank_log)
