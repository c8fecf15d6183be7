/* SPDX-License-Identifier: Apache-2.0 */
/*
 * depot - the store as a registry: the pull half of the OCI distribution protocol, and on request
 * the push half, for other stores and machines to copy from.
 *
 * Names: what stands in a URL is read as a user's name, so "debian", "library/debian" and
 * "docker.io/library/debian" are one repository; repositories of a registry with a port cannot be
 * written there.  A tag stands for the manifest that was pulled for this host's platform, a digest
 * for any document of the store.  Whoever reaches the socket needs no password: it belongs on
 * loopback, and requests that a browser was talked into are refused (names that resolve to
 * loopback, Origin).
 * Source: OCI distribution-spec v1.1.
 */
#ifndef DEPOT_DEPOT_H
#define DEPOT_DEPOT_H

#include <stdbool.h>

struct err;
struct store;

struct depot_opts {
	const char *listen; /* "127.0.0.1:5000"; port 0: a free one */
	bool push;	    /* uploads are taken */
	/* What it became, once it listens; may be NULL. */
	void (*ready)(const char *address, void *arg);
	void *arg;
};

/* Until SIGTERM or SIGINT.  ERR_USAGE an address that is not loopback, ERR_SYSTEM. */
int depot_run(struct store *s, const struct depot_opts *o, struct err *e);

#endif
