/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubedoc - the objects of a YAML (or JSON) file, read and checked.
 *
 * What one machine cannot do is refused by name when it changes what the workload is; what only
 * guides a cluster, and what is not known, becomes a warning.
 */
#ifndef KUBE_KUBEDOC_H
#define KUBE_KUBEDOC_H

#include "kube/kubespec.h"

struct err;

struct kubedoc {
	struct kubespec_object *v;
	size_t n;
	struct strs warnings; /* a line each, without end */
};

/* Append the objects of text.  what names it in errors.  Errors: ERR_CORRUPT no YAML, or not of an
 * object's form; ERR_LIMIT; ERR_UNSUPPORTED; ERR_USAGE values that mean nothing. */
int kubedoc_read(const char *text, size_t len, const char *what, struct arena *a,
		 struct kubedoc *out, struct err *e);

/* The ConfigMap or Secret of that name, or NULL. */
const struct kubespec_object *kubedoc_find(const struct kubedoc *d, const char *kind,
					   const char *name);
__attribute__((format(printf, 3, 4))) void kubedoc_warn(struct kubedoc *d, struct arena *a,
							const char *fmt, ...);

/* A DNS label (63) or subdomain (253).  Source: RFC 1123. */
bool kubedoc_is_label(const char *s);
bool kubedoc_is_name(const char *s);
/* A relative path without "..". */
bool kubedoc_is_inside(const char *path);

#endif
