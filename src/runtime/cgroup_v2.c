/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on v2.  Source: Documentation/admin-guide/cgroup-v2.rst; units by cgroup_convert.c.  What
 * v2 has no counterpart for is refused by name (oom killer, swappiness, kernel TCP memory, net
 * classes and priorities, real-time), except memory.kernel, which no kernel since 5.16 limits. */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/mountinfo.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool given(struct jbind_optint o)
{
	return o.set && o.v != 0;
}

static int put_max(int dir, const char *file, int64_t v, struct err *e)
{
	return v < 0 ? cgroup_file_put(dir, file, e, "max")
		     : cgroup_file_put(dir, file, e, "%" PRId64, v);
}

static void commas(char *s)
{
	for (; *s; s++)
		if (*s == ' ' || *s == '\n')
			*s = ',';
}

uint32_t cgroup_v2_controllers(int dir)
{
	char text[512];

	if (cgroup_file_read(dir, "cgroup.controllers", text, sizeof(text)) < 0)
		return 0;
	commas(text);
	return cgroup_host_bits(text, 2);
}

int cgroup_v2_enable(int dir, uint32_t controllers)
{
	char have[512], on[512], text[512];
	size_t used = 0;
	int first = 0;
	ssize_t n = cgroup_file_read(dir, "cgroup.controllers", have, sizeof(have));

	if (n >= 0)
		n = cgroup_file_read(dir, "cgroup.subtree_control", on, sizeof(on));
	if (n < 0)
		return (int)n;
	commas(have);
	commas(on);
	text[0] = '\0';
	for (int c = 0; c < CGROUP_CTL_MAX_; c++) {
		const char *name = cgroup_host_name((enum cgroup_ctl)c, 2);

		if (*name && controllers & CGROUP_BIT(c) && mountinfo_has(have, name) &&
		    !mountinfo_has(on, name))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%s",
						 used ? " " : "", name);
	}
	if (!used || cgroup_file_put(dir, "cgroup.subtree_control", NULL, "%s", text) == 0)
		return 0;
	/* One refused controller (real-time tasks and cpu, threaded domains) spoils the line. */
	for (char *p = text, *end; *p; p = *end ? end + 1 : end) {
		char one[64];
		int r;

		end = strchrnul(p, ' ');
		snprintf(one, sizeof(one), "%.*s", (int)(end - p), p);
		r = cgroup_file_put(dir, "cgroup.subtree_control", NULL, "%s", one);
		first = first ? first : r;
	}
	return first;
}

/* ---- memory ---- */

static int check_before(int dir, const struct plan_memory *m, struct err *e)
{
	uint64_t usage;

	if (!m->check_before_update || m->limit.v < 0 ||
	    cgroup_file_u64(dir, "memory.current", &usage) < 0 || usage <= (uint64_t)m->limit.v)
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "memory: limit %" PRId64 " is below the current usage %" PRIu64, m->limit.v,
		       usage);
}

static int swap(int dir, const struct plan_memory *m, struct err *e)
{
	int64_t limit = given(m->limit) ? m->limit.v : 0, value;
	uint64_t now;
	int r;

	/* An update may give memory+swap alone: it counts with the limit in force. */
	if (!limit && given(m->swap) && m->swap.v > 0 &&
	    cgroup_file_u64(dir, "memory.max", &now) == 0 && now <= INT64_MAX)
		limit = (int64_t)now;
	r = cgroup_convert_swap(given(m->swap) ? m->swap.v : 0, limit, &value, e);
	/* No limit at all lifts the swap limit, too. */
	if (r == 0 && limit == -1 && cgroup_file_exists(dir, "memory.swap.max")) {
		value = -1;
		r = 1;
	}
	if (r <= 0)
		return r;
	/* A kernel without swap accounting has no such file, and nothing to forbid when the limit
	 * is "none". */
	if (value == -1 && !cgroup_file_exists(dir, "memory.swap.max"))
		return 0;
	return put_max(dir, "memory.swap.max", value, e);
}

int cgroup_v2_memory(int dir, const struct plan_resources *res, struct err *e)
{
	const struct plan_memory *m = res->memory;
	int r = 0;

	if (!m)
		return 0;
	if (m->disable_oom_killer)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory: the OOM killer cannot be disabled with cgroup v2");
	if (m->swappiness.set && m->swappiness.v != -1)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory: swappiness cannot be set with cgroup v2");
	if (given(m->kernel_tcp) && m->kernel_tcp.v > 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "memory: kernelTCP cannot be limited with cgroup v2");
	if (given(m->limit))
		r = check_before(dir, m, e);
	if (r == 0)
		r = swap(dir, m, e);
	if (r == 0 && given(m->limit))
		r = put_max(dir, "memory.max", m->limit.v, e);
	if (r == 0 && given(m->reservation))
		r = put_max(dir, "memory.low", m->reservation.v, e);
	return r;
}

/* ---- cpu ---- */

static int cpu_max(int dir, const struct plan_cpu *c, struct err *e)
{
	char now[64], *end;
	int64_t quota = c->quota.v;

	if (!given(c->quota) && !given(c->period))
		return 0;
	if (!given(c->quota)) {
		/* Period alone: keep the quota in force. */
		if (cgroup_file_read(dir, "cpu.max", now, sizeof(now)) < 0)
			return err_set(e, ERR_UNSUPPORTED, "cgroup: no cpu.max here");
		quota = str_after(now, "max") ? -1 : strtoll(now, &end, 10);
	}
	if (!given(c->period)) /* the kernel keeps a period that is not written */
		return put_max(dir, "cpu.max", quota, e);
	if (quota < 0)
		return cgroup_file_put(dir, "cpu.max", e, "max %" PRId64, c->period.v);
	return cgroup_file_put(dir, "cpu.max", e, "%" PRId64 " %" PRId64, quota, c->period.v);
}

/* burst <= quota must hold after each write: growing, the quota is first; shrinking, the burst. */
static int cpu_time(int dir, const struct plan_cpu *c, struct err *e)
{
	bool burst = c->burst.set && (c->burst.v || cgroup_file_exists(dir, "cpu.max.burst"));
	int r = -EINVAL;

	if (!burst)
		return cpu_max(dir, c, e);
	r = cgroup_file_put(dir, "cpu.max.burst", e, "%" PRId64, c->burst.v);
	if (r < 0 && r != -EINVAL)
		return r;
	burst = r == 0;
	r = cpu_max(dir, c, e);
	if (r < 0 || burst)
		return r;
	return cgroup_file_put(dir, "cpu.max.burst", e, "%" PRId64, c->burst.v);
}

static int cpu(int dir, const struct plan_cpu *c, struct err *e)
{
	int r = 0;

	if (given(c->realtime_runtime) || given(c->realtime_period))
		return err_set(e, ERR_UNSUPPORTED,
			       "cpu: real-time limits do not exist with cgroup v2");
	if (c->shares.set && c->shares.v < 0)
		return err_set(e, ERR_USAGE, "cpu: shares may not be negative");
	/* An idle group has no weight: the kernel refuses the write. */
	if (c->idle.set && (c->idle.v || cgroup_file_exists(dir, "cpu.idle")))
		r = cgroup_file_put(dir, "cpu.idle", e, "%" PRId64, c->idle.v);
	if (r == 0 && given(c->shares) && !given(c->idle))
		r = cgroup_file_put(dir, "cpu.weight", e, "%" PRIu64,
				    cgroup_convert_shares((uint64_t)c->shares.v));
	return r < 0 ? r : cpu_time(dir, c, e);
}

int cgroup_v2_cpu(int dir, const struct plan_resources *res, struct err *e)
{
	return res->cpu ? cpu(dir, res->cpu, e) : 0;
}

/* ---- io ---- */

static int io_max(int dir, const char *key, const struct plan_throttles *t, struct err *e)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct plan_throttle *d = &t->v[i];
		/* v1's rate 0 lifts a limit; v2 calls that max. */
		int r =
		    d->rate
			? cgroup_file_put(dir, "io.max", e, "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
					  d->major, d->minor, key, d->rate)
			: cgroup_file_put(dir, "io.max", e, "%" PRId64 ":%" PRId64 " %s=max",
					  d->major, d->minor, key);

		if (r < 0)
			return r;
	}
	return 0;
}

static int io_weight(int dir, const struct plan_blkio *b, struct err *e)
{
	/* BFQ takes v1's range; its file is there when a device uses that scheduler. */
	bool bfq = cgroup_file_exists(dir, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";
	int r = 0;

	if (given(b->weight)) {
		if (b->weight.v < 10 || b->weight.v > 1000)
			return err_set(e, ERR_USAGE, "blockIO: weight is not in 10 .. 1000");
		r = cgroup_file_put(dir, file, e, "%" PRIu64,
				    bfq ? (uint64_t)b->weight.v
					: cgroup_convert_blkio((uint64_t)b->weight.v));
	}
	for (size_t i = 0; r == 0 && i < b->weight_devices.n; i++) {
		const struct plan_weight_device *d = &b->weight_devices.v[i];

		if (given(d->leaf_weight))
			return err_set(e, ERR_UNSUPPORTED,
				       "blockIO: leafWeight does not exist with cgroup v2");
		if (!given(d->weight))
			continue;
		if (d->weight.v < 10 || d->weight.v > 1000)
			return err_set(e, ERR_USAGE, "blockIO: weight is not in 10 .. 1000");
		r = cgroup_file_put(
		    dir, file, e, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
		    bfq ? (uint64_t)d->weight.v : cgroup_convert_blkio((uint64_t)d->weight.v));
	}
	return r;
}

int cgroup_v2_io(int dir, const struct plan_resources *res, struct err *e)
{
	const struct plan_blkio *b = res->block_io;
	int r;

	if (!b)
		return 0;
	if (given(b->leaf_weight))
		return err_set(e, ERR_UNSUPPORTED,
			       "blockIO: leafWeight does not exist with cgroup v2");
	r = io_weight(dir, b, e);
	if (r == 0)
		r = io_max(dir, "rbps", &b->read_bps, e);
	if (r == 0)
		r = io_max(dir, "wbps", &b->write_bps, e);
	if (r == 0)
		r = io_max(dir, "riops", &b->read_iops, e);
	if (r == 0)
		r = io_max(dir, "wiops", &b->write_iops, e);
	return r;
}

/* ---- the rest ---- */

static int hugetlb(int dir, const struct plan_hugepages *h, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		const char *size = h->v[i].page_size;
		char file[64];
		int r;

		if (!cgroup_convert_page(size))
			return err_set(e, ERR_USAGE, "hugepageLimits: '%.32s' is no page size",
				       size);
		snprintf(file, sizeof(file), "hugetlb.%s.max", size);
		r = cgroup_file_put(dir, file, e, "%" PRIu64, h->v[i].limit);
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", size);
		if (r == 0 && cgroup_file_exists(dir, file))
			r = cgroup_file_put(dir, file, e, "%" PRIu64, h->v[i].limit);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_lines(int dir, const char *file, const char *text, struct err *e)
{
	/* Most files take one setting per write. */
	while (*text) {
		size_t n = strcspn(text, "\n");
		int r = n ? cgroup_file_put(dir, file, e, "%.*s", (int)n, text) : 0;

		if (r < 0)
			return r;
		text += n;
		text += *text == '\n';
	}
	return 0;
}

static int rdma(int dir, const char *json, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(65536);
	int r = cgroup_convert_rdma(json, &b, e);

	return r < 0 ? r : put_lines(dir, "rdma.max", b.p, e);
}

/* A key is the name of one file of this directory: no path, and none of those that move processes,
 * change the tree or kill. */
static bool key_allowed(const char *key)
{
	const char *core = str_after(key, "cgroup.");

	if (!*key || strlen(key) > 63 || *key == '.' ||
	    strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._") !=
		strlen(key) ||
	    !strchr(key, '.'))
		return false;
	return !core || streq(core, "max.depth") || streq(core, "max.descendants") ||
	       streq(core, "pressure");
}

int cgroup_v2_unified(int dir, const struct plan_resources *res, struct err *e)
{
	for (size_t i = 0; i < res->unified.n; i++) {
		const struct jbind_pair *p = &res->unified.v[i];
		int r;

		if (!key_allowed(p->key))
			return err_set(e, ERR_USAGE, "resources.unified: '%.64s' may not be set",
				       p->key);
		r = put_lines(dir, p->key, p->value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int pids(int dir, struct jbind_optint limit, struct err *e)
{
	if (!limit.set)
		return 0;
	return put_max(dir, "pids.max", limit.v ? limit.v : 1, e);
}

static bool here(const struct cgroup *cg, enum cgroup_ctl c)
{
	return cg->of[c] >= 0 && cg->of[c] == cg->unified;
}

static int apply_rest(struct cgroup *cg, int dir, const struct plan_resources *r, struct err *e)
{
	int x = 0;

	if (r->hugepages.n && here(cg, CGROUP_HUGETLB))
		x = hugetlb(dir, &r->hugepages, e);
	if (x == 0 && r->rdma_json && here(cg, CGROUP_RDMA))
		x = rdma(dir, r->rdma_json, e);
	/* Last, so that it may override what was converted. */
	return x < 0 ? x : cgroup_v2_unified(dir, r, e);
}

int cgroup_v2_apply(struct cgroup *cg, const struct plan_resources *r, struct err *e)
{
	int dir, x = 0;

	if (cg->unified < 0)
		return 0;
	dir = cg->place[cg->unified].fd;
	if (here(cg, CGROUP_MEMORY))
		x = cgroup_v2_memory(dir, r, e);
	if (x == 0 && here(cg, CGROUP_CPU))
		x = cgroup_v2_cpu(dir, r, e);
	if (x == 0 && r->cpu && here(cg, CGROUP_CPUSET))
		x = cgroup_file_cpuset(dir, r->cpu, e);
	if (x == 0 && r->pids && here(cg, CGROUP_PIDS))
		x = pids(dir, r->pids->limit, e);
	if (x == 0 && here(cg, CGROUP_BLKIO))
		x = cgroup_v2_io(dir, r, e);
	return x < 0 ? x : apply_rest(cg, dir, r, e);
}
