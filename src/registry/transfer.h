/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer - one HTTP GET, once: no redirects followed, no retries, nothing decided.
 *
 * The body of a good answer goes to a callback, of any other nowhere.  A transfer that brings less
 * than TRANSFER_STALL_BYTES in stall_seconds is given up; time in which the callback itself waited
 * (for a disk, for the unpacker) does not count.
 */
#ifndef REGISTRY_TRANSFER_H
#define REGISTRY_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define TRANSFER_STALL_BYTES   1024
#define TRANSFER_STALL_SECONDS 30

struct transfer {
	/* in */
	const char *url;
	const char *accept;	   /* NULL: any */
	const char *authorization; /* the header's value, or NULL */
	const char *ca_file;	   /* NULL: the system's */
	uint64_t from;		   /* ask for the rest from here */
	long stall_seconds;	   /* 0: the default */
	int (*body)(void *arg, const void *data, size_t len, struct err *e);
	void *arg;
	/* out */
	long status;		/* of HTTP; 0 when there was no answer */
	uint64_t offset;	/* where the body begins: from, or 0 when the server ignored it */
	const char *location;	/* of a redirect, absolute */
	const char *challenge;	/* WWW-Authenticate */
	const char *media_type; /* Content-Type without parameters */
	long retry_after;	/* seconds, 0: not said */
	bool tls_failed;	/* the peer does not speak TLS */
	bool stalled;
	bool again; /* may work when tried again */
	bool local; /* the callback refused; trying again would not help */
};

/* Strings of the answer go into a.  0 when an answer came (look at status), or a negative errno. */
int transfer_run(struct transfer *t, struct arena *a, struct err *e);

#endif
