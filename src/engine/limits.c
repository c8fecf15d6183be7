/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/limits.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/request.h"
#include "fmt/cpulist.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PIDS_DEFAULT  2048 /* a fork bomb ends here and not at the host's limit */
#define CPU_PERIOD_US 100000
#define NANO	      1000000000
#define MEMORY_MIN    (6ull << 20) /* as docker: less does not hold the runtime's own pages */
#define VM_MEMORY_MIN (96ull << 20)
#define WEIGHT_MIN    10
#define WEIGHT_MAX    1000
#define DISK_MIN      (64ull << 20) /* what mkfs makes a usable ext4 of */
#define DISK_MAX      (16ull << 40)

static bool is_vm(const struct request *q)
{
	return q->isolation == PLAN_VM && !q->machine;
}

static struct jbind_optint some(int64_t v)
{
	return (struct jbind_optint){v != 0, v};
}

/* ---- memory ---- */

static int check_vm_memory(const struct request *q, struct err *e)
{
	const struct {
		bool said;
		const char *option;
	} not_there[] = {
	    {q->memory_reservation, "memory-reservation"},
	    {q->memory_swap, "memory-swap"},
	    {q->swappiness.set, "memory-swappiness"},
	    {q->oom_kill_disable, "oom-kill-disable"},
	};

	for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++)
		if (not_there[i].said)
			return err_set(e, ERR_UNSUPPORTED,
				       "--%s is not possible with --isolation vm: its memory is "
				       "the machine's own, without swap",
				       not_there[i].option);
	if (q->memory_bytes && q->memory_bytes < VM_MEMORY_MIN)
		return err_set(e, ERR_USAGE,
			       "--memory of a vm is at least 96m: its kernel needs some");
	return 0;
}

static int check_memory(const struct request *q, struct err *e)
{
	if (q->memory_bytes > INT64_MAX || q->memory_reservation > INT64_MAX)
		return err_set(e, ERR_USAGE, "--memory and --memory-reservation: below 8 EiB");
	if (q->memory_bytes && q->memory_bytes < MEMORY_MIN)
		return err_set(e, ERR_USAGE, "--memory is at least 6m");
	if (q->memory_reservation && q->memory_reservation < MEMORY_MIN)
		return err_set(e, ERR_USAGE, "--memory-reservation is at least 6m");
	if (q->memory_bytes && q->memory_reservation > q->memory_bytes)
		return err_set(e, ERR_USAGE, "--memory-reservation is above --memory");
	/* -1, no limit, is what holds without one. */
	if (q->memory_swap > 0 && !q->memory_bytes)
		return err_set(e, ERR_USAGE, "--memory-swap needs --memory: it limits their sum");
	if (q->memory_swap > 0 && (uint64_t)q->memory_swap < q->memory_bytes)
		return err_set(e, ERR_USAGE,
			       "--memory-swap is memory and swap together, so not below --memory");
	return is_vm(q) ? check_vm_memory(q, e) : 0;
}

static int memory(const struct request *q, struct arena *a, struct plan_resources *out,
		  struct err *e)
{
	struct plan_memory *m;
	int r = check_memory(q, e);

	if (r < 0 || is_vm(q))
		return r;
	if (!q->memory_bytes && !q->memory_reservation && !q->swappiness.set &&
	    !q->oom_kill_disable)
		return 0;
	m = out->memory = arena_alloc(a, sizeof(*m));
	m->limit = some((int64_t)q->memory_bytes);
	m->reservation = some((int64_t)q->memory_reservation);
	m->swap = some(q->memory_bytes ? q->memory_swap : 0);
	m->swappiness = q->swappiness;
	m->disable_oom_killer = q->oom_kill_disable;
	return 0;
}

/* ---- processors ---- */

static int check_list(const char *option, const char *list, const char *online, struct err *e)
{
	unsigned char want[1024], there[1024];
	auto_free char *text = NULL;
	ssize_t n;

	if (cpulist_parse(list, want, sizeof(want)) < 0)
		return err_set(e, ERR_USAGE, "--%s wants a list such as 0-3,7, not '%.60s'", option,
			       list);
	n = file_read(AT_FDCWD, online, 64 << 10, &text);
	/* Without such a file (no NUMA in the kernel) there is node 0. */
	if (n > 0)
		text[strcspn(text, "\n")] = '\0';
	if (n == -ENOENT)
		cpulist_parse("0", there, sizeof(there));
	else if (n < 0 || cpulist_parse(text, there, sizeof(there)) < 0)
		return err_set(e, ERR_SYSTEM, "%s cannot be read", online);
	for (size_t i = 0; i < sizeof(want); i++)
		if (want[i] & ~there[i])
			return err_set(e, ERR_USAGE, "--%s '%.60s': there is only %.60s", option,
				       list, n < 0 ? "0" : text);
	return 0;
}

static int check_cpu(const struct request *q, struct err *e)
{
	int r = 0;

	if (q->nano_cpus && (q->cpu_period || q->cpu_quota))
		return err_set(e, ERR_USAGE,
			       "conflicting options: --cpus and --cpu-period or --cpu-quota");
	if (q->cpu_period && q->cpu_period < 1000)
		return err_set(e, ERR_USAGE, "--cpu-period is from 1000 to 1000000 microseconds");
	if (q->cpu_quota > 0 && q->cpu_quota < 1000)
		return err_set(e, ERR_USAGE, "--cpu-quota is at least 1000 microseconds");
	if (q->cpu_shares == 1)
		return err_set(e, ERR_USAGE, "--cpu-shares is at least 2");
	if (q->cpu_rt_runtime > (q->cpu_rt_period ? q->cpu_rt_period : 1000000))
		return err_set(e, ERR_USAGE, "--cpu-rt-runtime is above its period");
	if (q->cpuset_cpus)
		r = check_list("cpuset-cpus", q->cpuset_cpus, "/sys/devices/system/cpu/online", e);
	if (r == 0 && q->cpuset_mems)
		r = check_list("cpuset-mems", q->cpuset_mems, "/sys/devices/system/node/online", e);
	return r;
}

static int cpu(const struct request *q, struct arena *a, struct plan_resources *out, struct err *e)
{
	struct plan_cpu *c;
	int r = check_cpu(q, e);

	if (r < 0)
		return r;
	c = arena_alloc(a, sizeof(*c));
	c->shares = some(q->cpu_shares);
	c->period = some(q->cpu_period);
	c->quota = some(q->cpu_quota);
	if (q->nano_cpus) {
		c->period = some(CPU_PERIOD_US);
		c->quota = some(q->nano_cpus / (NANO / CPU_PERIOD_US));
	}
	c->realtime_period = some(q->cpu_rt_period);
	c->realtime_runtime = some(q->cpu_rt_runtime);
	c->cpus = q->cpuset_cpus;
	c->mems = q->cpuset_mems;
	if (c->shares.set || c->period.set || c->quota.set || c->realtime_period.set ||
	    c->realtime_runtime.set || c->cpus || c->mems)
		out->cpu = c;
	return 0;
}

/* ---- block I/O ---- */

struct block {
	int64_t major, minor;
	const char *value; /* behind the last ':' */
};

static int block_device(const char *option, const char *said, struct arena *a, struct block *out,
			struct err *e)
{
	const char *colon = strrchr(said, ':'), *path;
	struct stat st;

	if (!colon || colon == said || !colon[1])
		return err_set(e, ERR_USAGE, "--%s wants DEVICE:NUMBER, not '%.80s'", option, said);
	path = arena_dupn(a, said, (size_t)(colon - said));
	if (*path != '/')
		return err_set(e, ERR_USAGE, "--%s '%.80s': no absolute path", option, said);
	if (stat(path, &st) < 0)
		return err_sys(e, "--%s '%.80s'", option, path);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_USAGE, "--%s: '%.80s' is no block device", option, path);
	*out = (struct block){major(st.st_rdev), minor(st.st_rdev), colon + 1};
	return 0;
}

static int weights(const struct request *q, struct arena *a, struct plan_blkio *out, struct err *e)
{
	const struct strs *l = &q->blkio_weight_devices;

	if (q->blkio_weight && (q->blkio_weight < WEIGHT_MIN || q->blkio_weight > WEIGHT_MAX))
		return err_set(e, ERR_USAGE, "--blkio-weight is from 10 to 1000, or 0");
	out->weight = some(q->blkio_weight);
	out->weight_devices.v = arena_array(a, l->n + 1, sizeof(*out->weight_devices.v));
	for (size_t i = 0; i < l->n; i++) {
		struct plan_weight_device *w = &out->weight_devices.v[i];
		struct block b;
		char *end;
		int r = block_device("blkio-weight-device", l->v[i], a, &b, e);

		if (r < 0)
			return r;
		w->major = b.major;
		w->minor = b.minor;
		w->weight = (struct jbind_optint){true, strtol(b.value, &end, 10)};
		if (*end || w->weight.v < WEIGHT_MIN || w->weight.v > WEIGHT_MAX)
			return err_set(e, ERR_USAGE,
				       "--blkio-weight-device '%.80s': a weight is from 10 to 1000",
				       l->v[i]);
		out->weight_devices.n++;
	}
	return 0;
}

static int throttles(const char *option, const struct strs *l, bool bytes, struct arena *a,
		     struct plan_throttles *out, struct err *e)
{
	out->v = arena_array(a, l->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < l->n; i++) {
		struct block b;
		uint64_t rate = 0;
		int r = block_device(option, l->v[i], a, &b, e);

		if (r < 0)
			return r;
		if (opt_parse_bytes(b.value, &rate) < 0 || !rate ||
		    (!bytes && b.value[strspn(b.value, "0123456789")]))
			return err_set(e, ERR_USAGE, "--%s '%.80s': wants a %s above 0", option,
				       l->v[i], bytes ? "size such as 1m" : "number");
		out->v[out->n++] = (struct plan_throttle){b.major, b.minor, rate};
	}
	return 0;
}

static int block_io(const struct request *q, struct arena *a, struct plan_resources *out,
		    struct err *e)
{
	struct plan_blkio *b = arena_alloc(a, sizeof(*b));
	int r = weights(q, a, b, e);

	if (r == 0)
		r = throttles("device-read-bps", &q->device_read_bps, true, a, &b->read_bps, e);
	if (r == 0)
		r = throttles("device-write-bps", &q->device_write_bps, true, a, &b->write_bps, e);
	if (r == 0)
		r = throttles("device-read-iops", &q->device_read_iops, false, a, &b->read_iops, e);
	if (r == 0)
		r = throttles("device-write-iops", &q->device_write_iops, false, a, &b->write_iops,
			      e);
	if (b->weight.set || b->weight_devices.n || b->read_bps.n || b->write_bps.n ||
	    b->read_iops.n || b->write_iops.n)
		out->block_io = b;
	return r;
}

int limits_build(const struct request *q, struct arena *a, struct plan_resources *out,
		 struct err *e)
{
	int r = memory(q, a, out, e);

	if (r == 0)
		r = cpu(q, a, out, e);
	if (r == 0)
		r = block_io(q, a, out, e);
	if (r < 0)
		return r;
	out->pids = arena_alloc(a, sizeof(*out->pids));
	/* 0 and -1 both say "no limit", as in docker. */
	out->pids->limit = q->pids.set ? q->pids : (struct jbind_optint){true, PIDS_DEFAULT};
	if (out->pids->limit.v <= 0)
		out->pids->limit.v = -1;
	return 0;
}

bool limits_default_pids(const struct request *q)
{
	return !q->pids.set || q->pids.v == PIDS_DEFAULT || q->pids.v <= 0;
}

/* ---- of a process ---- */

static int one_limit(const char *said, struct arena *a, struct plan_rlimit *out, struct err *e)
{
	static const char *const names[] = {
	    "core",   "cpu",   "data", "fsize",	 "locks",  "memlock",	 "msgqueue", "nice",
	    "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL};
	const char *eq = strchr(said, '='), *known = NULL;
	unsigned long long v[2] = {0};
	char *up, *end = NULL;

	for (const char *const *n = names; eq && *n; n++)
		if (strlen(*n) == (size_t)(eq - said) && strncmp(said, *n, strlen(*n)) == 0)
			known = *n;
	if (!known)
		return err_set(e, ERR_USAGE, "invalid --ulimit '%.60s': unknown name", said);
	for (int i = 0; i < 2; i++) {
		const char *s = i ? end + 1 : eq + 1;

		v[i] = strncmp(s, "-1", 2) == 0 ? UINT64_MAX : strtoull(s, &end, 10);
		if (strncmp(s, "-1", 2) == 0)
			end = arena_dup(a, s + 2);
		if (end == s || (*s != '-' && (*s < '0' || *s > '9')) || (*end && *end != ':') ||
		    (i && *end))
			return err_set(e, ERR_USAGE, "invalid --ulimit '%.60s': NAME=SOFT[:HARD]",
				       said);
		if (!i && !*end) {
			v[1] = v[0];
			break;
		}
	}
	if (v[0] > v[1])
		return err_set(e, ERR_USAGE, "invalid --ulimit '%.60s': soft is above hard", said);
	up = arena_printf(a, "RLIMIT_%s", known);
	for (char *c = up; *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
	*out = (struct plan_rlimit){up, v[0], v[1]};
	return 0;
}

int limits_ulimits(const struct request *q, struct arena *a, struct plan_rlimits *out,
		   struct err *e)
{
	out->v = arena_array(a, q->ulimits.n + 1, sizeof(*out->v));
	for (size_t i = 0; i < q->ulimits.n; i++) {
		int r = one_limit(q->ulimits.v[i], a, &out->v[out->n], e);

		if (r < 0)
			return r;
		for (size_t k = 0; k < out->n; k++)
			if (streq(out->v[k].type, out->v[out->n].type))
				return err_set(e, ERR_USAGE, "--ulimit '%.60s' is there twice",
					       q->ulimits.v[i]);
		out->n++;
	}
	return 0;
}

/* ---- of the root ---- */

int limits_disk(const struct request *q, uint64_t *bytes, struct err *e)
{
	*bytes = 0;
	for (size_t i = 0; i < q->storage_opts.n; i++) {
		const char *said = q->storage_opts.v[i], *size = str_after(said, "size=");

		if (!size)
			return err_set(e, ERR_UNSUPPORTED,
				       "--storage-opt '%.60s' is not possible: only size= is",
				       said);
		if (!is_vm(q))
			return err_set(
			    e, ERR_UNSUPPORTED,
			    "--storage-opt size= is not possible for a container: it "
			    "would need quotas of the host's file system; a vm has a disk "
			    "of its own");
		if (opt_parse_bytes(size, bytes) < 0 || *bytes < DISK_MIN || *bytes > DISK_MAX)
			return err_set(e, ERR_USAGE,
				       "--storage-opt '%.60s': wants a size from 64m to 16t", said);
	}
	/* Whole blocks. */
	*bytes &= ~(uint64_t)4095;
	return 0;
}
