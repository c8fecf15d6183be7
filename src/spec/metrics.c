/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/metrics.h"

#define N(member) JB(struct metrics, member, #member, JBIND_UINT, .flags = JBIND_KEEP)
static const struct jbind_field fields[] = {
    N(cpu_ns),
    N(memory_bytes),
    N(memory_inactive_bytes),
    N(memory_limit_bytes),
    N(net_rx_bytes),
    N(net_tx_bytes),
    N(io_read_bytes),
    N(io_write_bytes),
    N(pids),
    N(pids_limit),
    N(oom_kills),
    JB_END,
};
const struct jbind metrics_table = {.size = sizeof(struct metrics), .fields = fields};
