/* SPDX-License-Identifier: Apache-2.0 */
/* agent - the agent's one loop: frames of the host, processes and their streams, orphans. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

struct err;

/* Serve the host on port until it says POWEROFF (returns 0) or the channel breaks (returns < 0). */
int agent_run(int port, struct err *e);

#endif
