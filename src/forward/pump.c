/* SPDX-License-Identifier: Apache-2.0 */
#include "forward/pump.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

#define TICK_MS 10000

int pump_init(struct pump *p)
{
	*p = (struct pump){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return p->epoll < 0 ? -errno : 0;
}

int pump_add(struct pump *p, struct pump_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(p->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

int pump_change(struct pump *p, struct pump_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(p->epoll, EPOLL_CTL_MOD, s->fd, &e) < 0 ? -errno : 0;
}

void pump_remove(struct pump *p, struct pump_source *s)
{
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, s->fd, NULL);
}

int64_t pump_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int pump_run(struct pump *p)
{
	int64_t next = pump_now() + TICK_MS;

	while (!p->stop) {
		struct epoll_event e;
		int n = epoll_wait(p->epoll, &e, 1, p->tick ? TICK_MS : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 1) {
			struct pump_source *s = e.data.ptr;

			s->ready(s, e.events);
		}
		if (p->tick && pump_now() >= next) {
			p->tick(p);
			next = pump_now() + TICK_MS;
		}
	}
	return 0;
}
