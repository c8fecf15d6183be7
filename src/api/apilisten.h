/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apilisten - where the API is spoken, and who may speak there.
 *
 * A unix socket of our own (mode 0600, or 0660 with a group), unix sockets that systemd passed
 * (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, from descriptor 3 on), or a TCP port behind TLS with
 * client certificates.  The mode of a socket decides who may connect; because a mode is easily
 * changed and a descriptor easily handed on, whoever connected is asked for as well (SO_PEERCRED).
 */
#ifndef API_APILISTEN_H
#define API_APILISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct api_opts;
struct arena;
struct err;
struct session;

#define APILISTEN_MAX 8

struct apilisten {
	int fds[APILISTEN_MAX];
	const char *names[APILISTEN_MAX]; /* "unix:///run/caisson.sock", in the arena */
	size_t n;
	bool tls;

	/* private */
	int dir; /* of the socket that is ours to remove; -1: none is */
	const char *name;
	bool has_group;
	uint32_t gid;
};

/* ERR_USAGE an address or options that do not fit together, ERR_UNSUPPORTED TCP without
 * certificates, ERR_EXISTS somebody listens there. */
int apilisten_open(struct session *s, const struct api_opts *o, struct arena *a,
		   struct apilisten *out, struct err *e);
/* Also removes a socket of our own. */
void apilisten_close(struct apilisten *l);

/* Whether who is at the other end of a unix connection may ask: root, the server's own user, a
 * member of the group.  ERR_DENIED says who it was. */
int apilisten_peer(const struct apilisten *l, int fd, struct err *e);

/* TLS is ended by a process of its own (caisson-tls): it takes fd, *relay is its pid, and what is
 * returned is the plain side. */
int apilisten_tls(struct session *s, const struct api_opts *o, int fd, pid_t *relay, struct err *e);

#endif
