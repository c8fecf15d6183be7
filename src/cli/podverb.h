/* SPDX-License-Identifier: Apache-2.0 */
/* podverb - commands that do one thing to every pod named. */
#ifndef CLI_PODVERB_H
#define CLI_PODVERB_H

#include "engine/pod_ctl.h"

#include <stdbool.h>

struct podverb {
	bool all;	     /* every pod, and no operands */
	bool ignore;	     /* one that is not there is no error */
	const char *id_file; /* the pod whose id stands in this file, too; or NULL */
	int (*fn)(struct session *s, const struct lookup *pod, const struct podverb *v,
		  struct err *e);
	enum pod_ctl_verb verb; /* when .fn is NULL */
	const struct control_stop *how;
	bool force;
};

/* Prints each operand (with .all: each id) for which it worked, and a line on stderr when not.
 * 0, or 1 when any failed; ERR_USAGE: nothing named. */
int podverb_run(struct session *s, const struct podverb *v, int argc, char **argv, struct err *e);

/* -t and -s of the commands that end something.  seconds: PODVERB_OWN, or what was said. */
#define PODVERB_OWN (-2)
struct control_stop podverb_stop(int64_t seconds);

#endif
