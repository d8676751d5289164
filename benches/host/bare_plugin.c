/* A plugin that does in each task what sifcache's cannot avoid, without any decision: for a runtime
 * the system calls of a hit and the change of the argument, for another program the two variables
 * of nested=path. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "bare.h"
#include "slurm.h"

const char plugin_name[] = "bare";
const char plugin_type[] = "spank";
const uint32_t plugin_version = 0x1a0500;

int spank_get_item(spank_t spank, enum item item, ...);
int spank_setenv(spank_t spank, const char *name, const char *value, int overwrite);

int slurm_spank_init(spank_t spank, int count, char **words)
{
	(void)spank; (void)count; (void)words;
	return 0;
}

int slurm_spank_task_init(spank_t spank, int count, char **words)
{
	struct rlimit limit;
	int argc = 0;
	char **argv = NULL;
	getrlimit(RLIMIT_AS, &limit);
	getrlimit(RLIMIT_DATA, &limit);
	spank_get_item(spank, JOB_ARGV, &argc, &argv);
	if (argc < 3 || strcmp(argv[0], "apptainer")) {
		spank_setenv(spank, "PATH", "/usr/libexec/sifcache/bin-linked:/usr/local/bin:/usr/bin:/bin", 1);
		spank_setenv(spank, "SINGULARITY_SIFCACHE", "image_root=/shared/sif", 0);
		return 0;
	}
	struct words found = bare_words(count, words);
	if (bare_hit(&found))
		return 0;
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", found.root, found.image);
	argv[2] = slurm_xstrdup(path);
	return 0;
}
