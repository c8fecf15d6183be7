/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor - how strong the walls are: what weakens those of the host's instances, and what would
 * make them stronger.
 *
 * Nothing is changed, nothing is started; what can be seen from the requests of the instances and
 * from the host is looked at.  A finding is "weak" when somebody took a part of the wall away or
 * the host does not have it, "advice" when the wall is as documented and a stronger one is to be
 * had.
 */
#ifndef ENGINE_DOCTOR_H
#define ENGINE_DOCTOR_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

struct doctor_finding {
	int level;	   /* 0: weak, 1: advice */
	const char *about; /* "host", or the instance's name */
	const char *check; /* stable name: "privileged" */
	const char *what;  /* "has every capability and every device of the host" */
	const char
	    *remedy; /* "leave --privileged out, add what is needed by --cap-add and --device" */
};
struct doctor_findings {
	struct doctor_finding *v;
	size_t n, room;
};

struct doctor_report {
	struct doctor_findings findings; /* the host's first, then by instance */
	int64_t instances, weak, advice;
};

enum { DOCTOR_WEAK, DOCTOR_ADVICE };
extern const char *const doctor_levels[]; /* "weak", "advice", NULL */
extern const struct jbind doctor_table;

/* Strings live in a. */
int doctor_examine(struct session *s, struct arena *a, struct doctor_report *out, struct err *e);

/* The parts, for tests: one instance's request, and what it mounts. */
struct instance;
struct request;
void doctor_instance(const struct request *q, const struct instance *i, const char *const *own,
		     struct arena *a, struct doctor_report *out);

#endif
