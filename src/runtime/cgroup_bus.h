/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_bus - a connection to systemd: its private socket or a message bus, spoken directly, so
 * that the run path does not load libsystemd (3 to 5 of crun's 6 ms).  Every wait has a deadline.
 */
#ifndef RUNTIME_CGROUP_BUS_H
#define RUNTIME_CGROUP_BUS_H

#include "fmt/dbus.h"

struct cgroup_bus;

/* path: a socket ("/run/systemd/private" needs no bus behind it); NULL: systemd's private socket
 * for root, else the bus of the system or, without root, of the user.
 * Errors: ERR_UNSUPPORTED nobody listens there, ERR_DENIED it does not want us. */
int cgroup_bus_open(const char *path, struct cgroup_bus **bus, struct err *e);
void cgroup_bus_close(struct cgroup_bus *bus);

/* Call a method of systemd's manager object; returns when it replied.  *name (128 bytes, may be
 * NULL) is the D-Bus error name when that is what it replied; then ERR_SYSTEM with its text. */
int cgroup_bus_call(struct cgroup_bus *bus, const char *member, const char *signature,
		    const struct buf *body, char *name, struct err *e);

/* Wait until systemd's job for unit has ended; also one that ended since the last call.
 * Errors: ERR_SYSTEM with its result ("failed"), ERR_TIMEOUT after 30 s. */
int cgroup_bus_job(struct cgroup_bus *bus, const char *unit, struct err *e);

static inline void cgroup_bus_close_ptr(struct cgroup_bus **bus)
{
	cgroup_bus_close(*bus);
}
#define auto_cgroup_bus __attribute__((cleanup(cgroup_bus_close_ptr)))

#endif
