/* SPDX-License-Identifier: Apache-2.0 */
/*
 * published - a web server behind a published port.
 *
 * One instance of each subject is started, and all stay: then rounds ask each in random order, one
 * request after the other for the time of one, and by 16 connections for the number a second.
 */
#include "base/err.h"
#include "compare/compare_int.h"
#include "compare/httpload.h"
#include "compare/live.h"
#include "compare/stats.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_SHARE   0.68 /* of the whole time */
#define ROUNDS_MIN  3
#define ROUNDS_MAX  20
#define ONE_BY_ONE  40
#define CONNECTIONS 16
#define RATE_NS	    150000000

struct server {
	struct live live;
	uint16_t port;
	bool up;
};

/* A port that nobody has now. */
static unsigned int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned int port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &len) == 0)
		port = ntohs(a.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static int start(struct compare *c, enum report_subject s, struct server *v, struct err *e)
{
	struct subject *u = &c->subjects[s];
	bool host = u->kind == SUBJECT_HOST;
	char line[LIVE_TEXT], command[32];
	unsigned int port;
	struct strs argv;
	int r;

	u->port = host ? 0 : free_port();
	r = subject_enter(c, s, e);
	argv = subject_work(c, s, e);
	if (r == 0)
		r = live_open(&v->live, argv.v, u->env, COMPARE_START_NS, e);
	snprintf(command, sizeof(command), "http %d", host ? 0 : COMPARE_PORT);
	if (r == 0)
		r = live_ask(&v->live, command, COMPARE_START_NS, line, sizeof(line), e);
	if (r == 0 && sscanf(line, "http %u", &port) != 1)
		r = err_set(e, ERR_SYSTEM, "the web server does not start: %s", line);
	if (r == 0) {
		v->port = (uint16_t)(host ? port : u->port);
		r = httpload_wait(v->port, e);
	}
	u->port = 0;
	v->up = r == 0;
	return r;
}

static void stop(struct compare *c, enum report_subject s, struct server *v)
{
	live_close(&v->live);
	subject_settle(c, s);
	subject_leave(c, s);
}

static const char *lacks(enum report_subject s)
{
	return s == REPORT_CRUN	  ? "crun publishes no ports"
	       : s == REPORT_QEMU ? "plain QEMU publishes no ports"
	       : s == REPORT_COLD ? "once it has booted it is as vm"
				  : NULL;
}

static void start_all(struct compare *c, struct server *v)
{
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_ && !compare_interrupted(); s++) {
		const struct subject *u = &c->subjects[s];
		struct err e = ERR_INIT;
		int r;

		v[s].live = LIVE_INIT;
		if (u->off)
			continue;
		if (lacks((enum report_subject)s)) {
			r = err_set(&e, ERR_UNSUPPORTED, "%s", lacks((enum report_subject)s));
		} else {
			r = start(c, (enum report_subject)s, &v[s], NULL);
			/* Another may have taken the port meanwhile. */
			if (r < 0 && !compare_interrupted()) {
				stop(c, (enum report_subject)s, &v[s]);
				r = start(c, (enum report_subject)s, &v[s], &e);
			}
		}
		if (r < 0) {
			report_missing(c->report, REPORT_REQUEST, (enum report_subject)s, e.msg);
			report_missing(c->report, REPORT_REQUESTS, (enum report_subject)s, e.msg);
		}
	}
}

static void ask(struct compare *c, enum report_subject s, struct server *v)
{
	double one[ONE_BY_ONE];
	struct err e = ERR_INIT;
	struct stats t;
	double rate = 0;
	int r = httpload_times(v->port, one, ONE_BY_ONE, &e);

	if (r == 0)
		r = httpload_rate(v->port, CONNECTIONS, RATE_NS, &rate, &e);
	if (r < 0) {
		report_missing(c->report, REPORT_REQUEST, s, e.msg);
		report_missing(c->report, REPORT_REQUESTS, s, e.msg);
		v->up = false;
		return;
	}
	stats_of(one, ONE_BY_ONE, &t);
	report_add(c->report, REPORT_REQUEST, s, t.median);
	report_add(c->report, REPORT_REQUESTS, s, rate);
}

void published_all(struct compare *c)
{
	struct server v[REPORT_SUBJECT_MAX_] = {0};
	int64_t end = c->begin_ns + (int64_t)(END_SHARE * (double)(c->end_ns - c->begin_ns));

	compare_progress(c, "published ports");
	start_all(c, v);
	for (int n = 0;
	     n < ROUNDS_MAX && !compare_interrupted() && (n < ROUNDS_MIN || trace_now_ns() < end);
	     n++) {
		unsigned int first = 0;

		if (getrandom(&first, sizeof(first), 0) != sizeof(first))
			first = 0;
		for (unsigned int i = 0; i < REPORT_SUBJECT_MAX_; i++) {
			unsigned int s = (first % REPORT_SUBJECT_MAX_ + i) % REPORT_SUBJECT_MAX_;

			if (v[s].up && !compare_interrupted())
				ask(c, (enum report_subject)s, &v[s]);
		}
	}
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (v[s].live.pid > 0)
			stop(c, (enum report_subject)s, &v[s]);
}
