/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - the Docker Engine API on a unix socket or behind TLS: one more front end of the engine,
 * without state.
 *
 * Every connection is a process (httpd/httpd.h) with a session of its own, because locks of the
 * store belong to a descriptor, which a fork would share.  If it dies, nothing that runs notices.
 * Whoever may open the socket is root on this host, as with docker's: mode 0600, or 0660 with a
 * group.
 * Source: Docker Engine API v1.24 to v1.47.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>

struct buf;
struct err;
struct session;

struct api_opts {
	/* "unix:///PATH" or "tcp://ADDRESS:PORT"; NULL: what systemd passed, or else
	 * unix:///run/caisson.sock */
	const char *listen;
	/* TCP: files of the authority of the clients' certificates, and of the server's own */
	const char *tls_ca, *tls_cert, *tls_key;
	bool tls_verify;   /* was asked for by name; it is so in any case */
	const char *group; /* that may connect, too; NULL: none */
	int leave_seconds; /* end when nobody was there for so long; 0: never */
	bool log;	   /* each request on stderr */
	void (*ready)(const char *listen, void *arg);
	void *arg;
};

/* Until SIGTERM or SIGINT.  ERR_USAGE the address, ERR_UNSUPPORTED tcp without
 * certificates, ERR_EXISTS somebody listens
 * there. */
int api_run(struct session *s, const struct api_opts *o, struct err *e);

/* docs/api/routes.md, from the table. */
void api_routes(struct buf *out);

#endif
