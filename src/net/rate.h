/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - how much an instance may receive and send on each of its networks.
 *
 * Both are kept outside of it, at its port of the bridge: what it receives when the port sends,
 * what it sends on a device of its own (sys/qdisc.h), which its attachment names, since that
 * device is the one thing here that does not go with the port.
 */
#ifndef NET_RATE_H
#define NET_RATE_H

#include <stdint.h>

struct arena;
struct attachment;
struct err;
struct nlmsg_sock;

/* Bytes a second; 0: as fast as can be. */
struct rate {
	uint64_t in, out;
};

/* "SIZE", "in=SIZE", "out=SIZE" or the last two with a comma between, as of --network-rate; SIZE is
 * 0 or from RATE_MIN on.  ERR_USAGE. */
#define RATE_MIN 4096
#define RATE_MAX (1ull << 40)
int rate_parse(const char *text, struct rate *out, struct err *e);

/* Name of the device for a port. */
const char *rate_device(const struct attachment *at, struct arena *a);

/* The port has these rates from now on; what is not to be limited any more is not.  at->limiter is
 * written before, where out is not 0.  Errors: ERR_UNSUPPORTED the kernel cannot. */
int rate_set(struct nlmsg_sock *route, const struct attachment *at, const struct rate *rate,
	     struct err *e);
/* Remove the device, if there is one. */
void rate_forget(struct nlmsg_sock *route, const struct attachment *at);

/* The same for an instance that runs, on all its networks; nothing when it is on none. */
int rate_change(int run_fd, const char *id, const struct rate *rate, struct err *e);

#endif
