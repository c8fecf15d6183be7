/* SPDX-License-Identifier: Apache-2.0 */
/*
 * www_authenticate - the challenge with which a registry asks for credentials.
 *
 * The header may name several schemes; Bearer is preferred over Basic, anything else is ignored.
 * Source: RFC 9110 section 11.6.1 (syntax), RFC 6750 section 3 and the distribution project's token
 * specification (realm, service, scope).
 */
#ifndef FMT_WWW_AUTHENTICATE_H
#define FMT_WWW_AUTHENTICATE_H

struct arena;
struct err;

#define WWW_AUTHENTICATE_MAX 8192 /* bytes of header value */

enum www_scheme { WWW_NONE, WWW_BASIC, WWW_BEARER };

struct www_authenticate {
	int scheme;		     /* enum www_scheme */
	const char *realm;	     /* required by both schemes */
	const char *service, *scope; /* NULL where not given */
	const char *error;	     /* "insufficient_scope", or NULL */
};

/* Errors: ERR_CORRUPT for what is not a challenge, ERR_LIMIT. */
int www_authenticate_parse(const char *value, struct arena *a, struct www_authenticate *out,
			   struct err *e);

#endif
