/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubeprobe.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"

#include <stdlib.h>

#define SECOND 1000000000LL

/* Kubernetes' defaults. */
#define PERIOD_S  10
#define TIMEOUT_S 1
#define FAILURES  3

/* As one word of a shell. */
static void word(struct buf *b, const char *s)
{
	buf_puts(b, b->len ? " '" : "'");
	for (; *s; s++)
		if (*s == '\'')
			buf_puts(b, "'\\''");
		else
			buf_add(b, s, 1);
	buf_puts(b, "'");
}

/* A number, or the name of one of the container's ports. */
static int port_of(const struct kubemap *m, const struct kubespec_container *c, const char *json,
		   long long *out, struct err *e)
{
	const char *name = json && *json == '"' ? json + 1 : NULL;
	char *end = NULL;

	*out = json && !name ? strtoll(json, &end, 10) : 0;
	for (size_t i = 0; name && i < c->ports.n; i++) {
		const char *have = c->ports.v[i].name;

		if (have && strlen(have) + 1 == strlen(name) &&
		    strncmp(have, name, strlen(have)) == 0)
			*out = c->ports.v[i].container_port;
	}
	if ((end && *end) || *out < 1 || *out > 65535)
		return err_set(e, ERR_USAGE,
			       "pod %s: container '%s': a probe's port is a number or the name of "
			       "one of its ports, not %.40s",
			       m->name, c->name, json ? json : "''");
	return 0;
}

/* The image has to bring what asks: wget or curl, nc, and a shell. */
static int shell_command(const struct kubemap *m, const struct kubespec_container *c,
			 const struct kubespec_probe *p, struct buf *b, struct err *e)
{
	auto_buf struct buf url = BUF_INIT(8192);
	const char *host = p->http ? p->http->host : p->tcp->host;
	bool tls = p->http && p->http->scheme && streq(p->http->scheme, "HTTPS");
	long long port = 0;
	int r = port_of(m, c, p->http ? p->http->port_json : p->tcp->port_json, &port, e);

	host = host && *host ? host : "127.0.0.1";
	if (p->http) {
		const char *path = p->http->path ? p->http->path : "/";

		buf_printf(&url, "%s://%s:%lld%s%s", tls ? "https" : "http", host, port,
			   *path == '/' ? "" : "/", path);
		buf_puts(b, tls ? "wget -q --no-check-certificate -O /dev/null"
				: "wget -q -O /dev/null");
		word(b, url.p);
		buf_puts(b, tls ? " || curl -fsSk -o /dev/null" : " || curl -fsS -o /dev/null");
		word(b, url.p);
	} else {
		buf_puts(b, "nc -z");
		word(b, host);
		buf_printf(b, " %lld", port);
	}
	return r < 0 ? r : buf_fail(b, "probe", e);
}

static int command(const struct kubemap *m, const struct kubespec_container *c,
		   const struct kubespec_probe *p, struct strs *out, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64u << 10);
	int r = p->exec ? 0 : shell_command(m, c, p, &b, e);

	arena_strs_add(m->a, out, p->exec ? "CMD" : "CMD-SHELL");
	for (size_t i = 0; p->exec && i < p->exec->command.n; i++)
		arena_strs_add(m->a, out, p->exec->command.v[i]);
	if (!p->exec)
		arena_strs_add(m->a, out, arena_dupn(m->a, b.p, b.len));
	return r;
}

static int64_t or_else(int64_t said, int64_t preset)
{
	return said ? said : preset;
}

int kubeprobe_map(const struct kubemap *m, const struct kubespec_container *c, struct request *q,
		  struct err *e)
{
	const struct kubespec_probe *start = c->startup, *p = c->liveness ?: start ?: c->readiness;
	int r;

	if (!p)
		return 0;
	if (c->liveness && c->readiness)
		kubedoc_warn(m->doc, m->a,
			     "pod %s: container '%s': readinessProbe is left out, livenessProbe "
			     "counts",
			     m->name, c->name);
	r = command(m, c, p, &q->health_test, e);
	q->no_healthcheck = false;
	q->health_interval_ns = or_else(p->period_s, PERIOD_S) * SECOND;
	q->health_timeout_ns = or_else(p->timeout_s, TIMEOUT_S) * SECOND;
	q->health_retries = or_else(p->failures, FAILURES);
	q->health_start_period_ns = p->initial_delay_s * SECOND;
	if (start)
		q->health_start_period_ns += or_else(start->failures, FAILURES) *
					     or_else(start->period_s, PERIOD_S) * SECOND;
	q->health_on_failure = p == c->readiness ? NULL : "kill";
	return r;
}
