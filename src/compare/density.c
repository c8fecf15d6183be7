/* SPDX-License-Identifier: Apache-2.0 */
/*
 * density - how many idle ones fit into a budget of memory: they are started, one after the other,
 * and what all of them hold is added up after each.  Nothing is extrapolated: where the number or
 * the time ends it, that is said.
 */
#include "base/auto.h"
#include "base/err.h"
#include "compare/compare_int.h"
#include "compare/family.h"
#include "compare/live.h"
#include "compare/sample.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MSEC 50
#define RESERVE_NS  5000000000 /* of the whole time, for what comes after */

struct crowd {
	struct strs names;
	struct live *alone; /* processes that are nobody's but ours */
	size_t n, room;
};

static bool is_child(const struct subject *u)
{
	return u->kind == SUBJECT_HOST || u->kind == SUBJECT_QEMU;
}

static int start_one(struct compare *c, enum report_subject s, struct crowd *w, struct err *e)
{
	const struct subject *u = &c->subjects[s];
	const char *name = arena_printf(c->arena, "%s-d%zu", u->name, w->n);
	struct strs v = is_child(u) ? subject_work(c, s, e) : subject_idle(c, s, name, e);
	struct sample m;
	int r;

	if (!v.n)
		return -ENOENT;
	if (is_child(u)) {
		w->alone[w->n] = LIVE_INIT;
		r = live_open(&w->alone[w->n], v.v, u->env, COMPARE_START_NS, e);
	} else {
		arena_strs_add(c->arena, &w->names, name);
		r = sample_run(v.v, u->env, COMPARE_START_NS, &m, e);
		if (r == 0 && m.code) {
			compare_complain(&m, e);
			r = -EIO;
		}
	}
	if (r == 0)
		w->n++;
	return r;
}

static void remove_all(struct compare *c, enum report_subject s, struct crowd *w)
{
	struct strs v = subject_remove(c, s, &w->names);

	for (size_t i = 0; is_child(&c->subjects[s]) && i < w->n; i++)
		live_close(&w->alone[i]);
	if (w->names.n)
		compare_call(c, &v, NULL, NULL);
	subject_leave(c, s);
	compare_reap();
}

static int held(struct compare *c, enum report_subject s, uint64_t *bytes, struct err *e)
{
	const struct timespec settle = {.tv_nsec = SETTLE_MSEC * 1000000};
	struct family t = {0};
	int r;

	nanosleep(&settle, NULL);
	compare_reap();
	r = subject_family(c, s, 0, &t, e);
	*bytes = t.pss_bytes;
	return r;
}

/* Why it ended; NULL: another one fits. */
static const char *fill(struct compare *c, enum report_subject s, struct crowd *w, int64_t until)
{
	struct err e = ERR_INIT;
	uint64_t before = 0, now = 0;

	/* What was below us already; docker's are never. */
	if (s != REPORT_DOCKER && held(c, s, &before, &e) < 0)
		return e.msg[0] ? arena_dup(c->arena, e.msg) : "its memory cannot be read";
	if (subject_enter(c, s, &e) < 0)
		return arena_dup(c->arena, e.msg);
	while (w->n < w->room) {
		if (compare_interrupted())
			return "it was interrupted";
		if (trace_now_ns() > until)
			return "its share of the time was over";
		if (start_one(c, s, w, &e) < 0 || held(c, s, &now, &e) < 0)
			return arena_printf(c->arena, "the next: %s", e.msg);
		now = now > before ? now - before : 0;
		report_cell_add(c->report, &c->report->density[s], (double)now);
		if (now > c->report->budget_bytes)
			return NULL;
	}
	return "no more were to be tried";
}

static void one(struct compare *c, enum report_subject s, int64_t until)
{
	struct crowd w = {.room = c->q->density_most};
	struct report_cell *curve = &c->report->density[s];
	const char *why;
	size_t fit;

	compare_progress(c, arena_printf(c->arena, "density of %s", report_subject_names[s]));
	w.alone = arena_array(c->arena, w.room, sizeof(*w.alone));
	why = fill(c, s, &w, until);
	remove_all(c, s, &w);
	fit = curve->n - (!why && curve->n);
	curve->why = why ? why : "the next did not fit";
	if (!curve->n) {
		report_missing(c->report, REPORT_FITS, s, curve->why);
		return;
	}
	report_add(c->report, REPORT_FITS, s, (double)fit);
	if (why)
		report_text(c->report, REPORT_FITS, s, arena_printf(c->arena, "%zu or more", fit));
}

static uint64_t available(void)
{
	auto_free char *text = NULL;
	const char *at;
	uint64_t kib = 0;

	if (file_read(AT_FDCWD, "/proc/meminfo", 1 << 16, &text) < 0)
		return 0;
	at = strstr(text, "MemAvailable:");
	return at && sscanf(at, "MemAvailable: %" SCNu64, &kib) == 1 ? kib << 10 : 0;
}

void density_all(struct compare *c)
{
	uint64_t half = available() / 2;
	unsigned int left = 0;

	if (!c->q->density_bytes || !c->q->density_most) {
		for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			report_missing(c->report, REPORT_FITS, (enum report_subject)s,
				       "left out (--density)");
		return;
	}
	/* The machine is others', too. */
	c->report->budget_bytes = half && half < c->q->density_bytes ? half : c->q->density_bytes;
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		left += !c->subjects[s].off;
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_ && !compare_interrupted(); s++) {
		int64_t now = trace_now_ns(), rest = c->end_ns - RESERVE_NS - now;

		if (c->subjects[s].off)
			continue;
		if (rest <= 0) {
			report_missing(c->report, REPORT_FITS, (enum report_subject)s,
				       "the time was over (--max-time)");
			continue;
		}
		one(c, (enum report_subject)s, now + rest / left--);
	}
}
