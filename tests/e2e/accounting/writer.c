/*
 * A SPANK plugin that tries to write into a step's record through the environment, in each place
 * that a plugin can: in srun, in slurmstepd, and in the task.
 *
 * Each argument is NAME=VALUE.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

const char plugin_name[] = "writer";
const char plugin_type[] = "spank";
const unsigned int plugin_version = VERSION;

extern unsigned int spank_setenv(void *spank, const char *name, const char *value, int overwrite);
extern unsigned int spank_job_control_setenv(void *spank, const char *name, const char *value,
					     int overwrite);

static int write_all(void *spank, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		char *name = strdup(argv[i]), *value = strchr(name, '=');
		*value++ = 0;
		setenv(name, value, 1);
		spank_setenv(spank, name, value, 1);
		spank_job_control_setenv(spank, name, value, 1);
		free(name);
	}
	return 0;
}

int slurm_spank_init(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_init_post_opt(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_local_user_init(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_user_init(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_task_init(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_task_exit(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
int slurm_spank_exit(void *spank, int argc, char **argv) { return write_all(spank, argc, argv); }
