/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin - who is at the other end of a URL, and what may be told there.
 *
 * Rules: https anywhere; plain HTTP only to a loopback address, and only on behalf of a registry
 * that is itself on loopback (else a registry could make us talk to services of this machine), or
 * to the host of a registry that registries.conf calls insecure.  A
 * token for a registry goes to exactly its scheme, host and port.  A password goes to the token
 * server of a registry only when that is the registry's own host name, or the domain right above it
 * ("registry.example.com" and "example.com"), or Docker Hub's.
 */
#ifndef REGISTRY_ORIGIN_H
#define REGISTRY_ORIGIN_H

#include <stdbool.h>

struct arena;
struct err;

struct origin {
	const char *scheme, *host;
	int port;
	bool loopback;
	bool insecure; /* a registry that may be asked without TLS: its user said so */
};

int origin_parse(const char *url, struct arena *a, struct origin *out, struct err *e);
bool origin_same(const struct origin *a, const struct origin *b);
/* May a request made for registry go to `to`?  ERR_DENIED. */
int origin_check(const struct origin *registry, const struct origin *to, struct err *e);
/* May registry's password be sent to the token server `to`? */
bool origin_trusts(const struct origin *registry, const struct origin *to);

#endif
