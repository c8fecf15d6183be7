/* SPDX-License-Identifier: Apache-2.0 */
/* exec - one more process in a running instance. */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H

#include "base/arena.h"
#include "engine/conn.h"

#include <stdbool.h>

struct err;
struct instance;
struct session;

#define EXEC_STREAM 1

struct exec_request {
	struct strs files; /* of a VM: a request about its files instead of a program */
	struct strs args, env;
	const char *user, *workdir; /* NULL: the instance's */
	bool tty, in, detach;
	unsigned int rows, columns;
};

/* Ask the instance's monitor; the answer (STARTED or ERR, then output and EXIT) comes on
 * EXEC_STREAM of *out.  ERR_CONFLICT: it is not running. */
int exec_start(struct session *s, const struct instance *i, const struct exec_request *q,
	       struct conn *out, struct err *e);

#endif
