/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owners - mounts with the option "chown" (of ours: `-v ...:U`): all that lies in them belongs to
 * the process's user and group before it starts.
 */
#ifndef RUNTIME_OWNERS_H
#define RUNTIME_OWNERS_H

struct err;
struct plan_mounts;
struct plan_user;

/* Call with the instance's root as "/", every capability still there and the user resolved.  Other
 * instances may change the same files meanwhile: everything goes by descriptors, no link is
 * followed and no mount below entered.  As chown(2), it takes set-user-ID bits off files that
 * change hands.  Errors: ERR_SYSTEM naming the mount; ERR_UNSUPPORTED its file system keeps no
 * owners. */
int owners_apply(const struct plan_mounts *mounts, const struct plan_user *user, struct err *e);

#endif
