/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cni - documents of the Container Network Interface: a network's configuration, and what a plugin
 * answers.
 *
 * The administrator writes the one, plugins of his choice the other; both are bounded all the same.
 * Source: CNI specification 1.0.0, sections 1 and 5 (and 0.3.0 to 0.4.0, whose results have the
 * same members).
 */
#ifndef FMT_CNI_H
#define FMT_CNI_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;

#define CNI_CONF_MAX	(64u << 10) /* bytes */
#define CNI_RESULT_MAX	(256u << 10)
#define CNI_PLUGINS_MAX 16
#define CNI_IPS_MAX	16

struct cni_plugin {
	const char *type; /* a file's name, no path */
	const char *text; /* its object, compact */
	bool portmap;	  /* has the capability portMappings */
};
struct cni_list {
	const char *name, *version;
	struct cni_plugin *v;
	size_t n; /* 1 to CNI_PLUGINS_MAX */
};

/* A configuration list, or the older form, one plugin alone.  what names the document.
 * Errors: ERR_CORRUPT no such document; ERR_UNSUPPORTED a version before 0.3.0. */
int cni_list_parse(const char *text, size_t len, const char *what, struct arena *a,
		   struct cni_list *out, struct err *e);

struct cni_ip {
	const char *address; /* "10.1.2.3/16" */
	const char *gateway; /* NULL: none */
};
struct cni_result {
	struct cni_ip v[CNI_IPS_MAX];
	size_t n;
	const char *mac;	     /* of the interface inside; NULL: not told */
	struct strs servers, search; /* "dns" */
};

/* ERR_CORRUPT naming what. */
int cni_result_parse(const char *text, size_t len, const char *what, struct arena *a,
		     struct cni_result *out, struct err *e);

/* What a plugin that failed says: its "msg" with "details", or NULL. */
const char *cni_failure(const char *text, size_t len, struct arena *a);

/* What plugin i is given on its standard input.  previous: the result of the one before, or of ADD,
 * NULL for none; ports: the JSON of portMappings, NULL for none, given to who is capable. */
int cni_input(const struct cni_list *l, size_t i, const char *previous, const char *ports,
	      struct buf *out, struct err *e);

#endif
