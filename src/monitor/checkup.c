/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/checkup.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/err.h"
#include "fmt/timestamp.h"
#include "monitor/server.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define REPORT_MAX (256u << 10)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void arm(struct checkup *c, struct watch *w, int64_t ns,
		void (*due)(struct watch *, uint32_t))
{
	struct itimerspec t = {.it_value = {ns / 1000000000, ns % 1000000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	loop_drop(w);
	if (fd < 0)
		return;
	if (timerfd_settime(fd, 0, &t, NULL) < 0 ||
	    loop_watch(&c->server->loop, w, fd, EPOLLIN, due) < 0)
		fd_close(fd);
}

void checkup_init(struct checkup *c, struct server *s, const struct plan *p)
{
	const struct health *h = p->caisson->health;

	*c = CHECKUP_INIT;
	c->server = s;
	if (!h || !health_wanted(h))
		return;
	c->config = *h;
	c->config.test = (struct strs){0};
	for (size_t i = 0; i < h->test.n; i++)
		arena_strs_add(&c->arena, &c->config.test, arena_dup(&c->arena, h->test.v[i]));
	health_defaults(&c->config);
	if (p->caisson->unhealthy)
		c->unhealthy = streq(p->caisson->unhealthy, "kill")   ? CHECKUP_KILL
			       : streq(p->caisson->unhealthy, "stop") ? CHECKUP_STOP
								      : CHECKUP_LEAVE;
}

/* ---- health.json ---- */

static const char *stamp(int64_t ns, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(64);

	timestamp_print(ns, &b);
	return arena_dupn(a, b.p, b.len);
}

static void write_report(struct checkup *c)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(REPORT_MAX);
	struct health_result results[HEALTH_LOG];
	struct health_report r = {.status = (int)c->status, .failing_streak = c->streak};

	for (size_t i = 0; i < c->log_n; i++)
		results[i] = (struct health_result){.start = stamp(c->log[i].start_ns, &a),
						    .end = stamp(c->log[i].end_ns, &a),
						    .exit_code = c->log[i].code,
						    .output = c->log[i].output};
	r.log.v = results;
	r.log.n = c->log_n;
	jbind_write(&health_report_table, &r, &b);
	if (!b.failed)
		file_replace(c->server->state_fd, "health.json", b.p, b.len, 0600, FILE_LAZY);
}

/* ---- results ---- */

static void check_due(struct watch *w, uint32_t events);

static bool in_start_period(const struct checkup *c)
{
	return c->status == HEALTH_STARTING && now_ns() - c->began_ns < c->config.start_period_ns;
}

static void next(struct checkup *c)
{
	arm(c, &c->timer, in_start_period(c) ? c->config.start_interval_ns : c->config.interval_ns,
	    check_due);
}

static void become(struct checkup *c, enum health_status status)
{
	char action[48];

	if (c->status == status)
		return;
	c->status = status;
	snprintf(action, sizeof(action), "health_status: %s", health_status_names[status]);
	teller_event(&c->server->teller, action, NULL, NULL);
}

/* Its end comes later, by the loop. */
static void unhealthy(struct checkup *c)
{
	struct server *s = c->server;
	bool news = c->status != HEALTH_UNHEALTHY;

	become(c, HEALTH_UNHEALTHY);
	if (news && c->unhealthy == CHECKUP_KILL)
		s->ops->kill(s, NULL);
	if (news && c->unhealthy == CHECKUP_STOP) {
		s->stop_asked = true;
		server_stop(s, s->stop_number, s->stop_timeout_ms, NULL);
	}
}

static void judge(struct checkup *c, int64_t code)
{
	if (code == 0) {
		c->streak = 0;
		become(c, HEALTH_HEALTHY);
	} else if (!in_start_period(c)) {
		c->streak++;
		if (c->streak >= c->config.retries)
			unhealthy(c);
	}
}

static void keep(struct checkup *c, int64_t code, const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (!copy)
		abort();
	if (c->log_n == HEALTH_LOG) {
		free(c->log[0].output);
		memmove(c->log, c->log + 1, (HEALTH_LOG - 1) * sizeof(*c->log));
		c->log_n--;
	}
	c->log[c->log_n++] = (struct checkup_result){c->probe_ns, now_ns(), code, copy};
}

static void result(struct checkup *c, int64_t code, const char *text, size_t len)
{
	loop_drop(&c->limit);
	judge(c, code);
	keep(c, code, text, len);
	free(c->output);
	c->output = NULL;
	c->output_len = 0;
	c->probe = NULL;
	write_report(c);
	next(c);
}

void checkup_output(struct checkup *c, const char *data, size_t len)
{
	size_t room = HEALTH_OUTPUT - c->output_len;

	if (!c->output && !(c->output = malloc(HEALTH_OUTPUT)))
		abort();
	len = len < room ? len : room;
	memcpy(c->output + c->output_len, data, len);
	c->output_len += len;
}

void checkup_ended(struct checkup *c, int status)
{
	char text[80];

	if (c->late) {
		int n = snprintf(text, sizeof(text), "Health check exceeded timeout (%g s)",
				 (double)c->config.timeout_ns / 1e9);

		result(c, -1, text, (size_t)n);
		return;
	}
	result(c, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
	       c->output ? c->output : "", c->output_len);
}

void checkup_failed(struct checkup *c, const struct err *why)
{
	result(c, -1, why->msg, strlen(why->msg));
}

/* ---- the process ---- */

static void limit_due(struct watch *w, uint32_t events)
{
	struct checkup *c = loop_owner(w, struct checkup, limit);

	loop_drop(w);
	c->late = true;
	if (c->probe)
		c->server->ops->deliver(c->server, c->probe, SIGKILL, NULL);
}

static int start_probe(struct checkup *c, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct server *s = c->server;
	struct plan *p;
	int r = server_plan(s, &a, &p, e);

	if (r < 0)
		return r;
	p->process->args = health_command(&c->config, &a);
	p->process->terminal = false;
	c->probe = server_new_proc(s, false, false);
	r = s->ops->exec(s, c->probe, p->process, e);
	if (r < 0) {
		server_drop_proc(c->probe);
		c->probe = NULL;
	}
	return r;
}

static void check_due(struct watch *w, uint32_t events)
{
	struct checkup *c = loop_owner(w, struct checkup, timer);
	struct err e = ERR_INIT;

	loop_drop(w);
	/* Nobody in a frozen instance can answer; that is not its illness. */
	if (c->server->frozen || c->server->ended) {
		next(c);
		return;
	}
	c->probe_ns = now_ns();
	c->late = false;
	if (start_probe(c, &e) < 0)
		checkup_failed(c, &e);
	else
		arm(c, &c->limit, c->config.timeout_ns, limit_due);
}

void checkup_begin(struct checkup *c)
{
	if (!c->config.test.n) {
		/* Of an earlier run with another configuration. */
		unlinkat(c->server->state_fd, "health.json", 0);
		return;
	}
	c->began_ns = now_ns();
	c->status = HEALTH_STARTING;
	write_report(c);
	next(c);
}

void checkup_end(struct checkup *c)
{
	loop_drop(&c->timer);
	loop_drop(&c->limit);
	for (size_t i = 0; i < c->log_n; i++)
		free(c->log[i].output);
	free(c->output);
	arena_free(&c->arena);
	*c = CHECKUP_INIT;
}
