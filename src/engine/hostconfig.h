/* SPDX-License-Identifier: Apache-2.0 */
/* hostconfig - the "HostConfig" of an instance as docker's inspect shows it: what was asked for,
 * not what became of it. */
#ifndef ENGINE_HOSTCONFIG_H
#define ENGINE_HOSTCONFIG_H

#include "base/arena.h"

struct members;
struct plan;
struct request;

/* p: the plan of q, dry. */
void hostconfig_write(struct members *w, const struct request *q, const struct plan *p,
		      struct arena *a);

/* "0.0.0.0:8080:80/tcp" of one port each, as an object by the inner port. */
void hostconfig_ports(struct members *w, const char *k, const struct strs *l, struct arena *a);

#endif
