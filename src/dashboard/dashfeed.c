/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboard/dashfeed.h"
#include "api/apianswer.h"
#include "api/apicall.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/reading.h"
#include "engine/session.h"
#include "httpd/exchange.h"
#include "spec/plan.h"

#include <poll.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (16u << 20)
#define ROUND_MS       1000
#define ANSWER_MS      500 /* a guest that is slower has no numbers in this line */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void numbers(struct members *w, const struct metrics *m)
{
	members_num(w, "cpu_ns", (int64_t)m->cpu_ns);
	members_num(w, "memory", (int64_t)m->memory_bytes);
	members_num(w, "memory_limit", (int64_t)m->memory_limit_bytes);
	members_num(w, "net_rx", (int64_t)m->net_rx_bytes);
	members_num(w, "net_tx", (int64_t)m->net_tx_bytes);
	members_num(w, "disk_read", (int64_t)m->io_read_bytes);
	members_num(w, "disk_write", (int64_t)m->io_write_bytes);
	members_num(w, "pids", (int64_t)m->pids);
}

static void instance(struct session *s, struct members *w, const struct lookup *l, struct arena *a)
{
	struct metrics m;

	members_str(w, "id", l->i.id);
	members_str(w, "name", l->i.name);
	members_str(w, "image", l->i.image);
	members_str(w, "isolation", l->i.isolation == PLAN_VM ? "vm" : "container");
	members_str(w, "status", lookup_status(l));
	members_str(w, "says", lookup_status_text(l, now_ns(), a));
	if (!l->state.pid || !reading_take(s, l->i.id, ANSWER_MS, &m))
		return;
	members_num(w, "at", now_ns() / 1000000);
	numbers(w, &m);
}

static void host(struct members *w)
{
	struct sysinfo si;

	members_open(w, "host");
	members_num(w, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	if (sysinfo(&si) == 0) {
		members_num(w, "memory", (int64_t)si.totalram * si.mem_unit);
		members_num(w, "memory_free", (int64_t)(si.freeram + si.bufferram) * si.mem_unit);
	}
	members_close(w);
}

static int line(struct session *s, struct exchange *x, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	auto_arena struct arena a = ARENA_INIT;
	struct members w = {.b = &b};
	struct lookups all = {0};
	int r = lookup_all(s, &a, &all, e);

	if (r < 0)
		return r;
	buf_puts(&b, "{");
	host(&w);
	members_array(&w, "instances");
	for (size_t i = 0; i < all.n; i++) {
		members_item(&w);
		instance(s, &w, &all.v[i], &a);
		members_close(&w);
	}
	members_end(&w);
	buf_puts(&b, "}\n");
	r = buf_fail(&b, "feed", e);
	return r < 0 ? r : exchange_write(x, b.p, b.len, e);
}

int dashfeed(struct session *s, struct exchange *x, struct err *e)
{
	struct apicall c = {.s = s, .x = x, .a = &x->arena};
	int r;

	if (!streq(x->request.method, "GET"))
		return apianswer_refuse(x, 405, "method not allowed", e);
	if (!s->lookups)
		s->lookups = lookup_cache_new();
	r = exchange_begin(x, 200, "application/x-ndjson", e);
	if (r == 0)
		apicall_leave_with_client(&c);
	for (; r >= 0; poll(NULL, 0, ROUND_MS))
		r = line(s, x, e);
	return r;
}
