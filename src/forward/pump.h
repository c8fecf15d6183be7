/* SPDX-License-Identifier: Apache-2.0 */
/* pump - the forwarder's poll loop.  One thread; a source is embedded in what it belongs to. */
#ifndef FORWARD_PUMP_H
#define FORWARD_PUMP_H

#include <stdbool.h>
#include <stdint.h>

struct pump_source {
	int fd;
	void (*ready)(struct pump_source *s, uint32_t events);
};
#define pump_owner(s, type, member)                                                                \
	((type *)(void *)((char *)(s) - __builtin_offsetof(type, member)))

struct pump {
	int epoll;
	bool stop;
	void (*tick)(struct pump *p); /* about every ten seconds; may be NULL */
};

int pump_init(struct pump *p);
/* events: EPOLLIN, EPOLLOUT, EPOLLET, ...  0 or -errno. */
int pump_add(struct pump *p, struct pump_source *s, uint32_t events);
int pump_change(struct pump *p, struct pump_source *s, uint32_t events);
void pump_remove(struct pump *p, struct pump_source *s);
/* Until .stop.  One event is taken per turn, so that a callback may free any source. */
int pump_run(struct pump *p);

/* Milliseconds of the monotonic clock. */
int64_t pump_now(void);

#endif
