/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cninet - networks that plugins of the Container Network Interface make: `--network cni:NAME`.
 *
 * The configuration is the first by that name in /etc/cni/net.d (or the directory that NETCONFPATH
 * names), by the order of its files; plugins are programs in CNI_PATH, else in /opt/cni/bin,
 * /usr/lib/cni and /usr/libexec/cni.  run-root/net/cni/<id>.json holds what DEL needs and is
 * written before ADD; run-root/net/cni/<id>.ns is the instance's network namespace, mounted there
 * so that it can be taken apart by the plugins when the instance has ended or was killed. Source:
 * CNI specification 1.0.0, sections 2 to 4.
 */
#ifndef NET_CNINET_H
#define NET_CNINET_H

#include "base/arena.h"
#include "fmt/cni.h"

#include <stdbool.h>

struct attachment_ports;
struct err;

#define CNINET_PREFIX "cni:"

/* The name behind "cni:", or NULL: not such a network. */
const char *cninet_name(const char *network);

/* Whether there is such a configuration: ERR_NOT_FOUND, and what cni_list_parse() says. */
int cninet_find(const char *name, struct arena *a, struct cni_list *out, struct err *e);

/* ADD, by each plugin in its order.  ns: the namespace, in which the interface is called eth0.
 * After an error everything is undone.  CHECK, which a runtime may ask for, is not: portmap of the
 * reference plugins (1.1.1) then looks for IPv6 rules where there is no IPv6.
 * Errors: ERR_UNSUPPORTED ports but no plugin for them, a plugin that is not there; ERR_SYSTEM with
 * what a plugin said. */
int cninet_add(int net_fd, const char *id, const char *name, int ns,
	       const struct attachment_ports *ports, struct arena *a, struct cni_result *out,
	       struct err *e);

/* DEL, by each in the opposite order, all of them whatever one says.  What was never added, or is
 * gone, is success.  Until it is one, the state stays. */
int cninet_del(int net_fd, const char *id, struct err *e);

#endif
