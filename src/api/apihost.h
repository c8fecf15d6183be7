/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apihost - HostConfig of a request's body, member by member into the engine's request: each is
 * mapped, or refused by name unless it says nothing.
 */
#ifndef API_APIHOST_H
#define API_APIHOST_H

#include <stddef.h>

struct arena;
struct err;
struct request;

/* json: the member's text; NULL: it is absent. */
int apihost_read(const char *json, struct arena *a, struct request *q, struct err *e);

/* The body of POST /containers/{}/update: what is said there, all else as update_instance() takes
 * it for unchanged. */
int apihost_update(const char *text, size_t len, struct arena *a, struct request *change,
		   struct err *e);

#endif
