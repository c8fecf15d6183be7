/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/vmlimits.h"
#include "base/err.h"
#include "spec/plan.h"

#include <inttypes.h>

int vmlimits_check(const struct plan_resources *r, uint64_t memory_bytes, uint32_t cpus,
		   struct err *e)
{
	const struct plan_memory *mem = r->memory;
	const struct plan_cpu *cpu = r->cpu;

	if (mem && mem->limit.set && (uint64_t)mem->limit.v > memory_bytes)
		return err_set(e, ERR_UNSUPPORTED,
			       "--memory of a running vm cannot exceed the %" PRIu64
			       " MiB it booted with",
			       memory_bytes >> 20);
	if (mem && mem->limit.set && mem->limit.v < (int64_t)(96u << 20))
		return err_set(e, ERR_USAGE,
			       "--memory of a vm is at least 96m: its kernel needs some");
	if (mem && (mem->swap.set || mem->kernel.set))
		return err_set(e, ERR_UNSUPPORTED, "a vm has no %s to limit",
			       mem->swap.set ? "--memory-swap" : "--kernel-memory");
	if (cpu && cpu->quota.set && cpu->quota.v > 0 && cpu->period.set &&
	    cpu->quota.v > cpu->period.v * (int64_t)cpus)
		return err_set(e, ERR_UNSUPPORTED,
			       "--cpus of a running vm cannot exceed the %u it booted with", cpus);
	if (cpu && (cpu->realtime_runtime.set || cpu->realtime_period.set || cpu->mems))
		return err_set(e, ERR_UNSUPPORTED,
			       "a running vm takes no --cpu-rt-runtime, --cpu-rt-period and "
			       "--cpuset-mems");
	return 0;
}
