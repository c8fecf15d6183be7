/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registries_conf - where images of a registry are really asked for: mirrors, other locations,
 * registries that are blocked or do without TLS.
 *
 * Files of version 2 as containers/image has them: [[registry]] with prefix, location, insecure,
 * blocked, mirror-by-digest-only, and [[registry.mirror]] with location, insecure,
 * pull-from-mirror.  A short name means docker.io whatever they say (unqualified-search-registries
 * and aliases are not used: docs/decisions/0015).  Source: containers-registries.conf(5).
 */
#ifndef FMT_REGISTRIES_CONF_H
#define FMT_REGISTRIES_CONF_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

#define REGISTRIES_MAX	       1000 /* of all files */
#define REGISTRIES_MIRRORS_MAX 32   /* of one registry */

enum registries_for { REGISTRIES_ANY, REGISTRIES_DIGEST, REGISTRIES_TAG };

struct registries_place {
	const char *location; /* HOST[:PORT][/PATH]; NULL: the prefix itself */
	bool insecure;	      /* plain HTTP, or TLS without a certificate that can be checked */
	int only;	      /* enum registries_for: which references are asked for there */
};
struct registries_entry {
	const char *prefix; /* "example.com/team", "*.example.com" */
	struct registries_place self, mirrors[REGISTRIES_MIRRORS_MAX];
	size_t nmirrors;
	bool blocked, by_digest;
};
struct registries_conf {
	struct registries_entry *v[REGISTRIES_MAX];
	size_t n;
};

/* Add what a file says; an entry of the same prefix replaces that of an earlier file. */
int registries_conf_add(struct registries_conf *c, const char *text, size_t len, const char *what,
			struct arena *a, struct err *e);

/* Where to ask for HOST/REPOSITORY, in order: mirrors, then the registry itself, last. */
struct registries_target {
	const char *host, *repository;
	bool insecure;
	int only; /* enum registries_for */
};
struct registries_targets {
	struct registries_target v[REGISTRIES_MIRRORS_MAX + 1];
	size_t n;
};
/* ERR_DENIED blocked. */
int registries_conf_find(const struct registries_conf *c, const char *host, const char *repository,
			 struct arena *a, struct registries_targets *out, struct err *e);

#endif
