/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals to all.  SIGKILL by cgroup.kill (Linux 5.14) is atomic against fork.  Elsewhere: freeze,
 * signal everybody, thaw, and look again, because on v1 a task that forks during FREEZING leaves a
 * child; and always thaw, because a frozen v1 task does not die.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 32

static bool still_in(int dir, pid_t pid)
{
	struct cgroup_pid_list l = {0};
	bool in = false;

	if (cgroup_pids_below(dir, &l, 0) == 0)
		for (size_t i = 0; i < l.n && !in; i++)
			in = l.v[i] == pid;
	free(l.v);
	return in;
}

/* The number may belong to a stranger by now: hold the process first, then see that it is ours. */
static int signal_one(int dir, pid_t pid, int sig)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return errno == ESRCH || errno == EINVAL ? 0 : -errno;
	if (!still_in(dir, pid))
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 && errno != ESRCH)
		return -errno;
	return 0;
}

static int signal_all(int dir, int sig, size_t *count)
{
	struct cgroup_pid_list l = {0};
	int r = cgroup_pids_below(dir, &l, 0), bad = 0;

	*count = l.n;
	for (size_t i = 0; i < l.n; i++) {
		r = signal_one(dir, l.v[i], sig);
		bad = r < 0 ? r : bad;
	}
	free(l.v);
	return r < 0 ? r : bad;
}

static void thaw(const struct cgroup *cg)
{
	int v1 = cg->of[CGROUP_FREEZER];

	if (cg->unified >= 0)
		cgroup_file_put(cg->place[cg->unified].fd, "cgroup.freeze", NULL, "0");
	if (v1 >= 0)
		cgroup_file_put(cg->place[v1].fd, "freezer.state", NULL, "THAWED");
}

/* v1: everybody who runs at this moment stops; what is FREEZING stops soon.  Not waited for. */
static void stop_forks(const struct cgroup *cg)
{
	int v1 = cg->of[CGROUP_FREEZER];

	if (v1 >= 0)
		cgroup_file_put(cg->place[v1].fd, "freezer.state", NULL, "FROZEN");
}

static int kill_by_hand(const struct cgroup *cg, int dir)
{
	size_t count = 1;
	int r = 0;

	for (int round = 0; round < ROUNDS && count > 0; round++) {
		struct timespec t = {.tv_nsec = 200 * 1000};

		/* One process alone needs no stopping; a signal pending on it is its last act. */
		if (round > 0)
			stop_forks(cg);
		r = signal_all(dir, SIGKILL, &count);
		/* The last thaw is the caller's: a second one was three calls of every delete. */
		if (count > 0) {
			thaw(cg);
			nanosleep(&t, NULL);
		}
	}
	return r;
}

int cgroup_kill(struct cgroup *cg, int sig, struct err *e)
{
	int at = cgroup_pids_place(cg), r;
	size_t count;

	cgroup_systemd_settle(cg);
	if (at < 0)
		return 0;
	if (sig != SIGKILL) {
		r = signal_all(cg->place[at].fd, sig, &count);
	} else {
		r = cg->unified >= 0 ? file_put(cg->place[cg->unified].fd, "cgroup.kill", "1")
				     : -ENOENT;
		/* ENOENT: before 5.14.  EOPNOTSUPP: a threaded cgroup. */
		if (r == -ENOENT || r == -EOPNOTSUPP)
			r = kill_by_hand(cg, cg->place[at].fd);
		thaw(cg);
	}
	if (r >= 0 || r == -ENODEV)
		return 0;
	errno = -r;
	return err_sys(e, "cgroup: signal %d to %s/%s", sig, cg->place[at].mount,
		       cg->place[at].path);
}
