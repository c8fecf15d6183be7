/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/child.h"
#include "base/auto.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 32

static void default_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First every source moves above every target, so that no dup2() tramples one still needed. */
static int place(const struct child_opts *o, int *report)
{
	int moved[FDS_MAX], top = 3, null;

	for (size_t i = 0; i < o->nfds; i++)
		top = o->fds[i].to >= top ? o->fds[i].to + 1 : top;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	null = fcntl(null, F_DUPFD_CLOEXEC, top);
	*report = fcntl(*report, F_DUPFD_CLOEXEC, top);
	if (null < 0 || *report < 0)
		return -errno;
	for (size_t i = 0; i < o->nfds; i++) {
		int from = o->fds[i].from;

		moved[i] = from < 0 ? null : fcntl(from, F_DUPFD_CLOEXEC, top);
		if (moved[i] < 0)
			return -errno;
	}
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	for (size_t i = 0; i < o->nfds; i++)
		if (dup2(moved[i], o->fds[i].to) < 0)
			return -errno;
	return 0;
}

static int enter(const char *mount_ns)
{
	auto_fd int fd = mount_ns ? open(mount_ns, O_RDONLY | O_CLOEXEC) : -1;

	if (mount_ns && (fd < 0 || setns(fd, CLONE_NEWNS) < 0))
		return -errno;
	return 0;
}

static void become(const struct child_opts *o, pid_t parent, int report)
{
	static const char *const empty[] = {NULL};
	union {
		const char *const *in;
		char *const *out;
	} argv = {.in = o->argv}, env = {.in = o->env ? o->env : empty};
	int r;

	default_signals();
	r = enter(o->mount_ns);
	if (r >= 0)
		r = fd_cloexec_from(3);
	if (r >= 0)
		r = place(o, &report);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (r >= 0) {
		execve(o->path, argv.out, env.out);
		r = -errno;
	}
	if (write(report, &r, sizeof(r)) != sizeof(r))
		_exit(126);
	_exit(127);
}

pid_t child_start(const struct child_opts *o)
{
	auto_fd int rd = -1;
	auto_fd int wr = -1;
	pid_t self = getpid(), pid;
	int p[2], why;

	if (o->nfds > FDS_MAX)
		return -E2BIG;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	rd = p[0];
	wr = p[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(o, self, wr);
	close(take_fd(&wr));
	if (fd_read_full(rd, &why, sizeof(why)) == sizeof(why)) {
		child_wait(pid, NULL);
		return why;
	}
	return pid;
}

int child_wait(pid_t pid, int *status)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status)
		*status = st;
	return 0;
}

void child_kill(pid_t pid)
{
	int saved = errno;

	if (pid > 0) {
		kill(pid, SIGKILL);
		child_wait(pid, NULL);
	}
	errno = saved;
}

int child_find(const char *name, const char *path, char *out, size_t size)
{
	for (const char *p = path ? path : ""; *p;) {
		size_t n = strcspn(p, ":");
		int len = snprintf(out, size, "%.*s/%s", (int)n, p, name);

		if (*p == '/' && len > 0 && (size_t)len < size && access(out, X_OK) == 0)
			return 0;
		p += n + (p[n] == ':');
	}
	return -ENOENT;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* Read to the end of file; the writer has until then. */
static ssize_t read_until(int fd, size_t max, int64_t until, char *out)
{
	size_t have = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until - now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		/* One byte more than may be tells that there is more. */
		n = read(fd, out + have, max + 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : (ssize_t)have;
		have += (size_t)n;
		if (have > max)
			return -EFBIG;
	}
}

ssize_t child_talk(const struct child_opts *o, const struct child_talk *t, char **out, int *status)
{
	auto_fd int in = fd_sealed("stdin", t->in, t->in_len);
	auto_free char *text = calloc(1, t->max + 2);
	int64_t until = now_ms() + t->ms;
	struct child_opts own = *o;
	auto_fd int rd = -1;
	auto_fd int wr = -1;
	ssize_t n;
	pid_t pid;
	int p[2];

	if (!text)
		abort();
	if (in < 0)
		return in;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	rd = p[0];
	wr = p[1];
	own.fds = (const struct child_fd[]){{in, 0}, {wr, 1}};
	own.nfds = 2;
	pid = child_start(&own);
	if (pid < 0)
		return pid;
	close(take_fd(&wr));
	n = read_until(rd, t->max, until, text);
	if (n < 0) {
		child_kill(pid);
		return n;
	}
	/* It has closed its stdout; that it also ends is part of the bargain. */
	for (pid_t got = 0; got == 0;) {
		got = waitpid(pid, status, WNOHANG);
		if (got == 0 && now_ms() > until) {
			child_kill(pid);
			return -ETIMEDOUT;
		}
		if (got == 0)
			poll(NULL, 0, 2);
		if (got < 0 && errno != EINTR)
			return -errno;
	}
	text[n] = '\0';
	*out = take_ptr(&text);
	return n;
}

const char *const *child_environ(void)
{
	return (const char *const *)environ;
}
