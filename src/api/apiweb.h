/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apiweb - a connection that became a WebSocket, as a plain two-way stream.
 *
 * A process of its own moves bytes between the client's frames and a socketpair, and answers pings;
 * whoever has the other end does not know of it.  What goes out are binary frames.
 */
#ifndef API_APIWEB_H
#define API_APIWEB_H

#include <sys/types.h>

struct apicall;
struct err;
struct exchange;

struct apiweb {
	const char *accept;
	int end; /* -1: not open */
	pid_t relay;
};
#define APIWEB_INIT ((struct apiweb){.end = -1, .relay = -1})

/* 1: the request is a good handshake, 0: it is not and was answered. */
int apiweb_greet(struct apicall *c, struct apiweb *w, struct err *e);
/* Answers it.  Returns the stream's descriptor (borrowed). */
int apiweb_open(struct exchange *x, struct apiweb *w, struct err *e);
/* When what was written is with the client, or it does not take it. */
void apiweb_close(struct apiweb *w);

#endif
