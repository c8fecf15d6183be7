/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/godown.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/session.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Between two runs of an instance no monitor lives; the next round finds its next one. */
#define ROUNDS 20

struct godown {
	struct session *s;
	int alive;
	bool failed;
	struct err *e; /* of the first that could not be told; the others are, all the same */
};

/* SIGTERM, which a monitor takes for the end of the host.  Who listens on its socket is the
 * monitor, and while the connection stands its pid is nobody else's. */
static int tell(int run_fd, const char *id, struct err *e)
{
	struct ucred u;
	socklen_t len = sizeof(u);
	struct pollfd p = {.events = POLLRDHUP};
	auto_fd int conn = -1, pidfd = -1;
	char name[96];

	snprintf(name, sizeof(name), "instances/%.64s/ctl", id);
	conn = sock_connect(run_fd, name);
	/* Not listening yet, or no more: the next round sees. */
	if (conn == -ENOENT || conn == -ECONNREFUSED)
		return 0;
	if (conn < 0)
		return err_set(e, ERR_SYSTEM, "monitor of %.12s: %s", id, strerror(-conn));
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0 || u.pid <= 0)
		return err_set(e, ERR_SYSTEM, "monitor of %.12s: its pid is not known here", id);
	pidfd = (int)syscall(SYS_pidfd_open, u.pid, 0);
	p.fd = conn;
	if (pidfd < 0 || poll(&p, 1, 0) != 0)
		return 0;
	return syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH
		   ? err_sys(e, "monitor of %.12s", id)
		   : 0;
}

static int tell_one(const char *id, void *arg)
{
	struct godown *g = arg;
	/* Who is just starting it holds the lock until its monitor lives. */
	auto_fd int dir = instance_lock(store_root_fd(g->s->store), id, NULL);

	if (!instance_alive(store_run_fd(g->s->store), id))
		return 0;
	g->alive++;
	if (tell(store_run_fd(g->s->store), id, g->failed ? NULL : g->e) < 0)
		g->failed = true;
	return 0;
}

static int await_one(const char *id, void *arg)
{
	struct godown *g = arg;

	instance_run_wait(store_run_fd(g->s->store), id, NULL);
	return 0;
}

int godown_all(struct session *s, struct err *e)
{
	struct godown g = {.s = s, .e = e};
	struct store *store;
	int r = session_store(s, &store, e);

	for (int n = 0; r == 0 && n < ROUNDS; n++) {
		g.alive = 0;
		r = instance_each(store_root_fd(store), tell_one, &g, e);
		/* Waiting for one that was not told would have no end. */
		if (r == 0 && g.failed)
			r = -EIO;
		if (r < 0 || !g.alive)
			return r;
		r = instance_each(store_root_fd(store), await_one, &g, e);
	}
	return r < 0 ? r : err_set(e, ERR_TIMEOUT, "instances are started again and again");
}
