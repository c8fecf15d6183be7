/* SPDX-License-Identifier: Apache-2.0 */
/* apicall - one request on its way through a route, and what the routes share. */
#ifndef API_APICALL_H
#define API_APICALL_H

#include "base/arena.h"
#include "base/buf.h"
#include "engine/dockerinfo.h"
#include "httpd/exchange.h"

#include <stdbool.h>
#include <stdint.h>

struct apiroute;
struct err;
struct lookup;
struct session;

#define APICALL_VERSION	    DOCKERINFO_API
#define APICALL_VERSION_MIN DOCKERINFO_API_MIN
#define APICALL_BODY_MAX    (1u << 20)
#define APICALL_ANSWER_MAX  (64u << 20)

struct apicall {
	struct session *s;
	struct exchange *x;
	struct arena *a;
	const struct apiroute *route;
	const char *id;	    /* what the path names, decoded */
	unsigned int minor; /* of the version that the path asks for, 1.MINOR */
	bool log;
};

/* ---- parameters of the query ---- */

/* NULL where it is absent or empty. */
const char *apicall_query(struct apicall *c, const char *name);
/* As docker reads them: "", "0", "no", "false" and "none" are false. */
bool apicall_yes(struct apicall *c, const char *name);
/* absent: *out stays.  ERR_USAGE: no number in [min, max]. */
int apicall_number(struct apicall *c, const char *name, int64_t min, int64_t max, int64_t *out,
		   struct err *e);
/* filters={"status":["exited"]}, or {"status":{"exited":true}} as old clients send it, as
 * KEY=VALUE each. */
int apicall_filters(struct apicall *c, struct strs *out, struct err *e);
/* Seconds, with a fraction, since the epoch. */
int apicall_time(struct apicall *c, const char *name, int64_t *ns, struct err *e);

/* The body, at most APICALL_BODY_MAX bytes; "{}" when there is none. */
int apicall_body(struct apicall *c, struct buf *out, struct err *e);
/* The instance that the path names. */
int apicall_instance(struct apicall *c, struct lookup *out, struct err *e);

/* From here on the handler only waits and writes: its process ends when the client has gone, which
 * calls into the engine would not see. */
void apicall_leave_with_client(struct apicall *c);

/* ---- answers ---- */

int apicall_json(struct apicall *c, int status, const struct buf *b, struct err *e);
int apicall_nothing(struct apicall *c, struct err *e); /* 204 */
int apicall_refuse(struct apicall *c, int status, const char *message, struct err *e);

#endif
