/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netdevices - linux.netDevices: network devices of the host that become the instance's.
 * Source: runtime-spec 1.3, config-linux.md, "Network devices".
 *
 * A device keeps its hardware address and MTU when it moves; its permanent addresses of global
 * scope, which the kernel drops, are given again, and it is brought up.  When the instance's
 * network namespace ends the kernel hands hardware back to the host's and destroys virtual devices.
 */
#ifndef RUNTIME_NETDEVICES_H
#define RUNTIME_NETDEVICES_H

struct err;

/* Names and shape.  json: the object of the plan. */
int netdevices_check(const char *json, struct err *e);

/* Move all from the caller's network namespace into that of ns_fd.  The caller's namespace is left
 * for a moment, and for good nowhere.  ERR_NOT_FOUND for a device that is not there. */
int netdevices_move(const char *json, int ns_fd, struct err *e);

#endif
