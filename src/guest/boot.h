/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot - what process 1 of the virtual machine does before it can talk: file systems, modules, the
 * agent's port.  Every failure here ends the machine, so the texts are written for its console.
 */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

struct err;

/* Kernel file systems on a tmpfs root that can be pivoted away from (the initramfs cannot), at
 * /proc /sys /dev /run; lo is up.  The initramfs stays reachable for boot_modules(). */
int boot_mounts(struct err *e);

/* Load the modules of a group of /modules/list ("boot" "late" "net" "share") in order.  One that is
 * loaded already is fine; a group without modules too (they are built in). */
int boot_modules(const char *group, struct err *e);

/* Open the virtio-serial port named "caisson", non-blocking, once the host has connected it. */
int boot_port(struct err *e);

#endif
