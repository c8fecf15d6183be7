/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare - one workload as host process, containers and VMs, measured through public command
 * lines.
 *
 * Each round does in every subject, in random order: (1) the command, from its start to its first
 * byte and to its end; (2) caisson-workload, which is one layer on top of the image: memory at rest
 * and loaded, then one kind of work after the other, timed on the host.  The first round warms
 * caches, finds out how much work is enough, and gives the facts that do not vary.  Rounds end when
 * the intervals are narrow enough, at `samples`, or when their share of the time is over.  Then
 * come published ports, copies of the image, builds, and as many idle ones as fit.
 *
 * A subject that fails in the first round is left out, and the report says why.
 *
 * The caller becomes a subreaper for the time of the comparison and must have no other children.
 */
#ifndef COMPARE_COMPARE_H
#define COMPARE_COMPARE_H

#include "base/arena.h"
#include "compare/report.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

struct compare_request {
	const char *image;
	struct strs command; /* empty: uname -r */
	uint64_t samples;    /* rounds that count, at least 1 */
	int64_t max_time_ns; /* of all */
	double precision;    /* half of an interval by its median, at which it is narrow enough */
	uint64_t density_bytes,
	    density_most; /* how much memory, and at most how many; 0: left out */
	const char *user; /* whose rootless containers root measures; NULL: nobody's */
	bool skip[REPORT_SUBJECT_MAX_];
	bool with[REPORT_SUBJECT_MAX_]; /* other engines */
	/* Called before each step; may be NULL.  share: of the time that there is, 0..1. */
	void (*progress)(const char *what, double share, void *arg);
	void *progress_arg;
};

/* Strings of *out live in its arena, which is a.  Errors: what the engine says when no subject of
 * ours ran. */
int compare_run(struct session *s, const struct compare_request *q, struct arena *a,
		struct report *out, struct err *e);

#endif
