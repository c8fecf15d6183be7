/* SPDX-License-Identifier: Apache-2.0 */
/* apiusage - what runs in an instance and what that uses: top and stats. */
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/pscolumn.h"
#include "engine/reading.h"
#include "fmt/json.h"
#include "spec/plan.h"
#include "spec/top.h"
#include "sys/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define PASSWD_MAX    (4u << 20)
#define PROCESSES_MAX (16u << 20)
#define ANSWER_MS     2000 /* a guest that is slower has no numbers this time */
#define ROUND_MS      1000

/* ---- top ---- */

/* "-o pid,comm" and "aux" as words. */
static int columns(struct apicall *c, const struct pscolumn *out[PSCOLUMN_MAX], struct err *e)
{
	const char *said = apicall_query(c, "ps_args");
	struct strs words = {0};

	for (const char *p = said ? said : ""; *p;) {
		size_t n = strcspn(p, " ");

		if (n)
			arena_strs_add(c->a, &words, arena_dupn(c->a, p, n));
		p += n + (p[n] == ' ');
	}
	return pscolumn_pick((int)words.n, words.v, out, e);
}

/* A line's cells, with tabs between, as a list of strings. */
static const char *cells(struct buf *b, const char *line, struct arena *a)
{
	const char *end = line + strcspn(line, "\n");

	buf_puts(b, "[");
	for (const char *p = line;;) {
		size_t n = strcspn(p, "\t\n");

		json_quote(b, arena_dupn(a, p, n));
		p += n;
		if (p >= end)
			break;
		buf_puts(b, ",");
		p++;
	}
	buf_puts(b, "]");
	return *end ? end + 1 : end;
}

int apiusage_top(struct apicall *c, struct err *e)
{
	auto_buf struct buf lines = BUF_INIT(PROCESSES_MAX), b = BUF_INIT(APICALL_ANSWER_MAX);
	const struct pscolumn *cols[PSCOLUMN_MAX];
	struct pscolumn_view v = {.columns = cols, .now_ms = (long long)time(NULL) * 1000};
	auto_free char *passwd = NULL;
	struct top_list list = {0};
	struct lookup l;
	int n = columns(c, cols, e), r;
	const char *p;

	r = n < 0 ? n : apicall_instance(c, &l, e);
	if (r == 0)
		r = pscolumn_ask(c->s, &l, c->a, &list, e);
	if (r < 0)
		return r;
	v.n = (size_t)n;
	/* Ids of a container are the host's own; those of a guest have no names here. */
	if (l.i.isolation == PLAN_CONTAINER &&
	    file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &passwd) > 0)
		v.passwd = passwd;
	pscolumn_lines(&v, &list, &lines);
	r = buf_fail(&lines, "the processes", e);
	if (r < 0)
		return r;
	buf_puts(&b, "{\"Titles\":");
	p = cells(&b, lines.p, c->a);
	buf_puts(&b, ",\"Processes\":[");
	for (bool first = true; *p; first = false) {
		buf_puts(&b, first ? "" : ",");
		p = cells(&b, p, c->a);
	}
	buf_puts(&b, "]}\n");
	return apicall_json(c, 200, &b, e);
}

/* ---- stats ---- */

struct sample {
	bool known;
	struct metrics now;
	uint64_t host_ns; /* CPU time of all the host's processors */
	int64_t at_ns;	  /* since the epoch */
};

/* All that the processors did, idle time included, as clients want to compare with. */
static uint64_t host_cpu_ns(void)
{
	auto_free char *text = NULL;
	unsigned long long v[8] = {0}, all = 0;
	long hz = sysconf(_SC_CLK_TCK);

	if (file_read(AT_FDCWD, "/proc/stat", 1 << 20, &text) <= 0 ||
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3,
		   v + 4, v + 5, v + 6, v + 7) < 4)
		return 0;
	for (int i = 0; i < 8; i++)
		all += v[i];
	return all * 1000000000ull / (uint64_t)(hz > 0 ? hz : 100);
}

static void take(struct session *s, const struct lookup *l, struct sample *out)
{
	struct timespec t;

	*out = (struct sample){0};
	out->known = l->state.pid && reading_take(s, l->i.id, ANSWER_MS, &out->now);
	out->host_ns = host_cpu_ns();
	clock_gettime(CLOCK_REALTIME, &t);
	out->at_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void cpu(struct members *w, const char *key, const struct sample *s)
{
	members_open(w, key);
	members_open(w, "cpu_usage");
	members_num(w, "total_usage", (int64_t)s->now.cpu_ns);
	members_close(w);
	if (s->known) {
		members_num(w, "system_cpu_usage", (int64_t)s->host_ns);
		members_num(w, "online_cpus", sysconf(_SC_NPROCESSORS_ONLN));
	}
	members_close(w);
}

static void memory(struct members *w, const struct metrics *m)
{
	uint64_t limit = m->memory_limit_bytes;
	struct sysinfo si;

	/* Without a limit the host is it. */
	if (sysinfo(&si) == 0 && (!limit || limit > (uint64_t)si.totalram * si.mem_unit))
		limit = (uint64_t)si.totalram * si.mem_unit;
	members_num(w, "usage", (int64_t)m->memory_bytes);
	members_num(w, "limit", (int64_t)limit);
	members_open(w, "stats");
	/* Clients take it off: page cache that can go at once. */
	members_num(w, "inactive_file", (int64_t)m->memory_inactive_bytes);
	members_num(w, "total_inactive_file", (int64_t)m->memory_inactive_bytes);
	members_close(w);
}

static void io(struct members *w, const struct metrics *m)
{
	members_array(w, "io_service_bytes_recursive");
	for (int i = 0; i < 2; i++) {
		members_item(w);
		members_num(w, "major", 0);
		members_num(w, "minor", 0);
		members_str(w, "op", i ? "write" : "read");
		members_num(w, "value", (int64_t)(i ? m->io_write_bytes : m->io_read_bytes));
		members_close(w);
	}
	members_end(w);
}

static void network(struct members *w, const struct metrics *m)
{
	members_open(w, "eth0");
	members_num(w, "rx_bytes", (int64_t)m->net_rx_bytes);
	members_num(w, "tx_bytes", (int64_t)m->net_tx_bytes);
	members_close(w);
}

static void document(struct buf *b, const struct lookup *l, const struct sample *now,
		     const struct sample *before, struct arena *a)
{
	struct members w = {.b = b};

	buf_puts(b, "{");
	members_str(&w, "name", arena_printf(a, "/%s", l->i.name));
	members_str(&w, "id", l->i.id);
	members_stamp(&w, "read", now->known ? now->at_ns : 0);
	members_stamp(&w, "preread", before->known ? before->at_ns : 0);
	members_open(&w, "pids_stats");
	if (now->known)
		members_num(&w, "current", (int64_t)now->now.pids);
	if (now->now.pids_limit)
		members_num(&w, "limit", (int64_t)now->now.pids_limit);
	members_close(&w);
	members_open(&w, "blkio_stats");
	if (now->known)
		io(&w, &now->now);
	members_close(&w);
	members_num(&w, "num_procs", 0);
	members_raw(&w, "storage_stats", "{}");
	cpu(&w, "cpu_stats", now);
	cpu(&w, "precpu_stats", before);
	members_open(&w, "memory_stats");
	if (now->known)
		memory(&w, &now->now);
	members_close(&w);
	members_open(&w, "networks");
	if (now->known)
		network(&w, &now->now);
	members_close(&w);
	buf_puts(b, "}\n");
}

/* One round: what is sent, and the sample for the next. */
static int show(struct apicall *c, struct sample *before, bool once, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct sample now;
	struct lookup l;
	int r = lookup_find(c->s, c->id, &a, &l, e);

	if (r < 0)
		return r;
	take(c->s, &l, &now);
	document(&b, &l, &now, before, &a);
	*before = now;
	if (once)
		return apicall_json(c, 200, &b, e);
	r = buf_fail(&b, "the numbers", e);
	return r < 0 ? r : exchange_write(c->x, b.p, b.len, e);
}

int apiusage_stats(struct apicall *c, struct err *e)
{
	bool stream = !apicall_query(c, "stream") || apicall_yes(c, "stream");
	struct sample before = {0};
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r < 0)
		return r;
	/* The id, not a name that may become another's. */
	c->id = l.i.id;
	if (!stream) {
		if (!apicall_yes(c, "one-shot") && l.state.pid) {
			take(c->s, &l, &before);
			poll(NULL, 0, ROUND_MS);
		}
		return show(c, &before, true, e);
	}
	r = exchange_begin(c->x, 200, "application/json", e);
	if (r == 0)
		apicall_leave_with_client(c);
	for (; r >= 0; poll(NULL, 0, ROUND_MS)) {
		r = show(c, &before, false, e);
		/* It was removed: the stream's end says so. */
		if (r < 0 && e && e->kind == ERR_NOT_FOUND) {
			*e = ERR_INIT;
			return 0;
		}
	}
	return r;
}
