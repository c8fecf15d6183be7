/* SPDX-License-Identifier: Apache-2.0 */
/* capset - the five capability sets of a process (capabilities(7)). */
#ifndef RUNTIME_CAPSET_H
#define RUNTIME_CAPSET_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct plan_caps;
struct strs;

struct capset {
	uint64_t bounding, effective, inheritable, permitted, ambient; /* bit n: capability n */
};

/* Names to bits; NULL: no capability at all.  A name this kernel or we do not know is left out, as
 * runc does (with a warning; *unknown is the first such name, or NULL). */
void capset_read(const struct plan_caps *c, struct capset *out, const char **unknown);

/* Number of a capability by name ("CAP_CHOWN", any case), or -1; and the name of number n, or NULL
 * behind the last that the running kernel knows. */
int capset_number(const char *name);
const char *capset_name(int n);

/* In this order, setuid/setgid to the process's ids standing between the first two:
 * capset_bound() shrinks the bounding set and asks to keep the permitted set over setuid;
 * capset_apply() sets the others.  keep: bits that stay permitted and effective for now. */
int capset_bound(const struct capset *c, struct err *e);
int capset_apply(const struct capset *c, uint64_t keep, struct err *e);

/* Does the caller have this capability effective? */
bool capset_have(int number);

#endif
