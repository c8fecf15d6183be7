/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The v2 freezer where there is a v2 tree (also without controllers): a frozen task there can be
 * killed.  v1's otherwise: FROZEN may have to be written again while tasks fork, and a task in an
 * uninterruptible sleep may hold FREEZING for ever.
 */
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "spec/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_NS (10LL * 1000 * 1000 * 1000)

static void nap(int64_t ns)
{
	struct timespec t = {.tv_nsec = (long)ns};

	nanosleep(&t, NULL);
}

/* cgroup.events wakes its pollers (POLLPRI) at each change. */
static int wait_v2(int dir, bool want, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS;
	int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC), r = 0;
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	uint64_t frozen = 0;
	char byte[256];

	if (fd < 0)
		return err_sys(e, "cgroup: cgroup.events");
	for (;;) {
		/* Reading through fd itself arms the poll; the value is looked up after it. */
		if (pread(fd, byte, sizeof(byte), 0) < 0 ||
		    cgroup_file_key(dir, "cgroup.events", "frozen", &frozen) < 0) {
			r = err_set(e, ERR_UNSUPPORTED, "cgroup: this kernel cannot freeze (5.2)");
			break;
		}
		if ((frozen != 0) == want)
			break;
		if (trace_now_ns() > end) {
			r = err_set(e, ERR_TIMEOUT, "cgroup: a task does not %s",
				    want ? "freeze" : "thaw");
			break;
		}
		poll(&p, 1, 100);
	}
	close(fd);
	return r;
}

static int freeze_v2(int dir, bool frozen, struct err *e)
{
	int r = cgroup_file_put(dir, "cgroup.freeze", e, "%d", frozen);

	if (r < 0)
		return r;
	r = wait_v2(dir, frozen, e);
	if (r < 0 && frozen)
		cgroup_file_put(dir, "cgroup.freeze", NULL, "0");
	return r;
}

static int freeze_v1(int dir, bool frozen, struct err *e)
{
	const char *want = frozen ? "FROZEN" : "THAWED";
	int64_t end = trace_now_ns() + LIMIT_NS, step = 20 * 1000;
	char state[32] = "";

	for (int i = 0;; i++) {
		int r = cgroup_file_put(dir, "freezer.state", e, "%s", want);

		if (r < 0)
			return r;
		if (cgroup_file_read(dir, "freezer.state", state, sizeof(state)) < 0)
			return err_set(e, ERR_CORRUPT, "cgroup: freezer.state cannot be read");
		if (streq(state, want))
			return 0;
		if (trace_now_ns() > end)
			break;
		/* A stuck FREEZING often goes on after a short thaw (a vfork waiting for a frozen
		 * child). */
		if (frozen && i % 50 == 49) {
			cgroup_file_put(dir, "freezer.state", NULL, "THAWED");
			nap(1000 * 1000);
		}
		nap(step);
		step = step < 5 * 1000 * 1000 ? step * 2 : step;
	}
	cgroup_file_put(dir, "freezer.state", NULL, "THAWED");
	return err_set(e, ERR_TIMEOUT, "cgroup: a task does not %s", frozen ? "freeze" : "thaw");
}

int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e)
{
	int v1 = cg->of[CGROUP_FREEZER];

	cgroup_systemd_settle(cg);
	if (cg->unified >= 0)
		return freeze_v2(cg->place[cg->unified].fd, frozen, e);
	if (v1 >= 0)
		return freeze_v1(cg->place[v1].fd, frozen, e);
	return err_set(e, ERR_UNSUPPORTED, "cgroup: no freezer here%s",
		       cg->denied ? " (this user may not make cgroups)" : "");
}

int cgroup_freeze_state(const struct cgroup *cg, bool *frozen, struct err *e)
{
	int v1 = cg->of[CGROUP_FREEZER];
	uint64_t v = 0;
	char state[32];

	*frozen = false;
	if (cg->unified >= 0 &&
	    cgroup_file_key(cg->place[cg->unified].fd, "cgroup.events", "frozen", &v) == 0)
		*frozen = v != 0;
	/* Somebody else may have used v1's, or frozen a parent. */
	if (v1 >= 0 &&
	    cgroup_file_read(cg->place[v1].fd, "freezer.state", state, sizeof(state)) > 0)
		*frozen = *frozen || !streq(state, "THAWED");
	return 0;
}
