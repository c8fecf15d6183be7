/* SPDX-License-Identifier: Apache-2.0 */
/* teller - events of one instance (spec/event.h), as its monitor sees them. */
#ifndef MONITOR_TELLER_H
#define MONITOR_TELLER_H

#include "base/arena.h"

struct plan;

struct teller {
	struct arena arena;
	const char *run_root, *id, *image;
	char *name; /* heap: it may change */
	struct strs labels;
};

/* run_root: borrowed.  What is needed of the plan is copied. */
void teller_init(struct teller *r, const char *run_root, const struct plan *p);
void teller_done(struct teller *r);
void teller_rename(struct teller *r, const char *name);

/* key and value: one more attribute, or NULL.  An event that cannot be written is lost. */
void teller_event(const struct teller *r, const char *action, const char *key, const char *value);

/* "exec_create: COMMAND ARGUMENT...", as docker names it. */
void teller_exec(const struct teller *r, const char *action, const struct strs *args);

#endif
