/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "sys/file.h"

#include <stdlib.h>
#include <string.h>

#define V1_UNLIMITED 0x7fffffffffff0000ULL /* LONG_MAX rounded down to the largest page */

static void num(int dir, const char *file, uint64_t *out)
{
	cgroup_file_u64(dir, file, out);
}

static void key(int dir, const char *file, const char *name, uint64_t *out)
{
	cgroup_file_key(dir, file, name, out);
}

static void us_key(int dir, const char *file, const char *name, uint64_t *out_ns)
{
	uint64_t us;

	if (cgroup_file_key(dir, file, name, &us) == 0)
		*out_ns = us * 1000;
}

/* ---- v1 ---- */

static void memory_v1(int dir, struct cgroup_stats *s)
{
	uint64_t both = 0, limit = UINT64_MAX;

	num(dir, "memory.usage_in_bytes", &s->memory_bytes);
	num(dir, "memory.limit_in_bytes", &s->memory_limit_bytes);
	num(dir, "memory.max_usage_in_bytes", &s->memory_peak_bytes);
	num(dir, "memory.failcnt", &s->memory_failures);
	num(dir, "memory.kmem.usage_in_bytes", &s->memory_kernel_bytes);
	key(dir, "memory.stat", "total_cache", &s->memory_cache_bytes);
	key(dir, "memory.stat", "total_rss", &s->memory_anon_bytes);
	key(dir, "memory.stat", "total_inactive_file", &s->memory_inactive_bytes);
	key(dir, "memory.oom_control", "oom_kill", &s->oom_kills);
	if (s->memory_limit_bytes >= V1_UNLIMITED)
		s->memory_limit_bytes = UINT64_MAX;
	/* memsw counts both. */
	num(dir, "memory.memsw.usage_in_bytes", &both);
	num(dir, "memory.memsw.limit_in_bytes", &limit);
	s->memory_swap_bytes = both > s->memory_bytes ? both - s->memory_bytes : 0;
	s->memory_swap_limit_bytes = limit >= V1_UNLIMITED || s->memory_limit_bytes == UINT64_MAX ||
					     limit < s->memory_limit_bytes
					 ? UINT64_MAX
					 : limit - s->memory_limit_bytes;
}

/* "8:0 Read 4096" lines; the recursive file exists in some kernels only. */
static void blkio_file(int dir, const char *file, const char *fallback, uint64_t *reads,
		       uint64_t *writes)
{
	auto_free char *text = NULL;

	if (file_read(dir, file, 1 << 20, &text) < 0 &&
	    file_read(dir, fallback, 1 << 20, &text) < 0)
		return;
	for (char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		char *op = strchr(p, ' '), *end = strchr(p, '\n');

		if (!op || (end && op > end))
			continue;
		if (str_after(op, " Read "))
			*reads += strtoull(op + 6, NULL, 10);
		else if (str_after(op, " Write "))
			*writes += strtoull(op + 7, NULL, 10);
	}
}

static void blkio_v1(int dir, struct cgroup_stats *s)
{
	blkio_file(dir, "blkio.throttle.io_service_bytes_recursive",
		   "blkio.throttle.io_service_bytes", &s->io_read_bytes, &s->io_write_bytes);
	blkio_file(dir, "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced",
		   &s->io_reads, &s->io_writes);
}

static void cpu_v1(int dir, struct cgroup_stats *s)
{
	key(dir, "cpu.stat", "nr_periods", &s->cpu_periods);
	key(dir, "cpu.stat", "nr_throttled", &s->cpu_throttled);
	key(dir, "cpu.stat", "throttled_time", &s->cpu_throttled_ns);
}

static void cpuacct_v1(int dir, struct cgroup_stats *s)
{
	num(dir, "cpuacct.usage", &s->cpu_ns);
	num(dir, "cpuacct.usage_user", &s->cpu_user_ns);
	num(dir, "cpuacct.usage_sys", &s->cpu_system_ns);
}

/* ---- v2 ---- */

static void memory_v2(int dir, struct cgroup_stats *s)
{
	num(dir, "memory.current", &s->memory_bytes);
	num(dir, "memory.max", &s->memory_limit_bytes);
	num(dir, "memory.peak", &s->memory_peak_bytes); /* 5.19 */
	num(dir, "memory.swap.current", &s->memory_swap_bytes);
	num(dir, "memory.swap.max", &s->memory_swap_limit_bytes);
	key(dir, "memory.stat", "file", &s->memory_cache_bytes);
	key(dir, "memory.stat", "anon", &s->memory_anon_bytes);
	key(dir, "memory.stat", "inactive_file", &s->memory_inactive_bytes);
	key(dir, "memory.stat", "kernel", &s->memory_kernel_bytes); /* 5.18 */
	key(dir, "memory.events", "max", &s->memory_failures);
	key(dir, "memory.events", "oom_kill", &s->oom_kills);
}

static void io_v2(int dir, struct cgroup_stats *s)
{
	static const char *const names[] = {"rbytes=", "wbytes=", "rios=", "wios="};
	uint64_t *const to[] = {&s->io_read_bytes, &s->io_write_bytes, &s->io_reads, &s->io_writes};
	auto_free char *text = NULL;
	char *save, *w;

	if (file_read(dir, "io.stat", 1 << 20, &text) < 0)
		return;
	for (w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (int i = 0; i < 4; i++) {
			const char *v = str_after(w, names[i]);

			if (v)
				*to[i] += strtoull(v, NULL, 10);
		}
}

static void cpu_v2(int dir, struct cgroup_stats *s)
{
	us_key(dir, "cpu.stat", "usage_usec", &s->cpu_ns);
	us_key(dir, "cpu.stat", "user_usec", &s->cpu_user_ns);
	us_key(dir, "cpu.stat", "system_usec", &s->cpu_system_ns);
}

static void throttle_v2(int dir, struct cgroup_stats *s)
{
	key(dir, "cpu.stat", "nr_periods", &s->cpu_periods);
	key(dir, "cpu.stat", "nr_throttled", &s->cpu_throttled);
	us_key(dir, "cpu.stat", "throttled_usec", &s->cpu_throttled_ns);
}

/* ---- both ---- */

typedef void reader(int dir, struct cgroup_stats *s);

static void read_one(const struct cgroup *cg, enum cgroup_ctl c, reader *v1, reader *v2,
		     struct cgroup_stats *s)
{
	int i = cg->of[c];

	if (i < 0)
		return;
	if (cg->place[i].version == 2)
		v2(cg->place[i].fd, s);
	else
		v1(cg->place[i].fd, s);
}

static void pids_both(int dir, struct cgroup_stats *s)
{
	num(dir, "pids.current", &s->pids);
	num(dir, "pids.max", &s->pids_limit);
}

int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e)
{
	struct cgroup_stats s = {.memory_limit_bytes = UINT64_MAX,
				 .memory_swap_limit_bytes = UINT64_MAX,
				 .pids_limit = UINT64_MAX};

	if (cg->n == 0)
		return err_set(e, ERR_UNSUPPORTED, "cgroup: no numbers without a cgroup");
	/* CPU time is counted in every v2 cgroup, with or without the controller. */
	if (cg->unified >= 0)
		cpu_v2(cg->place[cg->unified].fd, &s);
	if (cg->of[CGROUP_CPUACCT] >= 0)
		cpuacct_v1(cg->place[cg->of[CGROUP_CPUACCT]].fd, &s);
	read_one(cg, CGROUP_CPU, cpu_v1, throttle_v2, &s);
	read_one(cg, CGROUP_MEMORY, memory_v1, memory_v2, &s);
	read_one(cg, CGROUP_PIDS, pids_both, pids_both, &s);
	read_one(cg, CGROUP_BLKIO, blkio_v1, io_v2, &s);
	*out = s;
	return 0;
}
