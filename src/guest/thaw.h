/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thaw - a guest that is frozen before it belongs to anybody, and what goes on from there.
 *
 * Disks and interfaces are another machine's when it goes on, of another size, another address.  So
 * their drivers let go of them before, and find them anew.
 */
#ifndef GUEST_THAW_H
#define GUEST_THAW_H

struct err;

/* Load what a guest may need later, unbind disks and interfaces. */
int thaw_prepare(struct err *e);
/* Bind what has no driver. */
int thaw_wake(struct err *e);

#endif
