/* SPDX-License-Identifier: Apache-2.0 */
/* godown - the host goes down, and every instance is ended in an orderly way before it does. */
#ifndef ENGINE_GODOWN_H
#define ENGINE_GODOWN_H

struct err;
struct session;

/* All at once, each with its own signal and time, and returns when none runs.  It is not what
 * `stop` does: nobody asked for it, and restart_boot() starts what a policy wants to run.
 * ERR_TIMEOUT when somebody goes on starting them. */
int godown_all(struct session *s, struct err *e);

#endif
