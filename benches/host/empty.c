/* A plugin that does nothing: the cost of loading any plugin, for comparison. */
#include <stdint.h>

const char plugin_name[] = "empty";
const char plugin_type[] = "spank";
const uint32_t plugin_version = 0x1a0500;

int slurm_spank_init(void *spank, int argc, char **argv)
{
	(void)spank; (void)argc; (void)argv;
	return 0;
}

int slurm_spank_task_init(void *spank, int argc, char **argv)
{
	(void)spank; (void)argc; (void)argv;
	return 0;
}
