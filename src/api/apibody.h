/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apibody - the JSON bodies of requests, as the engine's own structs.
 *
 * A member that is not in a table is refused by name unless it says nothing (null, false, 0, "",
 * or only such inside): clients send every member they know.
 * Errors: ERR_USAGE malformed, ERR_UNSUPPORTED what is not possible here.
 */
#ifndef API_APIBODY_H
#define API_APIBODY_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct request;

/* POST /containers/create; the name and platform are the query's. */
int apibody_create(const char *text, size_t len, struct arena *a, struct request *out,
		   struct err *e);

/* What is kept between POST /containers/{}/exec and its start. */
struct apibody_exec {
	bool tty, in, out, err, detach;
	const char *user, *workdir, *detach_keys;
	struct strs env, args;
	struct jbind_nums size; /* rows and columns, or empty */
	const char *said;
	/* ours: */
	const char *container; /* its id */
	bool running, done;
	int64_t pid, code;
};
extern const struct jbind apibody_exec_table;
int apibody_exec(const char *text, size_t len, struct arena *a, struct apibody_exec *out,
		 struct err *e);

/* ConsoleSize; what is none changes nothing. */
void apibody_size(const struct jbind_nums *n, unsigned int *rows, unsigned int *columns);

struct apibody_start {
	bool detach, tty;
	unsigned int rows, columns; /* 0: not said */
};
int apibody_start(const char *text, size_t len, struct arena *a, struct apibody_start *out,
		  struct err *e);

#endif
