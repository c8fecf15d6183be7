/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard - a page on loopback: what runs, what it uses, and the buttons for it.
 *
 * Whoever has the address may do what the caller may, so the address holds a secret of 256 bits as
 * its first segment: http://127.0.0.1:PORT/SECRET/.  Not a cookie, because browsers send those to
 * every port of a host, and another port of this one may be a container's.  Names that resolve to
 * loopback and other pages' requests are refused besides (Host, Origin).  Below the secret:
 * the page (app.js, app.css), api/ (the Engine API, api/apianswer.h), and what that has not: feed,
 * report, instances/NAME/clone and snapshot.  No state of its own.
 */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

struct err;
struct session;

struct dashboard_opts {
	const char *listen; /* "127.0.0.1:0" */
	/* Once it listens, with the page's address. */
	void (*ready)(const char *url, void *arg);
	void *arg;
};

/* Until SIGTERM or SIGINT.  ERR_UNSUPPORTED the page was not built, ERR_USAGE the address is not
 * loopback. */
int dashboard_run(struct session *s, const struct dashboard_opts *o, struct err *e);

#endif
