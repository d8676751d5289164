/*
 * A SPANK plugin that imitates other plugins. Its arguments select what it does:
 *
 *   init=N task=N     returns N from that hook
 *   exit=N            ends the task in task_init
 *   word=N:TEXT       replaces argv entry N of the task's command with TEXT
 *   look=FILE         opens FILE, calls stat on it and closes it three times, and reads it once,
 *                     like sifcache
 *   hide=DIRECTORY    mounts an empty file system over DIRECTORY, for the task
 *   as=N nofile=N …   lowers a limit of the task, including the hard limit
 *   left=N            then allocates all memory that malloc holds, except for N bytes
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

const char plugin_name[] = "other";
const char plugin_type[] = "spank";
const unsigned int plugin_version = VERSION;

extern unsigned int spank_get_item(void *spank, unsigned int item, ...);
#define S_JOB_ARGV 9

static const struct { const char *name; int resource; } limits[] = {
	{ "as", RLIMIT_AS }, { "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE },
	{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC }, { "stack", RLIMIT_STACK },
};

/* The value of an argument; NULL if it is missing. */
static const char *value(int argc, char **argv, const char *name)
{
	size_t length = strlen(name);
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return argv[i] + length + 1;
	return NULL;
}

static void lower_limits(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		const char *text = value(argc, argv, limits[i].name);
		rlim_t most = text ? strtoull(text, NULL, 10) : 0;
		struct rlimit both = { most, most };
		if (text)
			setrlimit(limits[i].resource, &both);
	}
}

static void take_all_but(size_t left)
{
	void *kept = malloc(left);
	for (size_t size = 1 << 20; size >= 16; size /= 2)
		for (void **piece = malloc(size); piece; piece = malloc(size))
			*piece = piece;
	free(kept);
}

static void look_at(const char *path)
{
	struct statx found;
	char header[128];
	int files[3];
	for (int i = 0; i < 3; i++) {
		files[i] = open(path, O_RDONLY | O_CLOEXEC);
		statx(AT_FDCWD, path, 0, STATX_ALL, &found);
	}
	if (read(files[2], header, sizeof header) >= 0)
		for (int i = 0; i < 3; i++)
			close(files[i]);
}

static void change_word(void *spank, const char *text)
{
	int argc = 0;
	char **argv = NULL, *word = strchr(text, ':');
	int index = atoi(text);
	if (word && spank_get_item(spank, S_JOB_ARGV, &argc, &argv) == 0 && index < argc)
		argv[index] = strdup(word + 1);
}

int slurm_spank_init(void *spank, int argc, char **argv)
{
	const char *text = value(argc, argv, "init");
	(void)spank;
	return text ? atoi(text) : 0;
}

/* Runs as root. */
int slurm_spank_task_init_privileged(void *spank, int argc, char **argv)
{
	const char *hidden = value(argc, argv, "hide");
	(void)spank;
	if (!hidden)
		return 0;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	return mount("none", hidden, "tmpfs", 0, NULL);
}

int slurm_spank_task_init(void *spank, int argc, char **argv)
{
	const char *text;
	lower_limits(argc, argv);
	if ((text = value(argc, argv, "look")))
		look_at(text);
	if ((text = value(argc, argv, "left")))
		take_all_but(strtoull(text, NULL, 10));
	if ((text = value(argc, argv, "word")))
		change_word(spank, text);
	if ((text = value(argc, argv, "exit")))
		_exit(atoi(text));
	text = value(argc, argv, "task");
	return text ? atoi(text) : 0;
}
