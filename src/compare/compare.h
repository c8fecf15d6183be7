/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare - one workload as host process, container and VM, measured through the public command
 * line.
 *
 * Each round does in every subject, in random order: (1) the command, from its start to its first
 * byte and to its end; (2) caisson-workload, bound in read-only: memory at rest, then arithmetic,
 * system calls and file I/O, timed on the host.  The first round warms caches and gives the facts
 * that do not vary.  A subject that fails in it is left out, and the report says why.
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
	int64_t max_time_ns; /* no round begins after it; one is always made */
	bool skip[REPORT_SUBJECT_MAX_];
	/* Called before each round; may be NULL. */
	void (*progress)(uint64_t round, uint64_t of, void *arg);
	void *progress_arg;
};

/* Strings of *out live in its arena, which is a.  Errors: what the engine says when neither
 * container nor VM ran. */
int compare_run(struct session *s, const struct compare_request *q, struct arena *a,
		struct report *out, struct err *e);

#endif
