/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_login - passwords for registries, kept where docker keeps them: in config.json of
 * $DOCKER_CONFIG or ~/.docker, or with the credential helper that it names.  config.json is
 * replaced as a whole (mode 0600, by rename, under a lock of ours on its directory); what it says
 * of other things stays.
 */
#ifndef ENGINE_REGISTRY_LOGIN_H
#define ENGINE_REGISTRY_LOGIN_H

struct arena;
struct err;
struct session;

#define REGISTRY_LOGIN_USER_MAX	  256
#define REGISTRY_LOGIN_SECRET_MAX 4096 /* bytes; a packet to caisson-fetch must hold it, escaped   \
					*/

/* "https://index.docker.io/v1/", "docker.io", NULL: "docker.io"; "https://r.example/" is
 * "r.example".  ERR_USAGE what is no registry's name. */
int registry_login_host(const char *typed, struct arena *a, const char **host, struct err *e);

/* Ask the registry whether it takes them, then keep them.  *where: the file or helper.
 * ERR_USAGE, ERR_DENIED the registry refuses. */
struct registry_login {
	const char *host, *user, *secret;
};
int registry_login_run(struct session *s, const struct registry_login *l, struct arena *a,
		       const char **where, struct err *e);

/* Only ask. */
int registry_login_check(struct session *s, const struct registry_login *l, struct err *e);

/* Forget them.  Returns whether there were any. */
int registry_login_erase(struct session *s, const char *host, struct err *e);

#endif
