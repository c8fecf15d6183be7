/* SPDX-License-Identifier: Apache-2.0 */
/* devices - /dev of an instance: nodes, links, the terminal.
 * Source: runtime-spec 1.2, config-linux.md, "Default Devices"; runtime-linux.md, "Dev symbolic
 * links". */
#ifndef RUNTIME_DEVICES_H
#define RUNTIME_DEVICES_H

struct err;
struct job;

/* Default and listed devices and links, below j->root, before the old root goes away (nodes that
 * may not be made are bound from the host's).  Nothing when the plan binds a whole /dev. */
int devices_make(struct job *j, struct err *e);

/* A new terminal of the instance's devpts; the master goes to the parent, the slave is put on
 * /dev/console (not for exec) and left in j->slave. */
int devices_console(struct job *j, struct err *e);

/* A descriptor of the real /dev/null of the mount namespace we are in, whatever lies there. */
int devices_null(struct err *e);

#endif
