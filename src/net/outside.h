/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside - how the network namespace of an ordinary user's engine reaches the world: pasta
 * (package passt) or slirp4netns, one process for all instances of the user.
 *
 * It makes the device OUTSIDE_DEVICE in the namespace, with the addresses below whichever program
 * it is; the device goes with the process, so a look at the device tells whether it runs.
 * ns/outside, "PID START", names it for whoever ends it.  Neither program forwards ports (the
 * engine does, forward/), nor lets instances reach services on the host's 127.0.0.1.
 */
#ifndef NET_OUTSIDE_H
#define NET_OUTSIDE_H

struct err;

#define OUTSIDE_DEVICE	"outside0"
#define OUTSIDE_ADDRESS "10.0.2.100"
#define OUTSIDE_GATEWAY "10.0.2.2"
#define OUTSIDE_DNS	"10.0.2.3" /* answered with the host's own resolver */

/* Start one of the two from the host's network; the caller has seen that none runs, and holds the
 * lock of run-root/net.  Returns when the device is there.  Errors: ERR_UNSUPPORTED neither is
 * installed or works, with what they said. */
int outside_start(int run_fd, struct err *e);
/* End it, if it runs. */
void outside_stop(int run_fd);

#endif
