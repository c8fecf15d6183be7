/* SPDX-License-Identifier: Apache-2.0 */
/* storecheck - store/audit.h for the command line. */
#ifndef ENGINE_STORECHECK_H
#define ENGINE_STORECHECK_H

#include "store/audit.h"

struct session;

int storecheck_run(struct session *s, bool repair,
		   void (*tell)(int kind, const char *line, void *arg), void *arg,
		   struct audit_result *out, struct err *e);

#endif
