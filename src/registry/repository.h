/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repository - what else is asked of a repository: its tags, what refers to an image, and to
 * remove; and of a registry, which repositories it has for a term.  Source: OCI distribution-spec
 * v1.1, "Content Discovery" and "Content Management".
 */
#ifndef REGISTRY_REPOSITORY_H
#define REGISTRY_REPOSITORY_H

#include <stdint.h>

struct arena;
struct buf;
struct distribution;
struct err;
struct fetch_list;

#define REPOSITORY_TAGS_MAX  100000
#define REPOSITORY_PAGES_MAX 250

/* All of them, through every page; the items' names. */
int repository_tags(struct distribution *d, struct arena *a, struct fetch_list *out, struct err *e);

/* An index of what says that it is about digest; artifact_type: only that, or NULL.  Where the
 * registry has no such list, the tag "sha256-HEX" is read, which clients keep in its place. */
int repository_referrers(struct distribution *d, const char *digest, const char *artifact_type,
			 struct buf *out, struct err *e);

/* Remove a tag, or a manifest with all its tags by digest.  A registry that knows only the latter
 * is asked to remove the manifest of the tag.  *removed: what went, tag or digest. */
int repository_remove(struct distribution *d, const char *ref, struct arena *a,
		      const char **removed, struct err *e);

/* What the index (a distribution opened to search) knows for a term, at most limit, as spec/fetch.h
 * has it.  ERR_UNSUPPORTED: the registry has no search.  Source: the v1 search of Docker's
 * registry, as docker asks it. */
int repository_search(struct distribution *d, const char *term, uint64_t limit, struct buf *out,
		      struct err *e);

#endif
