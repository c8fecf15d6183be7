/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plug - takes an instance to a network and off it, while it runs or not.
 *
 * The record is changed behind the network: what a start makes again is what was there.  A VM that
 * runs is refused, since its machine type has no slots for cards that come later.
 */
#ifndef ENGINE_PLUG_H
#define ENGINE_PLUG_H

#include "base/arena.h"

struct attach_request;
struct err;
struct instance;
struct lookup;
struct network;
struct request;
struct session;
struct store;

/* What is asked of the network; NULL: chosen. */
struct plug_want {
	const char *ip, *ip6, *mac;
	struct strs aliases; /* further names of the instance there */
};

/* Errors: ERR_DENIED it, or the network, is none that takes others
 * (host, none, container:); ERR_CONFLICT it is there already, address taken; ERR_UNSUPPORTED a VM
 * that runs. */
int plug_connect(struct session *s, const struct network *n, const struct lookup *l,
		 const struct plug_want *want, struct err *e);
/* ERR_NOT_FOUND it is not on it. */
int plug_disconnect(struct session *s, const struct network *n, const struct lookup *l,
		    struct err *e);

/* What a start asks of net/attach.h, but for the ports. */
int plug_request(struct session *s, const struct instance *i, const struct request *q,
		 struct arena *a, struct attach_request *out, struct err *e);

#endif
