/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/detach.h"
#include "base/auto.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct words {
	char *const *argv, *const *env;
};

static struct words words(const struct detach_opts *o)
{
	static char *const nothing[] = {NULL};
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = o->argv};

	return (struct words){u.out, nothing};
}

/* Shares our memory until it is the program: no page table is copied. */
static pid_t spawn(const struct detach_opts *o)
{
	struct words w = words(o);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	/* Duplicated onto itself: for posix_spawn() that is how a descriptor loses close-on-exec.
	 */
	for (size_t i = 0; i < o->nkeep; i++)
		posix_spawn_file_actions_adddup2(&files, o->keep[i], o->keep[i]);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
					    POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawn(&pid, o->path, &files, &attr, w.argv, w.env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r ? -r : pid;
}

static int become(const struct detach_opts *o)
{
	struct words w = words(o);
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	setsid();
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return -errno;
	if (chdir("/") < 0)
		return -errno;
	for (size_t i = 0; i < o->nkeep; i++)
		if (fcntl(o->keep[i], F_SETFD, 0) < 0)
			return -errno;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(o->path, w.argv, w.env);
	return -errno;
}

/* posix_spawn() of glibc knows cgroups from 2.39 on.  -errno of the clone itself: *made is false.
 */
static pid_t clone_into(const struct detach_opts *o, bool *made)
{
	struct clone_args a = {.flags = CLONE_INTO_CGROUP,
			       .exit_signal = SIGCHLD,
			       .cgroup = (uint64_t)(unsigned int)o->cgroup};
	auto_fd int rd = -1;
	auto_fd int wr = -1;
	int p[2], why;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	rd = p[0];
	wr = p[1];
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	*made = pid >= 0;
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		why = become(o);
		if (write(wr, &why, sizeof(why)) != sizeof(why))
			_exit(126);
		_exit(127);
	}
	close(take_fd(&wr));
	if (fd_read_full(rd, &why, sizeof(why)) != sizeof(why))
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return why;
}

pid_t detach_start(const struct detach_opts *o)
{
	bool made = false;
	pid_t pid = o->cgroup < 0 ? -ENOENT : clone_into(o, &made);

	/* The directory may be gone, or not be ours to enter: then where we are. */
	return made ? pid : spawn(o);
}
