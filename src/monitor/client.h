/* SPDX-License-Identifier: Apache-2.0 */
/* client - one connection to the monitor: frames in, frames out (docs/protocols/control.md). */
#ifndef MONITOR_CLIENT_H
#define MONITOR_CLIENT_H

#include "monitor/loop.h"
#include "monitor/outq.h"
#include "spec/wire.h"

#include <stdbool.h>

struct err;
struct link;
struct server;
struct server_asker;

#define CLIENT_QUEUE_FULL (256u << 10) /* an owner's process waits above this */
#define CLIENT_QUEUE_MAX  (1u << 20)   /* anybody else is dropped above this */

struct client {
	struct server *server;
	struct client *next;
	uint32_t serial; /* never used twice: who asked may be gone when the answer comes */
	struct watch watch;
	struct wire_reader reader;
	struct outq out;
	struct link *links;
	unsigned int link_count;
	bool first;  /* the connection the engine made at our start */
	bool hello;  /* it has introduced itself */
	bool owner;  /* of some process: its queue is bounded by holding output back */
	bool reaper; /* will remove what is left */
	bool holds;  /* it has frozen the instance for as long as it is there */
	bool tied;   /* takes the instance with it when it goes */
	bool doomed; /* it did not read: its connection is shut, the loop will close it */
};

/* Takes fd.  Peers other than our own user and root are refused. */
/* Cut off everybody whose queue is not empty, but keep: a removal waits for no slow reader. */
void client_discard(struct server *s, const struct client *keep);

struct client *client_new(struct server *s, int fd, bool first);
void client_close(struct client *c);

/* Queued when the socket is full.  A client with too long a queue is given up (but not freed). */
void client_send(struct client *c, enum wire_type type, uint32_t stream, const void *data,
		 size_t len);
void client_send_err(struct client *c, uint32_t stream, const struct err *e);

void client_unlink(struct link *l);

/* The answer to a STATS, TOP or UPDATE.  Nothing when who asked is gone. */
void client_answer(struct server *s, const struct server_asker *who, const void *json, size_t len);
void client_refuse(struct server *s, const struct server_asker *who, const struct err *e);

#endif
