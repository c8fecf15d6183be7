/* SPDX-License-Identifier: Apache-2.0 */
/* registry_ctl - what is asked of a registry without bringing an image from there: tags,
 * manifests, what refers to one, and removal. */
#ifndef ENGINE_REGISTRY_CTL_H
#define ENGINE_REGISTRY_CTL_H

#include <stddef.h>

struct arena;
struct err;
struct store;
struct strs;

/* Tags of a repository (a name without tag), sorted. */
int registry_ctl_tags(struct store *s, const char *name, struct arena *a, struct strs *out,
		      struct err *e);

/* A document, as the registry has it. */
struct registry_ctl_doc {
	const char *text, *digest, *media_type;
	size_t len;
};
int registry_ctl_manifest(struct store *s, const char *name, struct arena *a,
			  struct registry_ctl_doc *out, struct err *e);
/* The same, and for which platforms it is: of an index those that it names, for one image what its
 * configuration says. */
struct oci_platform;
struct registry_ctl_platforms {
	const struct oci_platform **v;
	size_t n;
};
int registry_ctl_describe(struct store *s, const char *name, struct arena *a,
			  struct registry_ctl_doc *out, struct registry_ctl_platforms *platforms,
			  struct err *e);
/* An index of what refers to an image; artifact_type: only that, or NULL. */
int registry_ctl_referrers(struct store *s, const char *name, const char *artifact_type,
			   struct arena *a, struct registry_ctl_doc *out, struct err *e);
/* *removed: the name that went; by digest where the registry removes nothing smaller. */
int registry_ctl_remove(struct store *s, const char *name, struct arena *a, const char **removed,
			struct err *e);

#endif
