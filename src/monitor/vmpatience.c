/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/vmpatience.h"
#include "base/err.h"
#include "monitor/client.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define ANSWER_TIMEOUT_S 120 /* an agent that serves others answers at once */

/* A frozen guest cannot answer; its time begins again with the next look. */
static void give_up(struct machine *m)
{
	struct server *s = m->server;
	const int64_t now = trace_now_ns();
	struct err why = ERR_INIT;

	err_set(&why, ERR_TIMEOUT, "the guest did not answer in %d s", ANSWER_TIMEOUT_S);
	for (struct proc *p = s->procs, *next; p; p = next) {
		struct gate *g = gate_of(p);

		next = p->next;
		if (!g || !g->until_ns || g->until_ns > now)
			continue;
		g->until_ns = 0;
		server_failed(p, &why);
	}
	for (struct asked **l = &m->asked; *l;) {
		struct asked *q = *l;

		if (q->until_ns > now ||
		    q->type == WIRE_HOLD) { /* that one has a limit of its own */
			l = &q->next;
			continue;
		}
		*l = q->next;
		m->asked_count--;
		client_refuse(s, &q->who, &why);
		free(q);
	}
}

static void patience_ready(struct watch *w, uint32_t events)
{
	struct machine *m = loop_owner(w, struct machine, patience);

	loop_drop(w);
	if (!m->server->frozen)
		give_up(m);
	vmpatience_set(m);
}

static bool awaits(const struct machine *m)
{
	for (struct proc *p = m->server->procs; p; p = p->next)
		if (gate_of(p) && gate_of(p)->until_ns)
			return true;
	return m->asked != NULL;
}

void vmpatience_set(struct machine *m)
{
	const struct itimerspec t = {.it_value = {.tv_sec = ANSWER_TIMEOUT_S / 4}};
	int fd;

	if (m->patience.fd >= 0 || !awaits(m))
		return;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (fd < 0)
		return;
	timerfd_settime(fd, 0, &t, NULL);
	if (loop_watch(&m->server->loop, &m->patience, fd, EPOLLIN, patience_ready) < 0)
		fd_close(fd);
}

int64_t vmpatience_until(void)
{
	return trace_now_ns() + (int64_t)ANSWER_TIMEOUT_S * 1000000000;
}
