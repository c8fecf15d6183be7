/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login - what is sent as Authorization to one registry, and how it is come by.
 *
 * Basic: the user's password, to the registry only.  Bearer: a token from the server the registry
 * names, by GET with the password or, with an identity token, by POST; either is shown there only
 * as registry/origin.h allows, else the token is asked for without.  Used by several threads;
 * whoever meets 401 first gets the token for all.
 */
#ifndef REGISTRY_LOGIN_H
#define REGISTRY_LOGIN_H

#include "base/arena.h"

#include <stdbool.h>

struct err;
struct login;

/* user NULL: no credentials.  scopes: what to do where ("repository:x:pull"), none: just to be
 * known.  They are asked for in place of what the registry names when insist is set, else only
 * when it names none.  All borrowed. */
struct login_opts {
	const char *user, *password;
	const char *identity; /* a token to get tokens with, in place of the password; or NULL */
	struct strs scopes;
	bool insist;
};
struct login *login_new(const struct login_opts *o);
void login_free(struct login *l);

/* Value of the header, or NULL. */
const char *login_header(struct login *l, struct arena *a);

/* How the registry itself was asked; its token server is asked in the same way, with the client's
 * certificate only where it is the registry. */
struct login_peer {
	const char *ca_pem, *cert_pem, *key_pem;
	bool insecure;
	long stall_seconds;
};
/* The registry answered 401 to a request for url that carried `sent`. */
int login_answer(struct login *l, const char *url, const char *challenge, const char *sent,
		 const struct login_peer *peer, struct err *e);

#endif
