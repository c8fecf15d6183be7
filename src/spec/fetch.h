/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - what the engine and caisson-fetch say to each other (docs/protocols/fetch.md).
 *
 * Packets of a SOCK_SEQPACKET pair, one JSON object each, descriptors beside it.  The engine asks,
 *the program answers each request (same id) with any number of "got" and one "ok" or "error".
 *
 *	list			fd 0: the JSON array of what the source holds is written there
 *	manifest ref		fd 0: the document; answer has digest, size, media_type
 *	blob digest size have	fd 0: the bytes; fd 1, if given: the same bytes, as they come
 *	push-blob digest size from	fd 0: the bytes, a regular file; answer has how
 *	have digest size from	no descriptor; answer has how
 *	push-manifest ref digest size media_type	fd 0: the document, a regular file
 *	referrers digest media_type	fd 0: an index; media_type: of these artifacts only, or none
 *	search ref size		fd 0: at most size of what the registry's index knows for the term
 *ref get ref			fd 0: the bytes behind the address ref; answer has digest, size and
 *				modified
 *	remove ref		no descriptor; answer has how: the tag or digest that went
 *	login user secret	no descriptor: does the registry take them?
 */
#ifndef SPEC_FETCH_H
#define SPEC_FETCH_H

#include "fmt/jbind.h"

#include <stdint.h>

struct arena;
struct buf;
struct err;

#define FETCH_PACKET_MAX 16384
#define FETCH_LIST_MAX	 (16u << 20)

struct fetch_msg {
	uint64_t id;
	const char *op;	  /* "list", "manifest", "blob", "push-blob", "push-manifest", "login",
			   * "referrers", "remove", "get", "search";
			   * answers: "got", "ok", "error" */
	const char *ref;  /* manifest: tag, digest, or NULL for the only one */
	const char *from; /* push-blob: repository that likely has it, or NULL */
	const char *how;  /* answer to push-blob: "exists", "mounted", "uploaded"; to have:
			   * one of the first two or "absent" */
	const char *user, *secret; /* login */
	const char *digest;	   /* blob, and answer to manifest */
	const char *media_type;
	uint64_t have;	   /* blob: that many bytes of it are in the file */
	uint64_t size;	   /* blob: bytes it must have; answers: bytes there are, or have moved */
	uint64_t modified; /* answer to get: seconds since 1970; 0: not said */
	uint32_t kind;	   /* error: enum err_kind */
	const char *message;
};

/* One entry of a list. */
struct fetch_item {
	const char *name; /* as the source says it: a tag, a reference, or NULL */
	const char *ref;  /* what to ask the manifest by */
};
struct fetch_items {
	struct fetch_item *v;
	size_t n;
};
struct fetch_list {
	struct fetch_items images;
};

int fetch_parse(const char *text, size_t len, struct arena *a, struct fetch_msg *out,
		struct err *e);
void fetch_print(const struct fetch_msg *m, struct buf *out);

int fetch_parse_list(const char *text, size_t len, struct arena *a, struct fetch_list *out,
		     struct err *e);
void fetch_print_list(const struct fetch_list *l, struct buf *out);

/* What an index answers to a search: its own JSON (v1 search of Docker's registry), of which this
 * is read; other members of it are passed over. */
#define FETCH_FOUND_MAX (4u << 20) /* bytes of the document */
struct fetch_found {
	const char *name, *description; /* a stranger's text; NULL when not said */
	int64_t stars;
	bool official, automated;
};
struct fetch_founds {
	struct fetch_found *v;
	size_t n;
};
struct fetch_search {
	struct fetch_founds results;
};
int fetch_parse_search(const char *text, size_t len, struct arena *a, struct fetch_search *out,
		       struct err *e);
void fetch_print_search(const struct fetch_search *l, struct buf *out);

/* *e as an answer; an answer as *e, its text made harmless.  Returns the negative errno. */
void fetch_from_err(struct fetch_msg *m, const struct err *e);
int fetch_to_err(const struct fetch_msg *m, struct err *e);

#endif
