/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn - one subject in one round: its command, then our workload.
 *
 * How much of each kind of work is enough is found out in the first round: what takes longer than
 * SLOT_NS there is done less often from then on, and the figure stays one operation's.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/family.h"
#include "compare/footprint.h"
#include "compare/live.h"
#include "compare/phases.h"
#include "compare/sample.h"
#include "compare/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MSEC 200 /* between "ready" and the look at memory at rest */
#define SLOT_NS	    120000000.0
#define LEAST	    0.02 /* of the usual amount */
#define HELD	    (64u << 20)
#define BOOT_NS	    INT64_C(60000000000) /* more for a command whose machine boots before */

static const struct work {
	enum report_row row;
	const char *command;
	uint64_t amount;
	double per; /* a figure is of so much of it; 0: a rate */
} works[] = {
    {REPORT_CPU, "cpu", 8000000, 1e6},	      {REPORT_COPY, "memory", 256 << 20, 0},
    {REPORT_SYSCALLS, "syscalls", 200000, 1}, {REPORT_FORK, "fork", 60, 1},
    {REPORT_NAMES, "names", 200, 1},	      {REPORT_WRITE, "write", 16 << 20, 0},
    {REPORT_READ, "read", 128 << 20, 0},      {REPORT_RREAD, "random-read", 50000, 1},
    {REPORT_RWRITE, "random-write", 20, 1},
};

/* ---- the command ---- */

static bool boots(enum report_subject s)
{
	return s == REPORT_VM || s == REPORT_COLD || s == REPORT_QEMU;
}

struct peak {
	struct compare *c;
	enum report_subject s;
	uint64_t bytes;
};

/* dockerd's processes are found by asking docker, which takes longer than most commands. */
static void look(pid_t pid, void *arg)
{
	struct peak *p = arg;
	struct family t = {0};

	if (p->s != REPORT_DOCKER && subject_family(p->c, p->s, pid, &t, NULL) == 0 &&
	    t.pss_bytes > p->bytes)
		p->bytes = t.pss_bytes;
}

static void command_fails(struct compare *c, enum report_subject s, const char *why)
{
	report_missing(c->report, REPORT_FIRST, s, why);
	report_missing(c->report, REPORT_TOTAL, s, why);
	report_missing(c->report, REPORT_PEAK, s, why);
	c->subjects[s].command_off = true;
}

/* What took too long in one subject is not waited for in the others. */
static void hangs(struct compare *c, enum report_subject s)
{
	const char *why = arena_printf(c->arena, "not tried: as %s it did not end in time",
				       report_subject_words[s]);
	const struct strs names = {(const char *[]){c->subjects[s].name, NULL}, 1};
	struct strs v;

	for (unsigned int o = 0; o < REPORT_SUBJECT_MAX_; o++)
		if (!c->counting && o != s && !c->subjects[o].off &&
		    !c->report->cells[REPORT_TOTAL][o].n)
			command_fails(c, (enum report_subject)o, why);
	if (c->subjects[s].kind == SUBJECT_HOST || c->subjects[s].kind == SUBJECT_QEMU)
		return;
	v = subject_remove(c, s, &names);
	compare_call(c, &v, NULL, NULL);
}

static int command_run(struct compare *c, enum report_subject s, const struct strs *v,
		       struct sample *m, struct err *e)
{
	int64_t limit = c->command_ns + (boots(s) ? BOOT_NS : 0);
	struct peak p = {.c = c, .s = s};
	const struct sample_watch w = {look, &p};
	struct subject *u = &c->subjects[s];
	int r = 0;

	if (truncate(u->trace, 0) < 0)
		r = err_sys(e, "'%s'", u->trace);
	if (r == 0)
		r = sample_watched(v->v, u->env, limit, c->counting ? NULL : &w, m, e);
	if (r == 0 && p.bytes)
		report_add(c->report, REPORT_PEAK, s, (double)p.bytes);
	else if (r == 0)
		report_missing(c->report, REPORT_PEAK, s, "it was over before anybody looked");
	return r;
}

static void command_counts(struct compare *c, enum report_subject s, const struct sample *m)
{
	report_add(c->report, REPORT_TOTAL, s, (double)m->total_ns);
	if (m->first_ns >= 0)
		report_add(c->report, REPORT_FIRST, s, (double)m->first_ns);
	else
		report_missing(c->report, REPORT_FIRST, s, "the command writes nothing");
	if (c->subjects[s].kind == SUBJECT_OURS)
		phases_collect(c->report, s, c->subjects[s].trace);
}

static int command_once(struct compare *c, enum report_subject s, struct err *e)
{
	struct strs v = subject_command(c, s, e);
	struct sample m = {.code = 0};
	int r;

	if (c->subjects[s].command_off)
		return 0;
	if (!v.n) {
		command_fails(c, s, e->msg);
		return -ENOENT;
	}
	r = command_run(c, s, &v, &m, e);
	if (r == 0 && m.code) {
		compare_complain(&m, e);
		r = -EIO;
	}
	if (compare_interrupted())
		return -EINTR;
	if (r < 0) {
		command_fails(c, s, e->msg);
		if (e->kind == ERR_TIMEOUT)
			hangs(c, s);
	} else if (c->counting) {
		command_counts(c, s, &m);
	}
	return r;
}

/* ---- the workload ---- */

static void missing(struct compare *c, enum report_row row, enum report_subject s,
		    const struct err *e)
{
	report_missing(c->report, row, s, e->msg);
}

static void instruction(struct compare *c, enum report_subject s, struct live *l)
{
	struct err e = ERR_INIT;
	int64_t ahead;

	if (live_ahead(l, COMPARE_START_NS, &ahead, &e) < 0)
		missing(c, REPORT_INSTRUCTION, s, &e);
	else if (c->counting)
		report_add(c->report, REPORT_INSTRUCTION, s,
			   (double)(l->main_ns - ahead - l->begin_ns));
}

static void rest(struct compare *c, enum report_subject s, const struct live *l, struct family *t)
{
	const struct timespec settle = {.tv_nsec = SETTLE_MSEC * 1000000};
	bool alone = c->subjects[s].kind == SUBJECT_HOST;
	struct err e = ERR_INIT;
	uint64_t bytes;

	nanosleep(&settle, NULL);
	/* The client is there only while somebody looks. */
	if (subject_family(c, s, l->pid, t, &e) < 0) {
		missing(c, REPORT_MEMORY, s, &e);
		missing(c, REPORT_ENGINE, s, &e);
		return;
	}
	if (alone) {
		report_text(c->report, REPORT_ENGINE, s, "none");
		report_text(c->report, REPORT_CGROUP, s, "none");
	}
	if (!c->counting)
		return;
	report_add(c->report, REPORT_MEMORY, s, (double)t->pss_bytes);
	if (alone)
		return;
	report_add(c->report, REPORT_ENGINE, s, (double)t->engine_pss_bytes);
	if (footprint_cgroup(t->qemu ? t->qemu : t->inside ? t->inside : l->pid, &bytes, &e) == 0)
		report_add(c->report, REPORT_CGROUP, s, (double)bytes);
	else
		missing(c, REPORT_CGROUP, s, &e);
}

static void loaded(struct compare *c, enum report_subject s, struct live *l)
{
	struct err e = ERR_INIT;
	struct family t = {0};
	char command[64];
	int64_t ns;
	int r;

	if (c->report->cells[REPORT_LOADED][s].why)
		return;
	snprintf(command, sizeof(command), "hold %u", HELD);
	r = live_time(l, command, COMPARE_START_NS, &ns, &e);
	if (r == 0)
		r = subject_family(c, s, l->pid, &t, &e);
	if (r < 0)
		missing(c, REPORT_LOADED, s, &e);
	else if (c->counting)
		report_add(c->report, REPORT_LOADED, s, (double)t.pss_bytes);
	live_time(l, "hold 0", COMPARE_START_NS, &ns, NULL);
}

static uint64_t amount_of(const struct subject *u, const struct work *w)
{
	double share = u->share[w->row];
	double n = (double)w->amount * (share > 0 ? share : 1);

	return n < 1 ? 1 : (uint64_t)n;
}

static void timed(struct compare *c, enum report_subject s, struct live *l, const struct work *w)
{
	struct subject *u = &c->subjects[s];
	struct err e = ERR_INIT;
	uint64_t n = amount_of(u, w);
	char command[64];
	int64_t ns;

	if (c->report->cells[w->row][s].why)
		return;
	snprintf(command, sizeof(command), "%s %" PRIu64, w->command, n);
	if (live_time(l, command, COMPARE_START_NS, &ns, &e) < 0) {
		missing(c, w->row, s, &e);
	} else if (!c->counting) {
		double share = SLOT_NS / (double)ns;

		u->share[w->row] = share > 1 ? 1 : share < LEAST ? LEAST : share;
	} else {
		report_add(c->report, w->row, s,
			   w->per > 0 ? (double)ns / (double)n * w->per
				      : (double)n / (double)ns * 1e9);
	}
}

/* What is not measured of it. */
static void lacks(struct compare *c, enum report_subject s)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		enum report_row row = works[i].row;

		if (s == REPORT_COLD)
			report_missing(c->report, row, s, "once it has booted it is as vm");
		else if (s == REPORT_QEMU && row >= REPORT_NAMES && row <= REPORT_RWRITE)
			report_missing(c->report, row, s,
				       "plain QEMU has no disk: its root is in memory");
	}
	if (s == REPORT_COLD)
		report_missing(c->report, REPORT_LOADED, s, "once it has booted it is as vm");
}

static int work_once(struct compare *c, enum report_subject s, struct err *e)
{
	struct live l = LIVE_INIT;
	struct family t = {0};
	struct strs v = subject_work(c, s, e);
	int r = v.n ? live_open(&l, v.v, c->subjects[s].env, COMPARE_START_NS, e) : -ENOENT;

	if (r < 0)
		return r;
	instruction(c, s, &l);
	rest(c, s, &l, &t);
	if (!c->counting)
		facts_once(c, s, &l, &t);
	lacks(c, s);
	loaded(c, s, &l);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && !compare_interrupted(); i++)
		timed(c, s, &l, &works[i]);
	live_close(&l);
	return 0;
}

void turn_once(struct compare *c, enum report_subject s)
{
	struct err cmd = ERR_INIT, work = ERR_INIT;
	int r = 0, w = subject_enter(c, s, &work);

	if (w == 0 && !c->subjects[s].command_off)
		r = command_once(c, s, &cmd);
	subject_settle(c, s);
	if (w == 0 && !compare_interrupted())
		w = work_once(c, s, &work);
	subject_settle(c, s);
	subject_leave(c, s);
	if (c->counting || compare_interrupted() || w == 0)
		return;
	/* Before anything counts: what does not even run our program is not there. */
	c->subjects[s].off = true;
	report_absent(c->report, s, r < 0 && s != REPORT_HOST ? cmd.msg : work.msg);
}

bool turn_narrow(const struct compare *c, enum report_subject s)
{
	static const enum report_row rows[] = {REPORT_INSTRUCTION, REPORT_FIRST, REPORT_CPU,
					       REPORT_SYSCALLS,	   REPORT_NAMES, REPORT_MEMORY};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct report_cell *cell = &c->report->cells[rows[i]][s];
		struct stats t;

		if (stats_of(cell->v, cell->n, &t) == 0 &&
		    (t.high - t.low) / 2 > c->q->precision * t.median)
			return false;
	}
	return true;
}
