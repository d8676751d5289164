/* A SPANK plugin that prepends `env` to every task's command, as wrapper plugins do. */
const char plugin_name[] = "prepend";
const char plugin_type[] = "spank";
const unsigned int plugin_version = VERSION;

extern unsigned int spank_prepend_task_argv(void *spank, int argc, const char *argv[]);

int slurm_spank_task_init(void *spank, int argc, char **argv)
{
	const char *words[] = { "env" };
	(void)argc;
	(void)argv;
	return spank_prepend_task_argv(spank, 1, words) != 0;
}
