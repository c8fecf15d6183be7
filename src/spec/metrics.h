/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - what an instance uses now: the answer to a STATS frame (docs/protocols/control.md).
 *
 * The same members for both isolations.  Of a VM everything but pids is what the host sees: CPU and
 * memory of the hypervisor and its helpers are part of it, network and disk are what passed its
 * devices.  pids is what the guest says.
 */
#ifndef SPEC_METRICS_H
#define SPEC_METRICS_H

#include "fmt/jbind.h"

#include <stdint.h>

struct metrics {
	uint64_t cpu_ns;
	uint64_t memory_bytes, memory_inactive_bytes; /* inactive: page cache that can go at once */
	uint64_t memory_limit_bytes;		      /* 0: none; of a VM: the machine's size */
	uint64_t net_rx_bytes, net_tx_bytes;	      /* as the instance sees it */
	uint64_t io_read_bytes, io_write_bytes;
	uint64_t pids, pids_limit; /* limit 0: none */
	uint64_t oom_kills;
};

extern const struct jbind metrics_table;

#endif
