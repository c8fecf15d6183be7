/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigpolicy - which images may be taken from where, as policy.json of the containers/image library
 * says it, and what a signature must say to count.
 *
 * The file is read as strictly as there: an unknown member, an empty list or a requirement that
 * contradicts itself is an error, because a rule that is not understood must not be passed over.
 * The payload of a signature is a stranger's text until its signature was checked, and even then
 * it only counts for the image and name it speaks of.
 * Source: containers-policy.json(5); cosign "SIGNATURE_SPEC"; "simple signing" of
 * containers-signature(5).
 */
#ifndef FMT_SIGPOLICY_H
#define FMT_SIGPOLICY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct reference;

#define SIGPOLICY_MAX	      (1u << 20) /* bytes of a policy file */
#define SIGPOLICY_PAYLOAD_MAX (64u << 10)

enum sigpolicy_type {
	SIGPOLICY_ACCEPT,
	SIGPOLICY_REJECT,
	SIGPOLICY_SIGSTORE,    /* a signature by one of these keys */
	SIGPOLICY_NOT_CHECKED, /* a form that nobody here checks; .why says which: refuse */
};

enum sigpolicy_match {
	SIGPOLICY_MATCH_REPO_DIGEST_OR_EXACT,
	SIGPOLICY_MATCH_EXACT,
	SIGPOLICY_MATCH_REPOSITORY,
	SIGPOLICY_EXACT_REFERENCE,  /* .name */
	SIGPOLICY_EXACT_REPOSITORY, /* .name */
	SIGPOLICY_REMAP,	    /* .name is the prefix, .signed_prefix what stands for it */
};

struct sigpolicy_identity {
	int match; /* enum sigpolicy_match */
	const char *name, *signed_prefix;
};

struct sigpolicy_rule {
	int type; /* enum sigpolicy_type */
	const char *why;
	struct strs key_paths, key_datas; /* datas: PEM text */
	struct sigpolicy_identity identity;
};
struct sigpolicy_rules {
	struct sigpolicy_rule *v;
	size_t n;
};

/* The requirements for the first of the scopes that the policy names for this transport ("docker",
 * "oci", ...), else for the transport as a whole, else the default ones; all of them must hold. The
 * whole file is checked.  Errors: ERR_CORRUPT, ERR_USAGE naming the place. */
int sigpolicy_find(const char *text, size_t len, const char *transport, const struct strs *scopes,
		   struct arena *a, struct sigpolicy_rules *out, struct err *e);

/* What an image of a registry may be called in a policy, the most particular first: with its tag
 * or digest, its repository, the namespaces above, the host, "*." and the domains above. */
void sigpolicy_scopes(const struct reference *ref, struct arena *a, struct strs *out);

struct sigpolicy_payload {
	const char *reference, *digest;
};
/* Errors: ERR_CORRUPT. */
int sigpolicy_payload(const char *text, size_t len, struct arena *a, struct sigpolicy_payload *out,
		      struct err *e);

/* Does a signature for what it calls `reference` speak of the image that was asked for? */
bool sigpolicy_matches(const struct sigpolicy_identity *i, const struct reference *asked,
		       const char *reference, struct arena *a);

#endif
