/* SPDX-License-Identifier: Apache-2.0 */
/* Which controllers a set of limits needs.  0 and absent ask for nothing. */
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"

#include <stdio.h>

static uint32_t bit_if(bool yes, enum cgroup_ctl c)
{
	return yes ? CGROUP_BIT(c) : 0;
}

static bool given(struct jbind_optint o)
{
	return o.set && o.v != 0;
}

static uint32_t asked_cpu(const struct plan_cpu *c)
{
	bool cpu = given(c->shares) || given(c->quota) || given(c->burst) || given(c->period) ||
		   given(c->realtime_runtime) || given(c->realtime_period) || given(c->idle);
	bool set = (c->cpus && *c->cpus) || (c->mems && *c->mems);

	return bit_if(cpu, CGROUP_CPU) | bit_if(set, CGROUP_CPUSET);
}

static uint32_t asked_unified(const struct jbind_map *m)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < m->n; i++)
		for (int c = 0; c < CGROUP_CTL_MAX_; c++) {
			const char *name = cgroup_host_name((enum cgroup_ctl)c, 2);
			const char *rest = *name ? str_after(m->v[i].key, name) : NULL;

			bits |= bit_if(rest && *rest == '.', (enum cgroup_ctl)c);
		}
	return bits;
}

/* The controllers these limits need.  Device rules are not limits: everybody has some. */
uint32_t cgroup_need_asked(const struct plan_resources *r)
{
	uint32_t bits = 0;

	if (!r)
		return 0;
	if (r->memory) {
		const struct plan_memory *m = r->memory;

		bits |= bit_if(given(m->limit) || given(m->reservation) || given(m->swap) ||
				   given(m->kernel_tcp) || given(m->swappiness) ||
				   m->disable_oom_killer,
			       CGROUP_MEMORY);
	}
	if (r->cpu)
		bits |= asked_cpu(r->cpu);
	if (r->block_io) {
		const struct plan_blkio *b = r->block_io;

		bits |=
		    bit_if(given(b->weight) || given(b->leaf_weight) || b->weight_devices.n ||
			       b->read_bps.n || b->write_bps.n || b->read_iops.n || b->write_iops.n,
			   CGROUP_BLKIO);
	}
	if (r->network) {
		bits |= bit_if(given(r->network->class_id), CGROUP_NET_CLS);
		bits |= bit_if(r->network->priorities.n > 0, CGROUP_NET_PRIO);
	}
	bits |= bit_if(r->pids && r->pids->limit.set, CGROUP_PIDS);
	bits |= bit_if(r->hugepages.n > 0, CGROUP_HUGETLB);
	bits |= bit_if(r->rdma_json && strlen(r->rdma_json) > 2, CGROUP_RDMA);
	return bits | asked_unified(&r->unified);
}

void cgroup_need_names(char out[128], uint32_t bits)
{
	size_t used = 0;

	out[0] = '\0';
	for (int c = 0; c < CGROUP_CTL_MAX_ && used < 100; c++)
		if (bits & CGROUP_BIT(c))
			used += (size_t)snprintf(out + used, 128 - used, "%s%s", used ? "," : "",
						 cgroup_host_name((enum cgroup_ctl)c, 1));
}
