/* SPDX-License-Identifier: Apache-2.0 */
/* apiendpoint - how an instance is to be on a network, as bodies say it (EndpointSettings). */
#ifndef API_APIENDPOINT_H
#define API_APIENDPOINT_H

#include "base/arena.h"
#include "fmt/jbind.h"

struct err;
struct plug_want;
struct request;

struct apiendpoint {
	struct {
		const char *ip;
	} ipam;
	const char *mac;
	struct strs aliases;
	const char *told[10]; /* JSON that is the engine's to say: not looked at */
};
extern const struct jbind apiendpoint_table;

/* What it asks for; the strings are those of *p. */
void apiendpoint_want(const struct apiendpoint *p, struct plug_want *out);

/* NetworkingConfig of a body, its text or NULL: the first network is q->network already. */
int apiendpoint_networking(const char *json, struct arena *a, struct request *q, struct err *e);

#endif
