/* SPDX-License-Identifier: Apache-2.0 */
/* eventlog - events (spec/event.h): written by the verbs of the engine, read by `events`. */
#ifndef ENGINE_EVENTLOG_H
#define ENGINE_EVENTLOG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct event;
struct instance;
struct session;
struct store;

/* Tell that something was done.  An event that cannot be written is lost.  key, value: one more
 * attribute, or NULL. */
void eventlog_instance(struct store *s, const struct instance *i, const char *action,
		       const char *key, const char *value);
/* type: "image" (name: as users write it), "network", "volume". */
void eventlog_thing(struct store *s, const char *type, const char *action, const char *id,
		    const char *name);

/* An instance has come to a network, or left it. */
struct network;
void eventlog_network(struct store *s, const struct network *n, const char *action,
		      const char *instance);

struct eventlog_query {
	int64_t since_ns, until_ns; /* since the epoch; 0: none; a later until is waited for */
	bool follow;		    /* on from now; implied without until_ns */
	struct strs filters;	    /* KEY=VALUE */
};

/* Is every filter one that is known?  ERR_USAGE. */
int eventlog_check(const struct strs *filters, struct err *e);

/* Calls show() for each event that fits, with its JSON text; what it returns < 0 ends the reading.
 */
int eventlog_read(struct session *s, const struct eventlog_query *q,
		  int (*show)(const struct event *ev, const char *json, size_t len, void *arg),
		  void *arg, struct err *e);

#endif
