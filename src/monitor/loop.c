/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/loop.h"
#include "base/err.h"
#include "sys/fd.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return l->epoll < 0 ? err_sys(e, "epoll") : 0;
}

void loop_done(struct loop *l)
{
	fd_close(l->epoll);
	l->epoll = -1;
}

int loop_run(struct loop *l, struct err *e)
{
	while (!l->stop) {
		struct epoll_event ev;
		struct watch *w;
		int n = epoll_wait(l->epoll, &ev, 1, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "epoll");
		w = ev.data.ptr;
		w->ready(w, ev.events);
	}
	return 0;
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
	       void (*ready)(struct watch *, uint32_t))
{
	struct epoll_event ev = {.events = events, .data.ptr = w};
	int r = fd_set_nonblock(fd, 1);

	*w = (struct watch){.fd = fd, .events = events, .ready = ready, .loop = l};
	if (r < 0)
		return r;
	if (events && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	return 0;
}

void loop_want(struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};
	int op = !w->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (w->fd < 0 || w->events == events)
		return;
	w->events = events;
	/* The descriptor is registered or not as .events says, so none of these can fail but for
	 * memory, and then the next event on it is lost: the kernel's limit, not ours. */
	epoll_ctl(w->loop->epoll, op, w->fd, &ev);
}

void loop_drop(struct watch *w)
{
	if (w->fd < 0)
		return;
	/* Explicitly: a copy of the descriptor in a child would keep the registration alive. */
	loop_want(w, 0);
	fd_close(w->fd);
	w->fd = -1;
}
