/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_ctl - the networks that users see: those of the store (net/network.h), and "host" and
 * "none", which no store records.
 */
#ifndef ENGINE_NETWORK_CTL_H
#define ENGINE_NETWORK_CTL_H

#include "base/arena.h"
#include "net/network.h"

#include <stdbool.h>

struct buf;
struct err;
struct request;
struct session;

struct network_ctl_want {
	const char *name, *driver;
	struct strs subnets, gateways, ranges; /* one of each family */
	struct strs aux, labels, options;
	bool internal, ipv6;
};

/* Docker's --opt keys and their short forms are understood, and no others.  *id lives in a.
 * Errors: as manage_create(), ERR_USAGE and ERR_UNSUPPORTED for options. */
int network_ctl_create(struct session *s, const struct network_ctl_want *w, struct arena *a,
		       const char **id, struct err *e);

/* By name, or by an unambiguous beginning of an id.  ERR_NOT_FOUND, ERR_CONFLICT several. */
int network_ctl_find(struct session *s, const char *what, struct arena *a, struct network *out,
		     struct err *e);
/* Those that fit the filters ("name=", "id=", "driver=", "label=K[=V]", "type=", "scope=",
 * "dangling="), by name. */
int network_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		     struct networks *out, struct err *e);
/* The default, "host" or "none": never removed. */
bool network_ctl_builtin(const struct network *n);

/* One object with ID, Name, Driver ... for ls; one of docker's shape for inspect. */
void network_ctl_row(const struct network *n, bool full, struct buf *out);
int network_ctl_inspect(struct session *s, const struct network *n, struct buf *out, struct err *e);

/* ERR_CONFLICT an instance that runs is attached. */
int network_ctl_remove(struct session *s, const struct network *n, struct err *e);

/* Before an instance is recorded: its network exists (an id becomes its name), --ip can be one of
 * it. */
int network_ctl_fix(struct session *s, struct request *q, struct arena *a, struct err *e);

#endif
