/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_helper - what is said to a docker-credential-NAME program and what it answers.
 *
 * It is called with one word: "get" and "erase" read the registry from stdin, "store" reads a JSON
 * object with ServerURL, Username and Secret; "get" answers with such an object.  A failure is a
 * line of text on stdout.  Source: the docker-credential-helpers project's protocol.
 */
#ifndef FMT_CREDENTIAL_HELPER_H
#define FMT_CREDENTIAL_HELPER_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;
struct err;

#define CREDENTIAL_HELPER_MAX (64u << 10) /* bytes of an answer */
#define CREDENTIAL_HELPER_MS  30000	  /* to answer: it may have to ask its user */

/* The user of a secret that is an identity token, not a password. */
#define CREDENTIAL_IDENTITY "<token>"

struct credential {
	const char *user, *secret; /* NULL: the helper knows none */
};

/* "docker-credential-NAME" for a name of letters, digits, '-', '_' and '.', else NULL. */
const char *credential_helper_program(const char *name, struct arena *a);

/* The part of an environment that helpers are given: where their user's things are, and the
 * variables of the clouds whose helpers have no other source.  NULL-terminated. */
const char *const *credential_helper_env(const char *const *environ, struct arena *a);

/* stdin of "store". */
void credential_helper_print(const char *server, const struct credential *c, struct buf *out);

/* stdout of "get".  ok: it exited with 0.  ERR_CORRUPT,
 * ERR_SYSTEM with what it said. */
int credential_helper_parse(const char *text, size_t len, bool ok, struct arena *a,
			    struct credential *out, struct err *e);

/* What it said of its failure, made harmless, at most 200 bytes. */
const char *credential_helper_complaint(const char *text, size_t len, struct arena *a);

#endif
