/* SPDX-License-Identifier: Apache-2.0 */
/* ocitty - a foreground process: its terminal, the signals meant for it, its exit code. */
#ifndef OCI_OCITTY_H
#define OCI_OCITTY_H

struct err;
struct launch;

/* Signals are collected from here on instead of acting on us; call before launch_create(). */
void ocitty_block_signals(void);

/* Relay between our stdio and l->console (if any), pass signals on, until l->pid has ended.
 * Returns its exit code (128 + n by signal). */
int ocitty_wait(struct launch *l, struct err *e);

/* Send a terminal's master to the listener at path (runc's console-socket protocol: the file's
 * name as data, the descriptor as SCM_RIGHTS). */
int ocitty_send(const char *path, int console, struct err *e);

#endif
