/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event - something that happened to an instance, an image, a network or a volume: one line of
 * JSON in the journal <run-root>/events/journal, in the shape of docker's API.
 *
 * Written by every command and monitor that does something, at the moment it is done, with
 * sys/journal.h; so no daemon is needed, and what is older than EVENT_FILES files is forgotten.
 */
#ifndef SPEC_EVENT_H
#define SPEC_EVENT_H

#include "fmt/jbind.h"

#include <stdint.h>

struct buf;

#define EVENT_DIR   "events"
#define EVENT_NAME  "journal"
#define EVENT_BYTES (1u << 20) /* of one file; some 3,000 events */
#define EVENT_FILES 4
#define EVENT_LINE  (256u << 10)

struct event_actor {
	const char *id;
	struct jbind_map attributes; /* image, name, labels, and what the action adds */
};

struct event {
	const char *status, *id, *from; /* docker's old names of action, actor and image */
	const char *type;		/* "container" (of both isolations), "image", ... */
	const char *action;		/* "start", "die", "exec_create: sh", ... */
	struct event_actor actor;
	const char *scope;
	int64_t time, time_ns; /* since the epoch, in seconds and in nanoseconds */
};
extern const struct jbind event_table;

/* Fill the old names, scope and time, and append the line with its end.  Too large a one (labels)
 * is not written: buf_fail() tells. */
void event_write(const struct event *e, int64_t now_ns, struct buf *out);

#endif
