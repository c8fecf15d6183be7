/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribution - a repository of a registry: images from there, and to there (registry/upload.h).
 * Source: OCI distribution-spec v1.1; token authentication as the distribution project describes
 * it.
 */
#ifndef REGISTRY_DISTRIBUTION_H
#define REGISTRY_DISTRIBUTION_H

#include "base/arena.h"
#include "fmt/oci_image.h"
#include "registry/hostconf.h"

#include <stdbool.h>

struct distribution;
struct err;
struct source;
struct transfer;

struct distribution_opts {
	const char *host;	    /* "docker.io", "localhost:5000" */
	const char *repository;	    /* "library/debian"; NULL: only to log in, without the
				     * credentials that are configured, or to search */
	const char *home;	    /* where .docker/config.json is, or NULL */
	const char *docker_config;  /* directory that replaces it, or NULL */
	const char *credentials;    /* a config.json in the place of both, or NULL */
	const char *ca_file;	    /* authorities in place of tls's, or NULL */
	struct hostconf_tls tls;    /* borrowed */
	bool insecure;		    /* plain HTTP, or a certificate that cannot be checked */
	long stall_seconds;	    /* 0: default */
	bool mirror;		    /* others are asked after it: little patience */
	bool push, remove;	    /* ask for the right to write, or to remove */
	bool search;		    /* ask the index, in the place of a repository */
	struct strs from;	    /* repositories there that blobs may be mounted from */
	const char *const *environ; /* for a credential helper */
};

/* Reads the credentials; nothing is sent yet. */
int distribution_open(const struct distribution_opts *o, struct source **out, struct err *e);

/* One request: over plain HTTP where TLS fails on loopback, through redirects and logging in.
 * where: "" for the registry itself, "blobs/..." in the repository (or in an index), or a whole
 * address that the registry gave.  *logins counts across calls.  0 when an answer came that is
 * neither a redirect nor a first 401; look at t->status. */
int distribution_exchange(struct distribution *d, struct transfer *t, const char *where,
			  int *logins, struct arena *a, struct err *e);

#define DISTRIBUTION_ACCEPT                                                                        \
	OCI_TYPE_INDEX ", " OCI_TYPE_MANIFEST ", " DOCKER_TYPE_LIST ", " DOCKER_TYPE_MANIFEST

/* A whole document (with redirects, logins, retries), at most out->max bytes; strings of *got in a.
 * what: in errors, "registry 'x' has no WHAT".  got->status is set on failure, too. */
struct distribution_answer {
	long status;
	const char *media_type, *link;
};
int distribution_document(struct distribution *d, const char *path, const char *accept,
			  const char *what, struct buf *out, struct distribution_answer *got,
			  struct arena *a, struct err *e);

/* The error for a status; what: "manifest 'x'".  Never 0. */
int distribution_refused(const struct distribution *d, const char *what, long status,
			 struct err *e);
/* May it answer differently when asked again? */
bool distribution_passing(long status);
/* Wait before that: longer each time, or `asked` seconds within reason. */
void distribution_pause(int fruitless, long asked);
const char *distribution_name(const struct distribution *d);

#endif
