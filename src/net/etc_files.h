/* SPDX-License-Identifier: Apache-2.0 */
/* etc_files - what an instance reads in /etc/resolv.conf, /etc/hosts and /etc/hostname. */
#ifndef NET_ETC_FILES_H
#define NET_ETC_FILES_H

#include "base/arena.h"

#include <stdbool.h>

struct attach_request;
struct err;

/* resolv.conf: q's servers, search list and options, each the host's when q names none.  When
 * host_net is false, servers that only the host itself can reach are left out; without any
 * left, those of systemd-resolved's upstream file, and at last 8.8.8.8 and 8.8.4.4, as Docker does.
 * own: an address where the network itself answers names (NULL: nowhere); then it is the server,
 * and asks the others.  Errors: ERR_USAGE a server that is no address, a search domain or option
 * with a space. */
int etc_files_resolv_conf(const struct attach_request *q, bool host_net, const char *own,
			  struct arena *a, const char **text, struct err *e);

/* The servers that such a network asks for q: those of q, or the host's, which are asked from the
 * host, so that its own (127.0.0.53) serve too. */
int etc_files_upstream(const struct attach_request *q, struct arena *a, struct strs *out,
		       struct err *e);

/* hosts: localhost, q's extra hosts ("name:address", "host-gateway" is gateway), and the instance
 * itself at its addresses (NULL: 127.0.1.1).  Errors: ERR_USAGE a malformed extra host. */
int etc_files_hosts(const struct attach_request *q, const struct strs *addresses,
		    const char *gateway, struct arena *a, const char **text, struct err *e);

#endif
