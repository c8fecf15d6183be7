/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web - what is behind an address that a user or a Dockerfile names: no registry, no credentials.
 *
 * Rules: http and https as named; a redirect never goes from https to http, and never to this
 * machine's loopback unless the address itself named it.  A user name in an address is refused.
 */
#ifndef REGISTRY_WEB_H
#define REGISTRY_WEB_H

struct err;
struct source;

struct web_opts {
	const char *ca_file; /* authorities in place of the system's, or NULL */
	long stall_seconds;  /* 0: default */
};

/* Reads the authorities; nothing is sent yet.  The source knows get() only. */
int web_open(const struct web_opts *o, struct source **out, struct err *e);

#endif
