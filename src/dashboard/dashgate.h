/* SPDX-License-Identifier: Apache-2.0 */
/* dashgate - whether a request may come in: the secret, and that it is our own page that asks. */
#ifndef DASHBOARD_DASHGATE_H
#define DASHBOARD_DASHGATE_H

#include "httpd/httpd.h"

struct http_request;

#define DASHGATE_SECRET 64 /* hexadecimal digits */
#define DASHGATE_URL	(DASHGATE_SECRET + HTTPD_ADDRESS_MAX + 16)

struct dashgate {
	char host[HTTPD_ADDRESS_MAX]; /* "127.0.0.1:41234", as bound */
	char secret[DASHGATE_SECRET + 1];
};

/* A new secret. */
int dashgate_init(struct dashgate *g);
void dashgate_url(const struct dashgate *g, char out[DASHGATE_URL]);

/* 0: it may, and *path is what is behind the secret ("/" and more).  403: a name that is not ours
 * or a foreign page; 404: without the secret. */
int dashgate_pass(const struct dashgate *g, const struct http_request *r, const char **path);

#endif
