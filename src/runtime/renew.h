/* SPDX-License-Identifier: Apache-2.0 */
/* renew - files that say which machine this is, in a root that began as another instance's. */
#ifndef RUNTIME_RENEW_H
#define RUNTIME_RENEW_H

struct err;

/* /etc/machine-id and dbus's, where they are and say something, become machine_id (32 hex digits);
 * ssh host keys go: who starts an ssh server makes new ones (ssh-keygen -A).  A root that cannot be
 * written to has nothing of its own to renew. */
int renew_files(int root_fd, const char *machine_id, struct err *e);

#endif
