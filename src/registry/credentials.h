/* SPDX-License-Identifier: Apache-2.0 */
/* credentials - the user's password for a registry: from config.json or a credential helper. */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

struct arena;
struct docker_config;
struct err;

struct credentials_opts {
	const char *host;	    /* "docker.io", "localhost:5000" */
	const char *home;	    /* where .docker/config.json is, or NULL */
	const char *docker_config;  /* directory that replaces it, or NULL */
	const char *file;	    /* a config.json in the place of both, or NULL */
	const char *const *environ; /* of which a helper gets a part */
};

/* Without any, out->user is NULL and 0 is returned.  What the helper says goes before what
 * config.json says.  A helper that is not installed is passed over as if it knew nothing, so that
 * public images can be had with a config.json from another machine; one that fails is an error. */
int credentials_read(const struct credentials_opts *o, struct arena *a, struct docker_config *out,
		     struct err *e);

#endif
