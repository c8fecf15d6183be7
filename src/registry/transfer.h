/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer - one HTTP request, once: no redirects followed, no retries, nothing decided.
 *
 * The body of a good answer goes to a callback, of any other nowhere.  A transfer that moves less
 * than TRANSFER_STALL_BYTES in stall_seconds is given up; time in which the callback itself waited
 * (for a disk, for the unpacker) does not count.  Once a whole body was sent, the server has
 * TRANSFER_PATIENCE times as long to answer: it may be hashing what it got.
 */
#ifndef REGISTRY_TRANSFER_H
#define REGISTRY_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;

#define TRANSFER_STALL_BYTES   1024
#define TRANSFER_STALL_SECONDS 30
#define TRANSFER_PATIENCE      6

struct transfer {
	/* in */
	const char *url;
	const char *method;		/* NULL: GET */
	const char *accept;		/* NULL: any */
	const char *authorization;	/* the header's value, or NULL */
	const char *ca_pem;		/* authorities to trust beside the system's, or NULL */
	const char *cert_pem, *key_pem; /* the client's certificate, or NULL */
	bool insecure;			/* the server's certificate is not checked */
	uint64_t from;			/* ask for the rest from here */
	long stall_seconds;		/* 0: the default */
	int (*body)(void *arg, const void *data, size_t len, struct err *e); /* NULL: not wanted */
	void *arg;
	/* The request's body (NULL: none): len bytes from offset at into data; returns how many. */
	ssize_t (*send)(void *arg, uint64_t at, void *data, size_t len, struct err *e);
	void *send_arg;
	uint64_t send_size;
	const char *form; /* a small body instead: application/x-www-form-urlencoded, or NULL */
	const char *content_type, *content_range; /* of it; NULL: not said */
	/* out */
	long status;		/* of HTTP; 0 when there was no answer */
	uint64_t offset;	/* where the body begins: from, or 0 when the server ignored it */
	const char *location;	/* made absolute */
	const char *range;	/* Range: what an upload has */
	const char *digest;	/* Docker-Content-Digest */
	uint64_t chunk_min;	/* OCI-Chunk-Min-Length, 0: not said */
	const char *link;	/* Link */
	const char *challenge;	/* WWW-Authenticate */
	const char *media_type; /* Content-Type without parameters */
	int64_t modified;	/* Last-Modified, seconds since 1970; 0: not said */
	long retry_after;	/* seconds, 0: not said */
	bool tls_failed;	/* the peer does not speak TLS */
	bool unreachable;	/* nobody listens there */
	bool stalled;
	bool again; /* may work when tried again */
	bool local; /* the callback refused; trying again would not help */
};

/* Strings of the answer go into a.  0 when an answer came (look at status), or a negative errno. */
int transfer_run(struct transfer *t, struct arena *a, struct err *e);

#endif
