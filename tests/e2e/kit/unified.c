/* Makes a machine look to Slurm's cgroup/v2 plugin as if it had no version 1 controllers. A read
 * of /proc/PID/cgroup returns only the version 2 line. Processes outside of the control group
 * namespace appear to be at its top. Preloaded into slurmd and slurmstepd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file in memory that holds only the version 2 line of `path`. */
static int unified(const char *path)
{
	char line[4096], group[4096];
	FILE *all = fopen(path, "re");
	int file = all ? memfd_create("cgroup", MFD_CLOEXEC) : -1;

	while (file >= 0 && fgets(line, sizeof(line), all)) {
		if (sscanf(line, "0::%4095[^\n]", group) == 1)
			dprintf(file, "0::%s\n", strncmp(group, "/..", 3) ? group : "/");
	}
	if (all)
		fclose(all);
	lseek(file, 0, SEEK_SET);
	return file;
}

static int opened(const char *path, int flags, mode_t mode)
{
	if (!fnmatch("/proc/*/cgroup", path, FNM_PATHNAME))
		return unified(path);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int __open_2(const char *path, int flags)
{
	return opened(path, flags, 0);
}

int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
