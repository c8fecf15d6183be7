/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pscolumn.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/lookup.h"
#include "fmt/passwd.h"
#include "fmt/utf8.h"
#include "spec/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PTS_MAJOR 136
#define TTY_MAJOR 4
#define DAY_MS	  86400000
#define ANSWER_MS 10000

struct row {
	const struct pscolumn_view *v;
	const struct top_list *list;
	const struct top_process *p;
};

struct pscolumn {
	const char *name, *heading;
	void (*print)(const struct row *r, struct buf *b);
};

static void pid(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRId64, r->p->pid);
}

static void ppid(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRId64, r->p->ppid);
}

static void uid(const struct row *r, struct buf *b)
{
	buf_printf(b, "%u", r->p->uid);
}

static void user(const struct row *r, struct buf *b)
{
	struct passwd_user u;

	if (r->v->passwd && passwd_find_user(r->v->passwd, NULL, r->p->uid, &u))
		buf_add(b, u.name, u.name_len);
	else
		uid(r, b);
}

static void state(const struct row *r, struct buf *b)
{
	buf_puts(b, r->p->state ? r->p->state : "?");
}

static void status(const struct row *r, struct buf *b)
{
	state(r, b);
	buf_puts(b, r->p->nice < 0 ? "<" : r->p->nice > 0 ? "N" : "");
	buf_puts(b, r->p->threads > 1 ? "l" : "");
}

/* The kernel's old packing of device numbers, as proc(5) gives it. */
static void tty(const struct row *r, struct buf *b)
{
	unsigned int n = (unsigned int)r->p->tty, minor = (n & 0xff) | ((n >> 12) & 0xfff00);
	unsigned int major = (n >> 8) & 0xfff;

	if (!n)
		buf_puts(b, "?");
	else if (major >= PTS_MAJOR && major < PTS_MAJOR + 8)
		buf_printf(b, "pts/%u", minor + (major - PTS_MAJOR) * 256);
	else if (major == TTY_MAJOR)
		buf_printf(b, "tty%u", minor);
	else
		buf_printf(b, "%u,%u", major, minor);
}

static void span(int64_t s, bool days, struct buf *b)
{
	if (days && s >= 86400) {
		buf_printf(b, "%" PRId64 "-", s / 86400);
		s %= 86400;
	}
	if (days && s < 3600)
		buf_printf(b, "%02" PRId64 ":%02" PRId64, s / 60, s % 60);
	else
		buf_printf(b, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60,
			   s % 60);
}

static void cputime(const struct row *r, struct buf *b)
{
	span(r->p->cpu_ms / 1000, false, b);
}

static int64_t age_ms(const struct row *r)
{
	int64_t age = r->v->now_ms - r->p->started_ms;

	return age > 0 ? age : 0;
}

static void elapsed(const struct row *r, struct buf *b)
{
	span(age_ms(r) / 1000, true, b);
}

static bool started_at(const struct row *r, struct tm *tm)
{
	time_t t = r->p->started_ms / 1000;

	return localtime_r(&t, tm) != NULL;
}

static void started(const struct row *r, struct buf *b)
{
	char text[32] = "";
	struct tm tm;

	if (started_at(r, &tm) && age_ms(r) < DAY_MS)
		strftime(text, sizeof(text), "%H:%M", &tm);
	else if (started_at(r, &tm))
		strftime(text, sizeof(text), "%b%d", &tm);
	buf_puts(b, text);
}

static void started_long(const struct row *r, struct buf *b)
{
	char text[64] = "";
	struct tm tm;

	if (started_at(r, &tm))
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	buf_puts(b, text);
}

static double cpu_share(const struct row *r)
{
	return age_ms(r) ? 100.0 * (double)r->p->cpu_ms / (double)age_ms(r) : 0;
}

static void cpu(const struct row *r, struct buf *b)
{
	buf_printf(b, "%.1f", cpu_share(r));
}

static void cpu_whole(const struct row *r, struct buf *b)
{
	buf_printf(b, "%.0f", cpu_share(r));
}

static void memory(const struct row *r, struct buf *b)
{
	uint64_t all = r->list->memory_bytes;

	buf_printf(b, "%.1f", all ? 100.0 * (double)r->p->rss_bytes / (double)all : 0.0);
}

static void rss(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRIu64, r->p->rss_bytes >> 10);
}

static void vsz(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRIu64, r->p->vsize_bytes >> 10);
}

static void nice(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRId64, r->p->nice);
}

static void threads(const struct row *r, struct buf *b)
{
	buf_printf(b, "%" PRId64, r->p->threads);
}

/* Both texts are the workload's own: controls and tabs of theirs become visible. */
static void comm(const struct row *r, struct buf *b)
{
	utf8_visible(b, r->p->comm ? r->p->comm : "?");
}

static void args(const struct row *r, struct buf *b)
{
	if (r->p->args && *r->p->args) {
		utf8_visible(b, r->p->args);
		return;
	}
	buf_puts(b, "[");
	comm(r, b);
	buf_puts(b, "]");
}

static const struct pscolumn columns[] = {
    {"pid", "PID", pid},
    {"ppid", "PPID", ppid},
    {"uid", "UID", uid},
    {"user", "USER", user},
    {"euser", "EUSER", user},
    {"uname", "USER", user},
    {"comm", "COMMAND", comm},
    {"ucmd", "CMD", comm},
    {"cmd", "CMD", args},
    {"args", "COMMAND", args},
    {"command", "COMMAND", args},
    {"s", "S", state},
    {"state", "S", state},
    {"stat", "STAT", status},
    {"tty", "TT", tty},
    {"tt", "TT", tty},
    {"tname", "TTY", tty},
    {"time", "TIME", cputime},
    {"cputime", "TIME", cputime},
    {"etime", "ELAPSED", elapsed},
    {"start_time", "START", started},
    {"stime", "STIME", started},
    {"lstart", "STARTED", started_long},
    {"pcpu", "%CPU", cpu},
    {"%cpu", "%CPU", cpu},
    {"c", "C", cpu_whole},
    {"pmem", "%MEM", memory},
    {"%mem", "%MEM", memory},
    {"rss", "RSS", rss},
    {"rssize", "RSS", rss},
    {"vsz", "VSZ", vsz},
    {"ni", "NI", nice},
    {"nice", "NI", nice},
    {"nlwp", "NLWP", threads},
    {"thcount", "THCNT", threads},
    /* -ef calls the column of names UID. */
    {"fuser", "UID", user},
};

static const struct pscolumn *find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strlen(columns[i].name) == len && strncmp(columns[i].name, name, len) == 0)
			return &columns[i];
	return NULL;
}

static int add(const char *list, const struct pscolumn *out[PSCOLUMN_MAX], int n, struct err *e)
{
	for (;; list++) {
		size_t len = strcspn(list, ", ");
		const struct pscolumn *c = find(list, len);

		if (!c)
			return err_set(e, ERR_USAGE, "top knows no column '%.*s'",
				       len < 40 ? (int)len : 40, list);
		if (n == PSCOLUMN_MAX)
			return err_set(e, ERR_USAGE, "more than %d columns", PSCOLUMN_MAX);
		out[n++] = c;
		list += len;
		if (!*list)
			return n;
	}
}

int pscolumn_pick(int argc, const char *const *argv, const struct pscolumn *out[PSCOLUMN_MAX],
		  struct err *e)
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		const char *o = argv[i], *list;

		if (streq(o, "-ef") || streq(o, "-e") || streq(o, "-f") || streq(o, "-eo") ||
		    streq(o, "-A") || streq(o, "ax")) {
			if (!streq(o, "-eo"))
				continue;
			o = "-o";
		}
		if (streq(o, "aux") || streq(o, "-aux") || streq(o, "u")) {
			n = add("user,pid,%cpu,%mem,vsz,rss,tname,stat,start_time,time,command",
				out, 0, e);
		} else if ((list = str_after(o, "-o")) || (list = str_after(o, "-eo"))) {
			if (!*list)
				list = i + 1 < argc ? argv[++i] : "";
			if (!*list)
				return err_set(e, ERR_USAGE, "top: -o wants names of columns");
			n = add(list, out, n, e);
		} else {
			return err_set(e, ERR_USAGE,
				       "top does not know the ps option '%.40s' (-ef, aux, -o "
				       "NAME[,NAME...])",
				       o);
		}
		if (n < 0)
			return n;
	}
	return n ? n : add("fuser,pid,ppid,c,stime,tname,time,cmd", out, 0, e);
}

void pscolumn_lines(const struct pscolumn_view *v, const struct top_list *l, struct buf *out)
{
	for (size_t k = 0; k < v->n; k++)
		buf_printf(out, "%s%s", v->columns[k]->heading, k + 1 < v->n ? "\t" : "\n");
	for (size_t i = 0; i < l->processes.n; i++) {
		struct row r = {v, l, &l->processes.v[i]};

		for (size_t k = 0; k < v->n; k++) {
			v->columns[k]->print(&r, out);
			buf_puts(out, k + 1 < v->n ? "\t" : "\n");
		}
	}
}

int pscolumn_ask(struct session *s, const struct lookup *l, struct arena *a, struct top_list *out,
		 struct err *e)
{
	struct conn_question q = {.type = WIRE_TOP, .timeout_ms = ANSWER_MS};
	const char *text;
	int r;

	if (!l->state.pid)
		return err_set(e, ERR_CONFLICT, "instance '%s' is not running", l->i.name);
	r = conn_ask(s, l->i.id, &q, a, &text, e);
	return r < 0 ? r : jbind_parse(&top_table, text, strlen(text), out, a, "processes", e);
}
