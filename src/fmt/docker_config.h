/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_config - the credentials in ~/.docker/config.json.
 *
 * "auths" maps a registry to "auth", the base64 of "user:password".  Docker Hub's key is
 * "https://index.docker.io/v1/"; for others the host and port, with or without scheme and path.
 */
#ifndef FMT_DOCKER_CONFIG_H
#define FMT_DOCKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

#define DOCKER_CONFIG_MAX (1u << 20)

struct docker_config {
	const char *user, *password; /* NULL: none for this registry */
	bool helper;		     /* a credential helper is configured for it */
};

/* host: "docker.io", "localhost:5000". */
int docker_config_lookup(const char *text, size_t len, const char *host, struct arena *a,
			 struct docker_config *out, struct err *e);

/* Padded standard base64 (RFC 4648, section 4); NULL when malformed or when it holds a NUL byte. */
const char *docker_config_base64(const char *s, struct arena *a);

#endif
