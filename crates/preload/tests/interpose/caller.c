/*
 * caller FUNCTION START PROGRAM ARGUMENT...
 *
 * Starts PROGRAM with FUNCTION, in the process or thread that START selects, and prints the
 * return value if FUNCTION returns. FUNCTION must not allocate memory or call dlsym: this program
 * overrides both, and exits if one of them is called.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void __libc_free(void *);

static volatile int armed;

static void guard(const char *what)
{
	if (!armed)
		return;
	if (write(1, "forbidden: ", 11) > 0 && write(1, what, strlen(what)) > 0)
		_exit(99);
	_exit(98);
}

void *malloc(size_t size) { guard("malloc\n"); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { guard("calloc\n"); return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { guard("realloc\n"); return __libc_realloc(old, size); }
void free(void *old) { guard("free\n"); __libc_free(old); }

void *dlsym(void *handle, const char *name)
{
	static void *(*real)(void *, const char *);
	static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5" };
	guard("dlsym\n");
	for (int i = 0; !real && i < 3; i++)
		real = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", versions[i]);
	/* RTLD_NEXT would find the library after this program: the interposer itself. */
	if (handle == RTLD_NEXT)
		handle = dlopen("libc.so.6", RTLD_LAZY);
	return real(handle, name);
}

#define TEN "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"
#define HUNDRED TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN
#define END (char *)NULL

static const char *function, *program;
static char **argv, **envp;
static int descriptor = -1, count;
static posix_spawn_file_actions_t actions;

#define LIST(FUNCTION, ...) \
	(count == 0 ? FUNCTION(program, "zero", __VA_ARGS__) : \
	count == 3 ? FUNCTION(program, "zero", "a", "b", "c", __VA_ARGS__) : \
	count == 4 ? FUNCTION(program, "zero", "a", "b", "c", "d", __VA_ARGS__) : \
	count == 5 ? FUNCTION(program, "zero", "a", "b", "c", "d", "e", __VA_ARGS__) : \
	count == 10 ? FUNCTION(program, "zero", TEN, __VA_ARGS__) : \
	FUNCTION(program, "zero", HUNDRED, HUNDRED, HUNDRED, __VA_ARGS__))

static int spawn(int search, posix_spawn_file_actions_t *with)
{
	pid_t pid = -7;
	errno = 77;
	int error = (search ? posix_spawnp : posix_spawn)(&pid, program, with, NULL, argv, envp);
	int after = errno;
	armed = 0;
	if (error == 0) {
		waitpid(pid, NULL, 0);
		/* posix_spawnp of glibc does not preserve errno. */
		if (!search && after != 77)
			printf("errno %d\n", after);
	} else {
		errno = error;
	}
	return error;
}

static int call(void)
{
#define IS(NAME) (strcmp(function, NAME) == 0)
	if (IS("execve")) return execve(program, argv, envp);
	if (IS("execv")) return execv(program, argv);
	if (IS("execvp")) return execvp(program, argv);
	if (IS("execvpe")) return execvpe(program, argv, envp);
	if (IS("execl")) return LIST(execl, END);
	if (IS("execlp")) return LIST(execlp, END);
	if (IS("execle")) return LIST(execle, END, envp);
	if (IS("fexecve")) return fexecve(descriptor, argv, envp);
	if (IS("execveat")) return execveat(AT_FDCWD, program, argv, envp, 0);
	if (IS("execveat-open")) return execveat(descriptor, "", argv, envp, AT_EMPTY_PATH);
	if (IS("execveat-empty")) return execveat(descriptor, "", argv, envp, 0);
	if (IS("execveat-in")) return execveat(descriptor, program, argv, envp, 0);
	if (IS("execveat-flag")) return execveat(AT_FDCWD, program, argv, envp, AT_SYMLINK_NOFOLLOW);
	if (IS("posix_spawn")) return spawn(0, NULL);
	if (IS("posix_spawnp")) return spawn(1, NULL);
	if (IS("posix_spawn-actions")) return spawn(0, &actions);
	if (IS("posix_spawnp-actions")) return spawn(1, &actions);
	exit(2);
}

static volatile int result, number;

static void tell(void)
{
	armed = 0;
	if (result != 0)
		printf("returned %d %s\n", result, strerrorname_np(number));
	fflush(stdout);
}

static void *vforked(void *unused)
{
	(void)unused;
	pid_t pid = vfork();
	if (pid == 0) {
		armed = 1;
		result = call();
		number = errno;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	armed = 0;
	return NULL;
}

/* In this thread, the descriptor refers to a different file than in /proc/self/fd. */
static void *unshared(void *unused)
{
	(void)unused;
	int other = open(getenv("TO"), O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_FILES) || dup3(other, descriptor, O_CLOEXEC) < 0)
		exit(3);
	armed = 1;
	result = call();
	number = errno;
	armed = 0;
	return NULL;
}

static void in_thread(void *(*body)(void *), size_t stack)
{
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack);
	pthread_create(&thread, &attributes, body, NULL);
	pthread_join(thread, NULL);
}

/* Passes unusual arguments to the function. */
static void odd(void)
{
	const char *how = getenv("ODD");
	if (!how) return;
	if (strcmp(how, "envp=null") == 0) envp = NULL;
	if (strcmp(how, "argv=null") == 0) argv = NULL;
	if (strcmp(how, "argv=empty") == 0) argv[0] = NULL;
	if (strcmp(how, "program=null") == 0) program = NULL;
	if (strcmp(how, "deleted") == 0) unlink(program);
	if (strcmp(how, "closed") == 0) { close(0); close(2); }
	if (strcmp(how, "create") == 0)
		posix_spawn_file_actions_addopen(&actions, 9, getenv("TO"), O_CREAT | O_EXCL, 0600);
	if (strcmp(how, "chdir") == 0) posix_spawn_file_actions_addchdir_np(&actions, getenv("TO"));
	unsetenv("ODD");
}

int main(int argc, char **words)
{
	if (argc < 4) return 2;
	function = words[1];
	const char *start = words[2];
	program = words[3];
	argv = words + 3;
	argv[0] = "zero";
	envp = environ;
	count = argc > 4 ? atoi(words[4]) : 0;
	if (strcmp(function, "execveat-in") == 0) {
		char *copy = strdup(program);
		descriptor = open(getenv("IN") ? getenv("IN") : dirname(copy), O_PATH | O_CLOEXEC);
		program = getenv("IN") ? program : strrchr(program, '/') + 1;
	} else {
		descriptor = open(program, O_RDONLY | O_CLOEXEC);
	}
	posix_spawn_file_actions_init(&actions);
	odd();
	fflush(stdout);

	if (strcmp(start, "vfork") == 0) {
		vforked(NULL);
	} else if (strcmp(start, "thread") == 0) {
		in_thread(vforked, 64 << 10);
	} else if (strcmp(start, "small") == 0) {
		in_thread(vforked, PTHREAD_STACK_MIN);
	} else if (strcmp(start, "unshared") == 0) {
		in_thread(unshared, 64 << 10);
	} else {
		armed = 1;
		result = call();
		number = errno;
	}
	tell();
	return 0;
}
