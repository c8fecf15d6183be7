/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise - how quiet the machine was while it was measured.
 *
 * Between the subjects' turns nothing of ours runs but a loop that is always the same: how far its
 * times lie apart is what the machine adds to everything.  What others took of the processors is
 * read off /proc/stat: before the first turn, and what the hypervisor took, over all of it.
 */
#include "base/auto.h"
#include "compare/compare_int.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS	  2000000
#define LISTEN_MS 200

/* proc_stat(5): user nice system idle iowait irq softirq steal. */
static struct compare_ticks now(void)
{
	auto_free char *text = NULL;
	struct compare_ticks t = {0};
	uint64_t v[8] = {0};

	if (file_read(AT_FDCWD, "/proc/stat", 1 << 20, &text) < 0 ||
	    sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64,
		   &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
		return t;
	for (int i = 0; i < 8; i++)
		t.all += v[i];
	t.idle = v[3] + v[4];
	t.steal = v[7];
	return t;
}

static double load(void)
{
	double l = 0;

	return getloadavg(&l, 1) == 1 ? l : 0;
}

void noise_begin(struct compare *c)
{
	const struct timespec listen = {.tv_nsec = LISTEN_MS * 1000000};
	struct report_noise *n = &c->report->noise;
	struct compare_ticks before = now();

	n->load = load();
	nanosleep(&listen, NULL);
	c->ticks = now();
	if (c->ticks.all > before.all)
		n->busy =
		    1 - (double)(c->ticks.idle - before.idle) / (double)(c->ticks.all - before.all);
}

void noise_loop(struct compare *c)
{
	static volatile uint64_t sink;
	int64_t t0 = trace_now_ns();
	uint64_t x = 88172645463325252u;

	for (int i = 0; i < ROUNDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	sink += x;
	report_cell_add(c->report, &c->report->noise.loop, (double)(trace_now_ns() - t0));
}

void noise_end(struct compare *c)
{
	struct compare_ticks t = now();

	c->report->noise.load_after = load();
	if (t.all > c->ticks.all)
		c->report->noise.steal =
		    (double)(t.steal - c->ticks.steal) / (double)(t.all - c->ticks.all);
}
