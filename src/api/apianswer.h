/* SPDX-License-Identifier: Apache-2.0 */
/* apianswer - one request of the Engine API to its answer, whoever let it in: the API's own server
 * (api.h) and the dashboard's. */
#ifndef API_APIANSWER_H
#define API_APIANSWER_H

#include <stdbool.h>

struct err;
struct exchange;
struct session;

/* raw: the path as it was sent, with or without /v1.NN before it.  That the caller may ask is not
 * looked at here.  log: a line on stderr. */
int apianswer(struct session *s, struct exchange *x, const char *raw, bool log, struct err *e);
/* {"message": why} */
int apianswer_refuse(struct exchange *x, int status, const char *why, struct err *e);
/* For httpd_opts.fail: an error in docker's shape, with the status of its kind. */
void apianswer_fail(struct exchange *x, const struct err *why, void *arg);

#endif
