/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/update.h"

#include <stdint.h>

struct update_args {
	const char *cpuset_cpus, *cpuset_mems, *restart, *network_rate;
	uint64_t memory, memory_reservation, memory_swap;
	int64_t blkio_weight, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpu_shares;
	int64_t cpus, pids;
};

#define NOT_SAID -2

#define O(member, ...) OPT(struct update_args, member, __VA_ARGS__)
#define INT(member, name_, low, high, help_)                                                       \
	O(member, .name = name_, .type = OPT_INT, .arg = "N", .min = low, .max = high,             \
	  .help = help_)

/* As of run (cli/instance_opts.c), but for presets: what is not named stays. */
static const struct opt update_opts[] = {
    INT(blkio_weight, "blkio-weight", 0, 1000, "share of block I/O, 10 to 1000"),
    INT(cpu_period, "cpu-period", 0, 1000000, "length of a quota's period, microseconds"),
    INT(cpu_quota, "cpu-quota", -1, INT64_MAX / 1000, "CPU time within a period, microseconds"),
    INT(cpu_rt_period, "cpu-rt-period", 0, INT64_MAX / 1000,
	"period of real-time scheduling, microseconds"),
    INT(cpu_rt_runtime, "cpu-rt-runtime", 0, INT64_MAX / 1000,
	"real-time CPU time within a period, microseconds"),
    O(cpu_shares, .name = "cpu-shares", .letter = 'c', .type = OPT_INT, .arg = "N", .min = 0,
      .max = 262144, .help = "weight against other instances, 1024 is the normal one"),
    O(cpus, .name = "cpus", .type = OPT_DECIMAL, .arg = "N", .min = 10000000, .max = 1024000000000,
      .help = "processors, such as 1.5; a running vm: not more than it booted with"),
    O(cpuset_cpus, .name = "cpuset-cpus", .type = OPT_STR, .arg = "LIST",
      .help = "processors it may use, such as 0-3,7"),
    O(cpuset_mems, .name = "cpuset-mems", .type = OPT_STR, .arg = "LIST",
      .help = "memory nodes it may use"),
    O(memory, .name = "memory", .letter = 'm', .type = OPT_BYTES, .arg = "SIZE",
      .help = "memory limit; a running vm: not more than it booted with"),
    O(memory_reservation, .name = "memory-reservation", .type = OPT_BYTES, .arg = "SIZE",
      .help = "what it keeps when memory is short"),
    O(memory_swap, .name = "memory-swap", .type = OPT_BYTES, .arg = "SIZE", .min = -1,
      .help = "memory and swap together, -1 for no limit of swap"),
    O(network_rate, .name = "network-rate", .type = OPT_STR, .arg = "RATE",
      .help = "bytes a second at most on each network, or in=SIZE,out=SIZE; 0: no limit"),
    O(pids, .name = "pids-limit", .type = OPT_INT, .arg = "N", .min = NOT_SAID, .max = 4194304,
      .preset = "-2", .help = "how many processes it may have, -1 for no limit"),
    O(restart, .name = "restart", .type = OPT_STR, .arg = "POLICY",
      .help = "when to start it again: no, on-failure[:N], always, unless-stopped"),
    OPT_END,
};

static int update_one(struct session *s, struct lookup *l, const void *arg, struct err *e)
{
	return update_instance(s, l, arg, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct update_args *a = args;
	struct request change = {
	    .memory_bytes = a->memory,
	    .memory_reservation = a->memory_reservation,
	    .memory_swap = a->memory_swap == UINT64_MAX ? -1 : (int64_t)a->memory_swap,
	    .nano_cpus = a->cpus,
	    .cpu_shares = a->cpu_shares,
	    .cpu_period = a->cpu_period,
	    .cpu_quota = a->cpu_quota,
	    .cpu_rt_period = a->cpu_rt_period,
	    .cpu_rt_runtime = a->cpu_rt_runtime,
	    .cpuset_cpus = a->cpuset_cpus,
	    .cpuset_mems = a->cpuset_mems,
	    .blkio_weight = a->blkio_weight,
	    .restart = a->restart,
	    .network_rate = a->network_rate,
	    .pids = {a->pids != NOT_SAID, a->pids},
	};

	return each_instance(s, argc, argv, update_one, &change);
}

extern const struct cmd cmd_update;
const struct cmd cmd_update = {
    .name = "update",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "change the limits of instances, also while they run",
    .opts = update_opts,
    .args_size = sizeof(struct update_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};
