/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference - the name of an image: [DOMAIN/]PATH[:TAG][@DIGEST].
 *
 * Short names mean what docker means by them: "debian" is docker.io/library/debian:latest.  The
 * first component is a domain when it holds a '.' or ':', is "localhost", or has a capital letter.
 * With a digest the tag is only a remark and is dropped: the digest decides. Source: the reference
 * grammar of the OCI distribution specification v1.1 ("<name>", "<reference>").
 */
#ifndef FMT_REFERENCE_H
#define FMT_REFERENCE_H

struct arena;
struct err;

#define REFERENCE_NAME_MAX 255 /* domain and path together */
#define REFERENCE_TAG_MAX  128

struct reference {
	const char *domain; /* "docker.io", "localhost:5000" */
	const char *path;   /* "library/debian" */
	const char *tag;    /* NULL when digest is set */
	const char *digest; /* "sha256:...", or NULL */
};

/* Parse and complete.  Strings go into a.  Errors: ERR_USAGE naming what is wrong. */
int reference_parse(const char *s, struct arena *a, struct reference *out, struct err *e);

/* "docker.io/library/debian:12": unique, what the store files an image under. */
const char *reference_canonical(struct arena *a, const struct reference *r);

/* The canonical form of a name that something is to get: a digest cannot be given away.
 * Errors: ERR_USAGE. */
int reference_tagged(const char *s, struct arena *a, const char **canonical, struct err *e);

/* The short form of a canonical name, as users write it: "debian:12". */
const char *reference_familiar(struct arena *a, const char *canonical);

/* Split a canonical name where ':' or '@' begins the tag or digest: the length of what is before.
 */
unsigned int reference_repository(const char *canonical);

#endif
