/* SPDX-License-Identifier: Apache-2.0 */
/* net_dev - counters of interfaces, as /proc/PID/net/dev shows them.  Names of interfaces are the
 * workload's to choose where it owns its network namespace.  Source: proc(5), /proc/net/dev. */
#ifndef FMT_NET_DEV_H
#define FMT_NET_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_dev {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* Add up every interface but lo, or, with name, that one alone.  False: none was there; *out is
 * zero. */
bool net_dev_sum(const char *text, size_t len, const char *name, struct net_dev *out);

#endif
