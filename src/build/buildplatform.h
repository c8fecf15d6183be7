/* SPDX-License-Identifier: Apache-2.0 */
/* buildplatform - what a build is for: this host, and nothing else. */
#ifndef BUILD_BUILDPLATFORM_H
#define BUILD_BUILDPLATFORM_H

struct arena;
struct err;
struct scope_args;

/* TARGETARCH and its like; nobody has to use them. */
int buildplatform_args(struct scope_args *args, char *const *environment, struct arena *a,
		       struct err *e);

/* Only this host's kernel runs the steps.  want: NULL is fine.  ERR_UNSUPPORTED. */
int buildplatform_check(const char *want, struct arena *a, struct err *e);

#endif
