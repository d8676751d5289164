/* What a hit cannot avoid: its system calls, in the plugin's order, without any decision. */
#ifndef BARE_H
#define BARE_H

/* The words of plugstack.conf that matter here. */
struct words {
	/* The image root, an absolute path. */
	const char *root;
	/* The file below it. */
	const char *image;
	/* Whether the calls may wait: lookup_timeout=off. */
	int may_wait;
	/* Whether the lookup runs in a helper process, because the root is not on a local disk. */
	int with_helper;
	/* Whether no line is sent: syslog=off. */
	int no_syslog;
};

/* Reads the words. `image` is DIRECTORY/FILE. */
struct words bare_words(int count, char **words);

/* Looks the image up, and sends a line to syslog. Returns 0 if the file was read. */
int bare_hit(const struct words *words);

#endif
