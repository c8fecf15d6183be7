/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameproc - the process that answers instances' questions for names (src/names), one for the
 * store.
 *
 * It lives as long as there are records of networks with names; run-root/net/names is locked by it,
 * run-root/net/names.sock is its control socket.  Who writes such a record calls nameproc_start()
 * while he holds the lock of run-root/net, and it goes only with that lock held and no such record
 * there: so there is one whenever it is needed.  One that is killed comes back with the next such
 * record.
 */
#ifndef NET_NAMEPROC_H
#define NET_NAMEPROC_H

struct err;

/* Where it listens on the gateways; rules redirect port 53 to it.  Below the ports that the kernel
 * gives out, and nobody's that is known. */
#define NAMEPROC_PORT 30853

/* libexec: directory of caisson-names.  ERR_SYSTEM it cannot be started. */
int nameproc_start(int net_fd, const char *libexec, struct err *e);
/* After the lock is given up: wait until the records written so far count; one that was killed
 * meanwhile is replaced.  ERR_CONFLICT the port is taken on a gateway. */
int nameproc_wait(int net_fd, const char *libexec, struct err *e);

#endif
