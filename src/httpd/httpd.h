/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd - an HTTP/1.1 server on listening sockets: every connection is a process of its own.
 *
 * Theory: the parent only accepts, counts and reaps (poll over the listening sockets, the pidfds of
 * its children and a signalfd); it reads no byte that a client sent.  The child runs one request
 * after the other through `handle`, which may block as long as it likes: wait for an instance,
 * stream a log, become the two ends of a terminal (exchange_hijack).  What a request breaks, it
 * breaks for its own connection.  Cost: one fork for a connection, 0.2 to 0.5 ms.
 * Why not threads or one loop: docs/decisions/0014-http-server-of-our-own.md.
 */
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

#include <stddef.h>
#include <sys/types.h>

struct err;
struct exchange;

struct httpd_opts {
	const int *listen; /* borrowed: unix or TCP stream sockets that listen */
	size_t nlisten;
	/* One request to its answer (httpd/exchange.h).  What it returns < 0 with *e before the
	 * answer began is answered by `fail`; after that the connection is cut off, so that the
	 * client sees that something is missing. */
	int (*handle)(struct exchange *x, void *arg, struct err *e);
	/* Answers with an error, also for requests that could not be read (their x->request is
	 * empty).  NULL: the message as text. */
	void (*fail)(struct exchange *x, const struct err *why, void *arg);
	/* From now on SIGTERM ends it properly: the time to say that it is there.  May be NULL. */
	void (*ready)(void *arg);
	/* First of all, in the process of a connection that was accepted: what is to be read and
	 * written in its place, < 0 for nothing.  *relay, when it is set, is a child that is waited
	 * for at the end, behind the descriptor that it returned.  NULL: fd itself. */
	int (*enter)(int fd, void *arg, pid_t *relay);
	void *arg;
	/* At once; 0: 128.  When more come, the longest of those that ask nothing is cut off; when
	 * all are busy, who comes waits. */
	unsigned int connections_max;
	/* Seconds; 0: the default.  A head must be whole after head_seconds (30) and its connection
	 * idle no longer than idle_seconds (120); stall_seconds (60) is how long a client may take
	 * to send or take anything more of a body, -1: for ever. */
	int head_seconds, idle_seconds, stall_seconds;
	int leave_seconds; /* end when nobody was there for so long; 0: never */
};

/* Until SIGTERM or SIGINT (0), or leave_seconds.  Signals of that time are taken from the process;
 * children have the mask from before. */
int httpd_run(const struct httpd_opts *o, struct err *e);

/* Listen on "ADDRESS:PORT" (an IP address; IPv6 in brackets; port 0: a free one).  Writes what it
 * became to bound.  loopback_only: any other address is ERR_USAGE.  Returns the socket. */
#define HTTPD_ADDRESS_MAX 64
int httpd_listen(const char *address, int loopback_only, char bound[HTTPD_ADDRESS_MAX],
		 struct err *e);

#endif
