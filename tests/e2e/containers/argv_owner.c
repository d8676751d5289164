/* A SPANK plugin that handles the argv of a command as slurmstepd does in a step with a
 * container: it takes ownership of the words and frees them. */
#include <stddef.h>

const char plugin_name[] = "free";
const char plugin_type[] = "spank";
const unsigned int plugin_version = VERSION;

enum { JOB_ARGV = 9 };

extern int spank_get_item(void *spank, int item, ...);
extern char *slurm_xstrdup(const char *text);
extern void slurm_xfree(void **item);

int slurm_spank_task_init(void *spank, int argc, char **argv)
{
	int count = 0;
	char **words = NULL;
	(void)argc;
	(void)argv;
	spank_get_item(spank, JOB_ARGV, &count, &words);
	for (int i = 0; i < count && words[i]; i++) {
		void *word = words[i];
		words[i] = slurm_xstrdup(word);
		slurm_xfree(&word);
	}
	return 0;
}
