/* SPDX-License-Identifier: Apache-2.0 */
/* wait - until something has become of an instance. */
#ifndef ENGINE_WAIT_H
#define ENGINE_WAIT_H

#include <stdint.h>

struct err;
struct instance;
struct session;

enum wait_condition {
	WAIT_NOT_RUNNING, /* it does not run (also: never did) */
	WAIT_NEXT_EXIT,	  /* it ends once from now on, whatever it does now */
	WAIT_REMOVED,	  /* it is gone */
	WAIT_CONDITION_MAX_
};
extern const char *const wait_condition_names[]; /* as docker's API calls them; NULL-terminated */

/* *code: of the end that was waited for, or the last one that was seen. */
int wait_instance(struct session *s, const struct instance *i, enum wait_condition c, int64_t *code,
		  struct err *e);

#endif
