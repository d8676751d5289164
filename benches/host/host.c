/* Loads SPANK plugins as Slurm does, measures the time of each stage of their lifetime, and counts
 * its system calls. See the usage text below, and README.md. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "count.h"
#include "rounds.h"
#include "steps.h"

enum { MOST = 32 };
static struct line lines[MOST];
static int line_count, runs = 200, round_count, with_instructions;

static void usage(FILE *to)
{
	fputs("Usage: host [OPTIONS] --plugin 'FILE [ARGUMENT...]'... -- COMMAND...\n\n"
	      "Loads each plugin as slurmstepd does, runs its hooks for a task with COMMAND, and\n"
	      "prints JSON: microseconds (median, 10th and 90th percentile), page faults and\n"
	      "system calls of each stage, and the image in the resulting command. The plugins\n"
	      "take turns in a random order, each time in a new process.\n\n"
	      "  --plugin LINE    a file and its arguments, as in plugstack.conf; up to 32\n"
	      "  --runs N         number of timed lifetimes of each plugin (200)\n"
	      "  --rounds N       instead: N lifetimes of one plugin in one process; prints the\n"
	      "                   size of the process before and after; status 1 if the number of\n"
	      "                   descriptors, mappings or threads grew, or memory by over 256 KiB\n"
	      "  --instructions   also count the instructions of each stage, step by step\n"
	      "  --in NAME        what loads the plugins: local (srun), allocator (sbatch), slurmd,\n"
	      "                   or remote (slurmstepd, the default); no option may begin like\n"
	      "                   one of srun's that the plugin looks for in the command line\n"
	      "  --option VALUE   the value of the option that the plugin registers\n"
	      "  --status N       expected exit status of a task (0)\n"
	      "  --container      a step with a container\n"
	      "  --miscount       report one argument too many to plugins, which a memory checker\n"
	      "                   must detect\n"
	      "  --verbose        print the plugins' log messages\n", to);
}

/* Ends the program if an allocation or mapping failed. */
static void *or_end(void *pointer)
{
	if (!pointer || pointer == MAP_FAILED) {
		perror("host");
		exit(1);
	}
	return pointer;
}

static void read_line(char *text)
{
	if (line_count == MOST) {
		fputs("host: too many plugins\n", stderr);
		exit(2);
	}
	struct line *line = &lines[line_count++];
	line->file = or_end(strtok(text, " \t"));
	line->argv = or_end(calloc(strlen(text) + 16384, sizeof *line->argv));
	for (char *word; (word = strtok(NULL, " \t"));)
		line->argv[line->argc++] = word;
}

static enum context read_context(const char *name)
{
	static const char *const names[] = { "local", "remote", "allocator", "slurmd" };
	for (int i = 0; i < 4; i++)
		if (!strcmp(name, names[i]))
			return (enum context)(CONTEXT_LOCAL + i);
	fprintf(stderr, "host: no context is called %s\n", name);
	exit(2);
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "plugin", 1, NULL, 'p' }, { "runs", 1, NULL, 'r' }, { "rounds", 1, NULL, 'n' },
		{ "in", 1, NULL, 'c' }, { "option", 1, NULL, 'o' }, { "verbose", 0, NULL, 'v' },
		{ "status", 1, NULL, 's' }, { "miscount", 0, NULL, 'm' },
		{ "container", 0, NULL, 'b' }, { "instructions", 0, NULL, 'i' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	for (int letter; (letter = getopt_long(argc, argv, "+h", known, NULL)) != -1;) {
		switch (letter) {
		case 'p': read_line(optarg); break;
		case 'r': runs = atoi(optarg); break;
		case 'n': round_count = atoi(optarg); break;
		case 'c': step.context = read_context(optarg); break;
		case 's': step.status = atoi(optarg); break;
		case 'i': with_instructions = 1; break;
		case 'b': oci_conf = &step; break;
		case 'm': step.miscount = 1; break;
		case 'o': step.option = optarg; break;
		case 'v': step.verbose = 1; break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(2);
		}
	}
	step.argc = argc - optind;
	step.argv = argv + optind;
	if (!line_count || !step.argc || runs < 1 || round_count < 0) {
		usage(stderr);
		exit(2);
	}
}

/* Runs one lifetime in a new process. */
static void one(const struct line *line, struct life *life)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		live(line, life, NULL);
		_exit(life->status != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "host: %s: its process ended with wait status %#x\n", line->file, status);
		exit(1);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_calls(const struct calls *calls)
{
	printf("\"calls\": %d, \"names\": [", calls->count);
	for (int i = 0; i < calls->count; i++)
		printf("%s\"%s\"", i ? ", " : "", call_name(calls->numbers[i]));
	printf("]}");
}

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= ' ')
			putchar(*text);
	}
	putchar('"');
}

/* The measurements of all runs of a plugin, by stage. */
struct runs {
	double *seconds[STAGES], *faults[STAGES];
	char image[4096], path[4096];
	int set_variables;
};

static void print_plugin(const struct line *line, const struct runs *of)
{
	static struct calls calls[STAGES];
	long instructions[STAGES];
	int counted = count(line, calls);
	int stepped = with_instructions && count_instructions(line, instructions);
	printf("    {\"plugin\": ");
	print_text(line->file);
	printf(", \"image\": ");
	print_text(of->image);
	printf(", \"path\": ");
	print_text(of->path);
	printf(", \"set_variables\": %d", of->set_variables);
	printf(", \"steps\": {\n");
	for (int i = 0; i < STAGES; i++) {
		const double *seconds = of->seconds[i], *faults = of->faults[i];
		qsort(of->seconds[i], (size_t)runs, sizeof *seconds, by_value);
		qsort(of->faults[i], (size_t)runs, sizeof *faults, by_value);
		printf("      \"%s\": {\"median_us\": %.2f, \"p10_us\": %.2f, \"p90_us\": %.2f, "
		       "\"page_faults\": %.0f, ",
		       stage_names[i], seconds[runs / 2] * 1e6, seconds[runs / 10] * 1e6,
		       seconds[runs - 1 - runs / 10] * 1e6, faults[runs / 2]);
		if (stepped)
			printf("\"instructions\": %ld, ", instructions[i]);
		if (counted)
			print_calls(&calls[i]);
		else
			printf("\"calls\": null}");
		puts(i + 1 < STAGES ? "," : "");
	}
	printf("    }}");
}

/* Makes a new random order, so that no plugin always follows the same one. All runs have the same orders,
 * like those of benches/cluster/src/shuffle.rs. */
static void shuffle(int *order, int count)
{
	static uint64_t state = 0x9e3779b97f4a7c15;
	for (int last = count - 1; last > 0; last--) {
		/* Marsaglia's xorshift64. */
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		int other = (int)(state % (uint64_t)(last + 1)), moved = order[last];
		order[last] = order[other];
		order[other] = moved;
	}
}

static int time_all(void)
{
	int order[MOST];
	for (int i = 0; i < line_count; i++)
		order[i] = i;
	struct life *life = or_end(mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	static struct runs all[MOST];
	for (int i = 0; i < line_count; i++)
		for (int j = 0; j < STAGES; j++) {
			all[i].seconds[j] = or_end(calloc((size_t)runs, sizeof(double)));
			all[i].faults[j] = or_end(calloc((size_t)runs, sizeof(double)));
		}
	for (int run = 0; run < runs; run++) {
		shuffle(order, line_count);
		for (int k = 0; k < line_count; k++) {
			int i = order[k];
			one(&lines[i], life);
			for (int j = 0; j < STAGES; j++) {
				all[i].seconds[j][run] = life->seconds[j];
				all[i].faults[j][run] = (double)life->faults[j];
			}
			memcpy(all[i].image, life->image, sizeof life->image);
			memcpy(all[i].path, life->path, sizeof life->path);
			all[i].set_variables = life->set_variables;
		}
	}
	printf("{\"runs\": %d, \"plugins\": [\n", runs);
	for (int i = 0; i < line_count; i++) {
		print_plugin(&lines[i], &all[i]);
		puts(i + 1 < line_count ? "," : "");
	}
	puts("]}");
	return 0;
}

static void print_size(const char *name, const struct size *size)
{
	printf("\"%s\": {\"rss_kib\": %ld, \"address_space_kib\": %ld, \"descriptors\": %ld, "
	       "\"mappings\": %ld, \"threads\": %ld}", name, size->kibibytes, size->address_space,
	       size->descriptors, size->mappings, size->threads);
}

static int grow(void)
{
	struct size before, after;
	const struct life *last = rounds(&lines[0], round_count, &before, &after);
	if (!last) {
		fputs("host: a round failed\n", stderr);
		return 1;
	}
	printf("{\"rounds\": %d, \"image\": ", round_count);
	print_text(last->image);
	printf(", ");
	print_size("before", &before);
	printf(", ");
	print_size("after", &after);
	puts("}");
	return after.descriptors > before.descriptors || after.mappings > before.mappings ||
	       after.threads > before.threads || after.kibibytes > before.kibibytes + 256;
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	return round_count ? grow() : time_all();
}
