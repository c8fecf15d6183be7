/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netspec - which networks a request names, and how: NAME, or docker's long form
 * "name=NET,ip=ADDRESS,mac-address=MAC,alias=NAME,alias=NAME".
 *
 * request.network with .ip, .mac and .aliases is the first one; request.networks holds the others
 * in the long form.
 */
#ifndef ENGINE_NETSPEC_H
#define ENGINE_NETSPEC_H

#include "base/arena.h"

#include <stddef.h>

struct attach_endpoint;
struct err;
struct request;

/* ERR_USAGE naming what was typed; ERR_UNSUPPORTED for what docker knows and networks here have
 * not. */
int netspec_parse(const char *text, struct arena *a, struct attach_endpoint *out, struct err *e);
/* The long form, for request.networks. */
const char *netspec_write(const struct attach_endpoint *p, struct arena *a);

/* What several --network say, into q, whose .ip, .mac and .aliases were said by options of their
 * own and mean the first one.  ERR_USAGE when both ways say one thing. */
int netspec_take(const struct strs *said, struct request *q, struct arena *a, struct err *e);

/* The networks q is to be on, ATTACH_NICS_MAX at most; *v has room for one more. */
int netspec_all(const struct request *q, struct arena *a, struct attach_endpoint **v, size_t *n,
		struct err *e);
/* Put a list back into q; n 0: none is left. */
void netspec_set(struct request *q, const struct attach_endpoint *v, size_t n, struct arena *a);

/* Words and addresses of every network of q.  ERR_USAGE, ERR_LIMIT. */
int netspec_check(const struct request *q, struct err *e);

/* The names of the networks, with commas between. */
const char *netspec_names(const struct request *q, struct arena *a);

#endif
