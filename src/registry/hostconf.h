/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostconf - what this machine's files say about a registry: mirrors and such (registries.conf),
 * and certificates (certs.d).  Read before anything comes from the network.
 *
 * registries.conf: $CAISSON_REGISTRIES_CONF alone, or ~/.config/containers/registries.conf, else
 * /etc/caisson/registries.conf, else /etc/containers/registries.conf, and then
 * /etc/containers/registries.conf.d/ in order of names.
 * certs.d/HOST[:PORT]: *.crt are further authorities, X.cert and X.key a client's certificate; in
 * ~/.config/containers, /etc/caisson, /etc/containers, /etc/docker; of each kind the first counts.
 */
#ifndef REGISTRY_HOSTCONF_H
#define REGISTRY_HOSTCONF_H

struct arena;
struct err;
struct registries_targets;

struct hostconf_opts {
	const char *registries_conf; /* NULL: the usual ones */
	const char *home;	     /* NULL: no user's files */
	const char *config_home;     /* in place of ~/.config, or NULL */
};

/* Errors: ERR_DENIED blocked, ERR_CORRUPT a file is malformed. */
int hostconf_targets(const struct hostconf_opts *o, const char *host, const char *repository,
		     struct arena *a, struct registries_targets *out, struct err *e);

struct hostconf_tls {
	const char *ca_pem;		/* authorities beside the system's, or NULL */
	const char *cert_pem, *key_pem; /* the client's, or NULL */
};
int hostconf_tls(const struct hostconf_opts *o, const char *host, struct arena *a,
		 struct hostconf_tls *out, struct err *e);

#endif
