/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/template.h"
#include "engine/lookup.h"
#include "engine/reading.h"
#include "fmt/json.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 2000 /* a guest that is slower shows as "--" */
#define ONCE_MS	  500  /* between the two samples of --no-stream */
#define ROUND_MS  1000

struct stats_args {
	bool all, no_stream, no_trunc;
	const char *format;
};

static const struct opt stats_opts[] = {
    OPT(struct stats_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "also instances that do not run"),
    OPT(struct stats_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.help = "table, json, or a template"),
    OPT(struct stats_args, no_stream, .name = "no-stream", .type = OPT_BOOL,
	.help = "show the numbers once"),
    OPT(struct stats_args, no_trunc, .name = "no-trunc", .type = OPT_BOOL,
	.help = "do not shorten ids"),
    OPT_END,
};

static const char table[] = "{{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}"
			    "\\t{{.NetIO}}\\t{{.BlockIO}}\\t{{.PIDs}}";
static const char *const heads[][2] = {
    {"Container", "CONTAINER"}, {"ID", "CONTAINER ID"},
    {"Name", "NAME"},		{"CPUPerc", "CPU %"},
    {"MemPerc", "MEM %"},	{"MemUsage", "MEM USAGE / LIMIT"},
    {"NetIO", "NET I/O"},	{"BlockIO", "BLOCK I/O"},
    {"PIDs", "PIDS"},		{NULL, NULL},
};

struct line {
	char id[INSTANCE_ID + 1];
	const char *name, *typed; /* heap */
	bool runs, known;	  /* known: .now was answered */
	struct metrics now;
	uint64_t cpu_before;
	int64_t at_ns, before_ns; /* 0: no sample */
};

struct lines {
	struct line *v;
	size_t n;
};

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void drop(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((void *)(uintptr_t)l->v[i].name);
		free((void *)(uintptr_t)l->v[i].typed);
	}
	free(l->v);
	*l = (struct lines){0};
}

static void add(struct lines *l, const struct lookup *from, const char *typed)
{
	struct line *v = reallocarray(l->v, l->n + 1, sizeof(*v));
	char *name = strdup(from->i.name), *as = strdup(typed);

	if (!v || !name || !as)
		abort();
	l->v = v;
	l->v[l->n] = (struct line){.name = name, .typed = as, .runs = from->state.pid != 0};
	snprintf(l->v[l->n++].id, sizeof(v->id), "%s", from->i.id);
}

/* Who is shown: those that were named, whatever they do, or everything that runs. */
static int list(struct session *s, const struct stats_args *a, int argc, char **argv,
		struct lines *out, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	struct lookups all = {0};
	int r = argc ? 0 : lookup_all(s, &arena, &all, e);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (a->all || all.v[i].state.pid)
			add(out, &all.v[i], all.v[i].i.id);
	for (int i = 0; r == 0 && i < argc; i++) {
		struct lookup l;

		r = lookup_find(s, argv[i], &arena, &l, e);
		if (r == 0)
			add(out, &l, argv[i]);
	}
	return r;
}

static void sample(struct session *s, struct line *l)
{
	l->known = l->runs && reading_take(s, l->id, ANSWER_MS, &l->now);
	if (l->known)
		l->at_ns = clock_ns();
}

/* What an earlier round knew of the same instance. */
static void carry(const struct lines *from, struct lines *to)
{
	for (size_t i = 0; i < to->n; i++)
		for (size_t k = 0; k < from->n; k++)
			if (streq(from->v[k].id, to->v[i].id) && from->v[k].known) {
				to->v[i].cpu_before = from->v[k].now.cpu_ns;
				to->v[i].before_ns = from->v[k].at_ns;
			}
}

/* ---- output ---- */

/* Powers of 1024, four digits, as docker prints memory. */
static const char *binary(uint64_t bytes, char out[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	int u = 0;

	for (; v >= 1024 && u < 6; u++)
		v /= 1024;
	snprintf(out, 24, "%.4g%s", v, units[u]);
	return out;
}

static void member(struct buf *b, const char *key, const char *value)
{
	buf_puts(b, b->len > 1 ? "," : "");
	json_quote(b, key);
	buf_puts(b, ":");
	json_quote(b, value);
}

static void numbers(const struct line *l, struct buf *b)
{
	char x[24], y[24], text[64];
	const struct metrics *st = &l->now;
	uint64_t limit = st->memory_limit_bytes, used = st->memory_bytes;
	struct sysinfo si;
	double cpu = 0;

	/* Without a limit the host is it; page cache that can go at once does not count. */
	if (sysinfo(&si) == 0 && (!limit || limit > (uint64_t)si.totalram * si.mem_unit))
		limit = (uint64_t)si.totalram * si.mem_unit;
	used -= st->memory_inactive_bytes < used ? st->memory_inactive_bytes : 0;
	if (l->before_ns && l->at_ns > l->before_ns && st->cpu_ns >= l->cpu_before)
		cpu = 100.0 * (double)(st->cpu_ns - l->cpu_before) /
		      (double)(l->at_ns - l->before_ns);
	snprintf(text, sizeof(text), "%.2f%%", cpu);
	member(b, "CPUPerc", text);
	snprintf(text, sizeof(text), "%s / %s", binary(used, x), binary(limit, y));
	member(b, "MemUsage", text);
	snprintf(text, sizeof(text), "%.2f%%", limit ? 100.0 * (double)used / (double)limit : 0);
	member(b, "MemPerc", text);
	snprintf(text, sizeof(text), "%s / %s", progress_size(st->net_rx_bytes, x),
		 progress_size(st->net_tx_bytes, y));
	member(b, "NetIO", text);
	snprintf(text, sizeof(text), "%s / %s", progress_size(st->io_read_bytes, x),
		 progress_size(st->io_write_bytes, y));
	member(b, "BlockIO", text);
	snprintf(text, sizeof(text), "%" PRIu64, st->pids);
	member(b, "PIDs", text);
}

static void unknown(struct buf *b)
{
	static const char *const one[] = {"CPUPerc", "MemPerc", "PIDs"};
	static const char *const two[] = {"MemUsage", "NetIO", "BlockIO"};

	for (int i = 0; i < 3; i++) {
		member(b, one[i], "--");
		member(b, two[i], "-- / --");
	}
}

static int row(const struct stats_args *a, const struct line *l, const char *template, bool json,
	       struct buf *out, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64 << 10);
	char id[INSTANCE_ID + 1];

	snprintf(id, sizeof(id), "%.*s", a->no_trunc ? INSTANCE_ID : INSTANCE_SHORT_ID, l->id);
	buf_puts(&b, "{");
	member(&b, "Container", streq(l->typed, l->id) ? id : l->typed);
	member(&b, "ID", id);
	member(&b, "Name", l->name);
	/* One that does not run uses nothing; one that does not answer is not known. */
	if (l->known || !l->runs)
		numbers(l, &b);
	else
		unknown(&b);
	buf_puts(&b, "}");
	if (!json)
		return template_row(template, &b, out, e);
	buf_printf(out, "%s\n", b.p);
	return 0;
}

static int print(const struct stats_args *a, const struct lines *l, struct err *e)
{
	const char *as_table = a->format ? template_table(a->format) : table;
	const char *t = as_table ? (*as_table ? as_table : table) : a->format;
	bool json = a->format && streq(a->format, "json"), screen = isatty(STDOUT_FILENO);
	auto_buf struct buf lines = BUF_INIT(16 << 20), out = BUF_INIT(16 << 20);
	int r = 0;

	if (as_table)
		template_head(t, heads, &lines);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = row(a, &l->v[i], t, json, &lines, e);
	if (r < 0)
		return r;
	/* Home and clear: the next round stands where this one stood. */
	if (!a->no_stream && screen)
		buf_puts(&out, "\033[H\033[2J");
	listing_add(&lines, as_table != NULL, &out);
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}

static int round_once(struct session *s, const struct stats_args *a, int argc, char **argv,
		      struct lines *before, struct err *e)
{
	struct lines now = {0};
	int r = list(s, a, argc, argv, &now, e);

	if (r < 0) {
		drop(&now);
		return r;
	}
	carry(before, &now);
	for (size_t i = 0; i < now.n; i++)
		sample(s, &now.v[i]);
	drop(before);
	*before = now;
	return 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct stats_args *a = args;
	struct lines lines = {0};
	int r = round_once(s, a, argc, argv, &lines, e);

	for (bool first = true; r == 0; first = false) {
		poll(NULL, 0, first ? ONCE_MS : ROUND_MS);
		r = round_once(s, a, argc, argv, &lines, e);
		if (r == 0)
			r = print(a, &lines, e);
		if (a->no_stream)
			break;
	}
	drop(&lines);
	return r;
}

static const char *const aliases[] = {"container stats", NULL};

extern const struct cmd cmd_stats;
const struct cmd cmd_stats = {
    .name = "stats",
    .group = "instances",
    .operands = "[INSTANCE...]",
    .summary = "show what instances use: CPU, memory, network, disk, processes",
    .opts = stats_opts,
    .args_size = sizeof(struct stats_args),
    .operands_max = -1,
    .aliases = aliases,
    .run = run,
};
