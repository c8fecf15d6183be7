/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on v1.  Source: Documentation/admin-guide/cgroup-v1/, and runc for what OCI leaves open:
 * 0 and absent change nothing, -1 is no limit. */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int dir_of(const struct cgroup *cg, enum cgroup_ctl c)
{
	int i = cg->of[c];

	return i >= 0 && cg->place[i].version == 1 ? cg->place[i].fd : -1;
}

static bool given(struct jbind_optint o)
{
	return o.set && o.v != 0;
}

static int put_num(int dir, const char *file, struct jbind_optint o, struct err *e)
{
	return given(o) ? cgroup_file_put(dir, file, e, "%" PRId64, o.v < 0 ? -1 : o.v) : 0;
}

/* ---- memory ---- */

static int put_limit(int dir, int64_t limit, struct err *e)
{
	uint64_t usage, peak;
	int r =
	    cgroup_file_put(dir, "memory.limit_in_bytes", e, "%" PRId64, limit < 0 ? -1 : limit);

	if (r == -EBUSY && cgroup_file_u64(dir, "memory.usage_in_bytes", &usage) == 0 &&
	    cgroup_file_u64(dir, "memory.max_usage_in_bytes", &peak) == 0)
		return err_set(e, ERR_CONFLICT,
			       "unable to set memory limit to %" PRId64 " (current usage: %" PRIu64
			       ", peak usage: %" PRIu64 ")",
			       limit, usage, peak);
	return r;
}

static int put_swap(int dir, int64_t swap, struct err *e)
{
	return cgroup_file_put(dir, "memory.memsw.limit_in_bytes", e, "%" PRId64,
			       swap < 0 ? -1 : swap);
}

/* limit <= memory+swap must hold after each write, so the order depends on the direction. */
static int memory_and_swap(int dir, const struct plan_memory *m, struct err *e)
{
	int64_t limit = given(m->limit) ? m->limit.v : 0, swap = given(m->swap) ? m->swap.v : 0;
	uint64_t now = 0;
	int r;

	if (limit == -1 && !swap && cgroup_file_exists(dir, "memory.memsw.limit_in_bytes"))
		swap = -1;
	if (!swap)
		return limit ? put_limit(dir, limit, e) : 0;
	if (limit > 0 && swap > 0 && swap < limit)
		return err_set(e, ERR_USAGE, "memory+swap limit should be >= memory limit");
	if (!limit)
		return put_swap(dir, swap, e);
	r = cgroup_file_u64(dir, "memory.memsw.limit_in_bytes", &now);
	if (r < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory: this kernel does not account swap (swapaccount=1)");
	if (swap == -1 || now < (uint64_t)swap) {
		r = put_swap(dir, swap, e);
		return r < 0 ? r : put_limit(dir, limit, e);
	}
	r = put_limit(dir, limit, e);
	return r < 0 ? r : put_swap(dir, swap, e);
}

static int check_before(int dir, const struct plan_memory *m, struct err *e)
{
	uint64_t usage;

	if (!m->check_before_update || !given(m->limit) || m->limit.v < 0 ||
	    cgroup_file_u64(dir, "memory.usage_in_bytes", &usage) < 0 ||
	    usage <= (uint64_t)m->limit.v)
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "memory: limit %" PRId64 " is below the current usage %" PRIu64, m->limit.v,
		       usage);
}

static int memory(int dir, const struct plan_memory *m, struct err *e)
{
	int r = check_before(dir, m, e);

	if (r == 0)
		r = memory_and_swap(dir, m, e);
	/* memory.kernel is not set: the kernel ignores it since 5.16 and OCI advises against it. */
	if (r == 0)
		r = put_num(dir, "memory.soft_limit_in_bytes", m->reservation, e);
	if (r == 0)
		r = put_num(dir, "memory.kmem.tcp.limit_in_bytes", m->kernel_tcp, e);
	if (r == 0 && m->disable_oom_killer)
		r = cgroup_file_put(dir, "memory.oom_control", e, "1");
	if (r < 0 || !m->swappiness.set || m->swappiness.v == -1)
		return r;
	if (m->swappiness.v < 0 || m->swappiness.v > 100)
		return err_set(e, ERR_USAGE,
			       "invalid memory swappiness value: %" PRId64
			       " (valid range is 0-100)",
			       m->swappiness.v);
	return cgroup_file_put(dir, "memory.swappiness", e, "%" PRId64, m->swappiness.v);
}

/* ---- cpu ---- */

/* The kernel checks each of a family (period, quota, burst; rt period and runtime) against the
 * others as they are at that moment, so no fixed order suits every change: what is refused is tried
 * again after the others. */
struct setting {
	const char *file;
	struct jbind_optint value;
	bool done;
};

static int put_family(int dir, struct setting *s, size_t n, struct err *e)
{
	int r = 0;

	for (size_t round = 0; round < n; round++) {
		r = 0;
		for (size_t i = 0; i < n; i++) {
			int one;

			if (s[i].done || !given(s[i].value))
				continue;
			one = cgroup_file_put(dir, s[i].file, e, "%" PRId64, s[i].value.v);
			if (one < 0 && one != -EINVAL)
				return one;
			s[i].done = one == 0;
			r = one < 0 ? one : r;
		}
		if (r == 0)
			return 0;
	}
	return r;
}

static int cpu(int dir, const struct plan_cpu *c, struct err *e)
{
	struct setting rt[] = {{"cpu.rt_period_us", c->realtime_period, false},
			       {"cpu.rt_runtime_us", c->realtime_runtime, false}};
	struct setting cfs[] = {{"cpu.cfs_period_us", c->period, false},
				{"cpu.cfs_burst_us", c->burst, false},
				{"cpu.cfs_quota_us", c->quota, false}};
	int r;

	/* The kernel would clamp these without a word; runc's texts. */
	if (given(c->shares) && c->shares.v > 262144)
		return err_set(e, ERR_USAGE, "the maximum allowed cpu-shares is 262144");
	if (given(c->shares) && c->shares.v < 2)
		return err_set(e, ERR_USAGE, "the minimum allowed cpu-shares is 2");
	r = put_num(dir, "cpu.shares", c->shares, e);
	if (r == 0)
		r = put_family(dir, rt, 2, e);
	/* No burst: given() takes 0 for "not said", which here would keep the old one. */
	if (r == 0 && c->burst.set && c->burst.v == 0 &&
	    cgroup_file_exists(dir, "cpu.cfs_burst_us"))
		r = cgroup_file_put(dir, "cpu.cfs_burst_us", e, "0");
	if (r == 0)
		r = put_family(dir, cfs, 3, e);
	if (r == 0 && c->idle.set && (c->idle.v || cgroup_file_exists(dir, "cpu.idle")))
		r = cgroup_file_put(dir, "cpu.idle", e, "%" PRId64, c->idle.v);
	return r;
}

int cgroup_v1_cpuset_inherit(int parent, int dir, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (int i = 0; i < 2; i++) {
		char text[1024];
		int r;

		if (cgroup_file_read(dir, files[i], text, sizeof(text)) != 0)
			continue; /* has some already */
		if (cgroup_file_read(parent, files[i], text, sizeof(text)) <= 0)
			continue;
		r = cgroup_file_put(dir, files[i], e, "%s", text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the rest ---- */

static int throttle(int dir, const char *file, const struct plan_throttles *t, struct err *e)
{
	for (size_t i = 0; i < t->n; i++) {
		int r = cgroup_file_put(dir, file, e, "%" PRId64 ":%" PRId64 " %" PRIu64,
					t->v[i].major, t->v[i].minor, t->v[i].rate);

		if (r < 0)
			return r;
	}
	return 0;
}

static int weight_devices(int dir, bool bfq, const struct plan_weight_devices *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct plan_weight_device *d = &w->v[i];
		int r = 0;

		if (given(d->weight))
			r = cgroup_file_put(
			    dir, bfq ? "blkio.bfq.weight_device" : "blkio.weight_device", e,
			    "%" PRId64 ":%" PRId64 " %" PRId64, d->major, d->minor, d->weight.v);
		if (r == 0 && given(d->leaf_weight))
			r = cgroup_file_put(dir, "blkio.leaf_weight_device", e,
					    "%" PRId64 ":%" PRId64 " %" PRId64, d->major, d->minor,
					    d->leaf_weight.v);
		if (r < 0)
			return r;
	}
	return 0;
}

static int blkio(int dir, const struct plan_blkio *b, struct err *e)
{
	bool bfq =
	    !cgroup_file_exists(dir, "blkio.weight") && cgroup_file_exists(dir, "blkio.bfq.weight");
	int r = put_num(dir, bfq ? "blkio.bfq.weight" : "blkio.weight", b->weight, e);

	if (r == 0)
		r = put_num(dir, "blkio.leaf_weight", b->leaf_weight, e);
	if (r == 0)
		r = weight_devices(dir, bfq, &b->weight_devices, e);
	if (r == 0)
		r = throttle(dir, "blkio.throttle.read_bps_device", &b->read_bps, e);
	if (r == 0)
		r = throttle(dir, "blkio.throttle.write_bps_device", &b->write_bps, e);
	if (r == 0)
		r = throttle(dir, "blkio.throttle.read_iops_device", &b->read_iops, e);
	if (r == 0)
		r = throttle(dir, "blkio.throttle.write_iops_device", &b->write_iops, e);
	return r;
}

static int pids(int dir, struct jbind_optint limit, struct err *e)
{
	if (!limit.set)
		return 0;
	if (limit.v < 0)
		return cgroup_file_put(dir, "pids.max", e, "max");
	/* 0 would refuse even the container's own process; runc reads it as 1. */
	return cgroup_file_put(dir, "pids.max", e, "%" PRId64, limit.v ? limit.v : 1);
}

static int hugetlb(int dir, const struct plan_hugepages *h, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		const char *size = h->v[i].page_size;
		char file[64];
		int r;

		if (!cgroup_convert_page(size))
			return err_set(e, ERR_USAGE, "hugepageLimits: '%.32s' is no page size",
				       size);
		snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes", size);
		r = cgroup_file_put(dir, file, e, "%" PRIu64, h->v[i].limit);
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes", size);
		if (r == 0 && cgroup_file_exists(dir, file)) /* Linux 5.7 */
			r = cgroup_file_put(dir, file, e, "%" PRIu64, h->v[i].limit);
		if (r < 0)
			return r;
	}
	return 0;
}

static int priorities(int dir, const struct plan_net_priorities *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		int r;

		if (strpbrk(p->v[i].name, " \t\n") || strlen(p->v[i].name) > 15)
			return err_set(e, ERR_USAGE, "network.priorities: '%.32s' is no interface",
				       p->v[i].name);
		r = cgroup_file_put(dir, "net_prio.ifpriomap", e, "%s %u", p->v[i].name,
				    p->v[i].priority);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rdma(int dir, const char *json, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(65536);
	int r = cgroup_convert_rdma(json, &b, e);

	for (char *line = b.p, *end; r == 0 && *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		r = cgroup_file_put(dir, "rdma.max", e, "%s", line);
	}
	return r;
}

static int apply_rest(struct cgroup *cg, const struct plan_resources *r, struct err *e)
{
	int dir, x = 0;

	if (r->hugepages.n && (dir = dir_of(cg, CGROUP_HUGETLB)) >= 0)
		x = hugetlb(dir, &r->hugepages, e);
	if (x == 0 && r->rdma_json && (dir = dir_of(cg, CGROUP_RDMA)) >= 0)
		x = rdma(dir, r->rdma_json, e);
	if (x == 0 && r->network && (dir = dir_of(cg, CGROUP_NET_CLS)) >= 0)
		x = put_num(dir, "net_cls.classid", r->network->class_id, e);
	if (x == 0 && r->network && (dir = dir_of(cg, CGROUP_NET_PRIO)) >= 0)
		x = priorities(dir, &r->network->priorities, e);
	return x;
}

static bool has_v2(const struct cgroup *cg)
{
	for (int c = 0; c < CGROUP_CTL_MAX_; c++)
		if (cg->of[c] >= 0 && cg->of[c] == cg->unified)
			return true;
	return false;
}

int cgroup_v1_apply(struct cgroup *cg, const struct plan_resources *r, struct err *e)
{
	int dir, x = 0;

	if (r->unified.n && !has_v2(cg))
		return err_set(e, ERR_UNSUPPORTED,
			       "invalid configuration: linux.resources.unified: this host has its "
			       "controllers on cgroup v1");
	if (r->memory && (dir = dir_of(cg, CGROUP_MEMORY)) >= 0)
		x = memory(dir, r->memory, e);
	if (x == 0 && r->cpu && (dir = dir_of(cg, CGROUP_CPU)) >= 0)
		x = cpu(dir, r->cpu, e);
	if (x == 0 && r->cpu && (dir = dir_of(cg, CGROUP_CPUSET)) >= 0)
		x = cgroup_file_cpuset(dir, r->cpu, e);
	if (x == 0 && r->pids && (dir = dir_of(cg, CGROUP_PIDS)) >= 0)
		x = pids(dir, r->pids->limit, e);
	if (x == 0 && r->block_io && (dir = dir_of(cg, CGROUP_BLKIO)) >= 0)
		x = blkio(dir, r->block_io, e);
	return x < 0 ? x : apply_rest(cg, r, e);
}
