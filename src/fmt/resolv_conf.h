/* SPDX-License-Identifier: Apache-2.0 */
/* resolv_conf - the name server configuration of resolv.conf(5), as far as instances need it. */
#ifndef FMT_RESOLV_CONF_H
#define FMT_RESOLV_CONF_H

#include "base/arena.h"

#include <stdbool.h>

struct buf;

#define RESOLV_CONF_SIZE_MAX 65536 /* bytes of a file we look at */
#define RESOLV_CONF_WORDS_MAX                                                                      \
	64 /* of each kind; more are left out, as libc does beyond 3 and 6                         \
	    */

struct resolv_conf {
	struct strs servers; /* address, IPv6 perhaps with %zone */
	struct strs search;  /* the last "search" or "domain" line */
	struct strs options;
};

/* Lines that are not understood are skipped, as the resolver does; never fails. */
void resolv_conf_parse(const char *text, struct arena *a, struct resolv_conf *out);

/* Whether a server cannot be reached from another network namespace with IPv4 only: loopback,
 * unspecified, IPv6, or no address at all. */
bool resolv_conf_local(const char *server);

void resolv_conf_write(const struct resolv_conf *c, struct buf *out);

#endif
