/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_config - the credentials in ~/.docker/config.json, looked up and changed.
 *
 * "auths" maps a registry to "auth", the base64 of "user:password".  Docker Hub's key is
 * "https://index.docker.io/v1/"; for others the host and port, with or without scheme and path.
 * "credHelpers" maps a registry, and "credsStore" all others, to a helper program that keeps them
 * (fmt/credential_helper.h); "auths" then has only an empty object.
 */
#ifndef FMT_DOCKER_CONFIG_H
#define FMT_DOCKER_CONFIG_H

#include <stddef.h>

struct arena;
struct buf;
struct err;

#define DOCKER_CONFIG_MAX (1u << 20)

struct docker_config {
	const char *user, *password; /* NULL: none for this registry */
	const char *identity;	     /* an identity token, which goes before them; or NULL */
	const char *helper;	     /* name of the credential helper configured for it, or NULL */
};

/* host: "docker.io", "localhost:5000". */
int docker_config_lookup(const char *text, size_t len, const char *host, struct arena *a,
			 struct docker_config *out, struct err *e);

/* Only which helper keeps the password, NULL: none does. */
int docker_config_helper(const char *text, size_t len, const char *host, struct arena *a,
			 const char **out, struct err *e);

/* Its key in "auths", and what a helper is asked for. */
const char *docker_config_key(const char *host);

/* The document with this registry's entry in "auths" replaced by user and password, by an empty
 * object (password NULL), or without it (user NULL too); all that it does not mean stays as it is.
 * text NULL: there is no document yet.  Returns whether there was an entry. */
int docker_config_edit(const char *text, size_t len, const char *host,
		       const struct docker_config *entry, struct buf *out, struct err *e);

#endif
