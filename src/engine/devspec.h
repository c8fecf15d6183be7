/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devspec - what stands behind --device and --device-cgroup-rule.
 *
 * The device is looked up on the host when the instance is created, so that a wrong one is refused,
 * and again at each start, because numbers may change between.
 */
#ifndef ENGINE_DEVSPEC_H
#define ENGINE_DEVSPEC_H

struct arena;
struct err;
struct plan_device_rules;
struct plan_devices;
struct request;

/* The parts of HOST[:INSIDE][:ACCESS].  ERR_USAGE, ERR_UNSUPPORTED a CDI name. */
struct devspec {
	const char *host, *inside, *access;
};
int devspec_parse(const char *said, struct arena *a, struct devspec *out, struct err *e);

/* Nodes to make and rules to add behind those that everybody has.  Errors: ERR_USAGE naming what
 * was typed, ERR_NOT_FOUND no such device, ERR_UNSUPPORTED a VM is asked for a device of the host's
 * hardware. */
int devspec_build(const struct request *q, struct arena *a, struct plan_devices *devices,
		  struct plan_device_rules *rules, struct err *e);

#endif
