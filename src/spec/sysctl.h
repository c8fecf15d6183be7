/* SPDX-License-Identifier: Apache-2.0 */
/* sysctl - which namespace owns a kernel setting: only those of an instance's own namespaces may be
 * set, all others are the host's. */
#ifndef SPEC_SYSCTL_H
#define SPEC_SYSCTL_H

/* key: "net.ipv4.ip_forward" or "net/ipv4/ip_forward".  "network", "ipc" or "uts"; "" for what is
 * the host's; NULL for what is no name.  Source: Linux 6.18, ipc/ipc_sysctl.c, ipc/mq_sysctl.c,
 * kernel/utsname_sysctl.c; all of net/ is per network namespace or read-only in others. */
const char *sysctl_owner(const char *key);

#endif
