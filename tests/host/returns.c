/*
 * Calls hooks of a SPANK plugin as Slurm does, and prints what each returns:
 *
 *   returns [FLAGS] LIBRARY [HOOK...] -- [ARGUMENT...] -- [COMMAND...]
 *
 *   -c NUMBER   the context, as in spank.h
 *   -o VALUE    the value of the plugin's option
 *   -r          every call from the plugin fails
 *   -b          a step with a container
 *   -w NUMBER   add this many words to the command
 *   -f          no file can be opened
 *   -v          print the plugin's log messages to stderr
 *
 * It prints one line for each hook: "HOOK returned N", "HOOK ended N" if the hook ended its
 * process, "HOOK died N" if a signal did, or "HOOK missing". The hooks run in the order of the
 * command line, each in a new process, except for slurm_spank_init, because the other hooks must
 * see its effects. Each hook is called for two lines of plugstack.conf. The return value of the
 * option's callback is printed as "option returned N".
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "environment.h"
#include "slurm.h"

typedef int hook(spank_t, int, char **);

enum { USER = 1001 };
static char **arguments;
static int argument_count, no_files;

/* The number of words up to the next `--` or the end. */
static int words(char **from)
{
	int count = 0;
	while (from[count] && strcmp(from[count], "--"))
		count++;
	return count;
}

/* Calls the hook for the plugin's line, and for a second line with the same words. */
static int call(hook *found)
{
	char **other = calloc((size_t)argument_count + 1, sizeof *other);
	if (!other)
		exit(1);
	memcpy(other, arguments, sizeof *other * (size_t)argument_count);
	/* The handle is opaque to plugins: any address except null is valid. */
	int first = found((spank_t)&step, argument_count, arguments);
	int second = found((spank_t)&step, argument_count, other);
	return first ? first : second;
}

static void in_child(const char *name, hook *found)
{
	int status;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = { 0, 0 };
		/* Slurm calls these hooks as the user. */
		if (geteuid() == 0 && step.context == CONTEXT_REMOTE && setuid(USER))
			_exit(1);
		if (no_files)
			setrlimit(RLIMIT_NOFILE, &none);
		printf("%s returned %d\n", name, call(found));
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		exit(1);
	if (WIFSIGNALED(status))
		printf("%s died %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		printf("%s ended %d\n", name, WEXITSTATUS(status));
}

static void read_command(char **from, int count, int more)
{
	step.argc = count + more;
	step.argv = calloc((size_t)step.argc + 1, sizeof *step.argv);
	if (!step.argv)
		exit(1);
	for (int i = 0; i < step.argc; i++)
		step.argv[i] = slurm_xstrdup(i < count ? from[i] : "word");
	if (step.argc == 0)
		step.argv = NULL;
}

int main(int argc, char **argv)
{
	start_environment();
	int more = 0;
	for (int letter; (letter = getopt(argc, argv, "+c:o:rbw:fv")) != -1;) {
		switch (letter) {
		case 'c': step.context = (enum context)atoi(optarg); break;
		case 'o': step.option = optarg; break;
		case 'r': step.refuse = 1; break;
		case 'b': oci_conf = &step; break;
		case 'w': more = atoi(optarg); break;
		case 'f': no_files = 1; break;
		case 'v': step.verbose = 1; break;
		default: return 2;
		}
	}
	char **next = argv + optind;
	const char *library = *next++;
	char **hooks = next;
	int hook_count = words(hooks);
	next += hook_count + 1;
	arguments = next;
	argument_count = words(arguments);
	next += argument_count + 1;
	read_command(next, words(next), more);
	void *plugin = dlopen(library, RTLD_LAZY);
	if (!plugin) {
		fprintf(stderr, "returns: %s\n", dlerror());
		return 1;
	}
	for (int i = 0; i < hook_count; i++) {
		hook *found = (hook *)dlsym(plugin, hooks[i]);
		if (!found)
			printf("%s missing\n", hooks[i]);
		else if (!strcmp(hooks[i], "slurm_spank_init"))
			printf("%s returned %d\n", hooks[i], call(found));
		else
			in_child(hooks[i], found);
	}
	if (step.answered)
		printf("option returned %d\n", step.answer);
	return 0;
}
