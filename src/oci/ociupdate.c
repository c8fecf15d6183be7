/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ociupdate.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "fmt/json.h"
#include "oci/ocistate.h"
#include "oci/ocivm.h"
#include "runtime/cgroup.h"
#include "runtime/rdt.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define RESOURCES_MAX (1u << 20)
#define LOOK_MS	      10	   /* how often the count is read after an OOM event */
#define LOOK_NS	      2000000000LL /* and for how long */

/* An instance and its cgroup. */
struct target {
	int root_fd, dir;
	struct arena a;
	struct ocistate s;
	struct cgroup *cg;
};
#define TARGET_INIT ((struct target){.root_fd = -1, .dir = -1})

static void target_done(struct target *t)
{
	cgroup_close(t->cg);
	fd_close(t->dir);
	fd_close(t->root_fd);
	arena_free(&t->a);
}
#define auto_target __attribute__((cleanup(target_done)))

static int target_open(struct target *t, const struct ocicmd_globals *g, const char *id,
		       struct err *e)
{
	int r;

	t->root_fd = ocistate_open_root(g->root, false, e);
	if (t->root_fd < 0)
		return t->root_fd;
	r = ocistate_load(t->root_fd, id, &t->dir, &t->s, &t->a, e);
	if (r < 0)
		return r;
	if (ocistate_now(t->dir, &t->s) == OCISTATE_STOPPED)
		return err_set(e, ERR_CONFLICT, "container not running");
	if (!t->s.cgroup)
		return err_set(e, ERR_UNSUPPORTED, "container has no cgroup");
	return cgroup_open_saved(t->s.cgroup, &t->cg, e);
}

/* ---- update ---- */

struct update_args {
	const char *resources, *cpus, *mems, *l3, *bw;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *rt_period,
	    *rt_runtime, *cpu_idle, *memory, *reservation, *swap, *pids;
};

#define LIMIT(field_, name_, help_)                                                                \
	OPT(struct update_args, field_, .name = (name_), .type = OPT_STR, .arg = "N",              \
	    .help = (help_))

const struct opt ociupdate_opts[] = {
    OPT(struct update_args, resources, .name = "resources", .letter = 'r', .type = OPT_STR,
	.arg = "FILE", .help = "linux.resources as JSON, - for stdin; other options are ignored"),
    LIMIT(blkio_weight, "blkio-weight", "block io weight, 10 to 1000"),
    LIMIT(cpu_period, "cpu-period", "length of a CPU period in microseconds"),
    LIMIT(cpu_quota, "cpu-quota", "CPU time in a period in microseconds, -1: unlimited"),
    LIMIT(cpu_burst, "cpu-burst", "unused CPU time that may be carried over, in microseconds"),
    LIMIT(cpu_share, "cpu-share", "CPU weight against others"),
    LIMIT(rt_period, "cpu-rt-period", "realtime period in microseconds"),
    LIMIT(rt_runtime, "cpu-rt-runtime", "realtime CPU time in a period in microseconds"),
    LIMIT(cpu_idle, "cpu-idle", "1: run only when nothing else wants to"),
    OPT(struct update_args, cpus, .name = "cpuset-cpus", .type = OPT_STR, .arg = "LIST",
	.help = "CPUs to use"),
    OPT(struct update_args, mems, .name = "cpuset-mems", .type = OPT_STR, .arg = "LIST",
	.help = "memory nodes to use"),
    LIMIT(memory, "memory", "memory in bytes (k, m, g), -1: unlimited"),
    LIMIT(reservation, "memory-reservation", "soft limit in bytes"),
    LIMIT(swap, "memory-swap", "memory and swap in bytes, -1: unlimited"),
    LIMIT(pids, "pids-limit", "processes, -1: unlimited"),
    OPT(struct update_args, l3, .name = "l3-cache-schema", .type = OPT_STR, .arg = "TEXT",
	.help = "Intel RDT: L3 cache, lines as in resctrl's schemata"),
    OPT(struct update_args, bw, .name = "mem-bw-schema", .type = OPT_STR, .arg = "TEXT",
	.help = "Intel RDT: memory bandwidth, a line as in resctrl's schemata"),
    OPT_END,
};

/* A number, perhaps negative, perhaps with a size suffix; NULL leaves *out alone. */
static int limit(const char *text, const char *name, bool bytes, struct jbind_optint *out,
		 bool *any, struct err *e)
{
	uint64_t size;
	char *end;
	long long v;

	if (!text)
		return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end) {
		if (!bytes || opt_parse_bytes(text, &size) < 0 || size > INT64_MAX)
			return err_set(e, ERR_USAGE, "invalid value for %s: '%s'", name, text);
		v = (long long)size;
	}
	*out = (struct jbind_optint){.set = true, .v = v};
	*any = true;
	return 0;
}

static int from_file(const char *path, struct plan_resources *r, struct arena *a, struct err *e)
{
	auto_fd int fd = streq(path, "-") ? dup(0) : open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	ssize_t n = fd < 0 ? -errno : fd_slurp(fd, RESOURCES_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "resources '%s'", path);
	}
	return jbind_parse(&plan_resources_table, text, (size_t)n, r, a, "resources", e);
}

static int memory_options(const struct update_args *x, struct plan_memory *m, bool *any,
			  struct err *e)
{
	int r = limit(x->memory, "memory", true, &m->limit, any, e);

	if (r == 0)
		r = limit(x->reservation, "memory-reservation", true, &m->reservation, any, e);
	return r < 0 ? r : limit(x->swap, "memory-swap", true, &m->swap, any, e);
}

static int cpu_options(const struct update_args *x, struct plan_cpu *c, bool *any, struct err *e)
{
	const struct {
		const char *text, *name;
		struct jbind_optint *out;
	} all[] = {
	    {x->cpu_period, "cpu-period", &c->period},
	    {x->cpu_quota, "cpu-quota", &c->quota},
	    {x->cpu_burst, "cpu-burst", &c->burst},
	    {x->cpu_share, "cpu-share", &c->shares},
	    {x->rt_period, "cpu-rt-period", &c->realtime_period},
	    {x->rt_runtime, "cpu-rt-runtime", &c->realtime_runtime},
	    {x->cpu_idle, "cpu-idle", &c->idle},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++)
		r = limit(all[i].text, all[i].name, false, all[i].out, any, e);
	c->cpus = x->cpus;
	c->mems = x->mems;
	*any |= x->cpus || x->mems;
	return r;
}

static int from_options(const struct update_args *x, struct plan_resources *out, struct arena *a,
			struct err *e)
{
	struct plan_memory *m = arena_alloc(a, sizeof(*m));
	struct plan_cpu *c = arena_alloc(a, sizeof(*c));
	struct plan_pids *p = arena_alloc(a, sizeof(*p));
	struct plan_blkio *b = arena_alloc(a, sizeof(*b));
	bool memory = false, cpu = false, pids = false, blkio = false;
	int r = memory_options(x, m, &memory, e);

	if (r == 0)
		r = cpu_options(x, c, &cpu, e);
	if (r == 0)
		r = limit(x->pids, "pids-limit", false, &p->limit, &pids, e);
	if (r == 0)
		r = limit(x->blkio_weight, "blkio-weight", false, &b->weight, &blkio, e);
	out->memory = memory ? m : NULL;
	out->cpu = cpu ? c : NULL;
	out->pids = pids ? p : NULL;
	out->block_io = blkio ? b : NULL;
	return r;
}

/* A limit may have joined a hierarchy that the instance was not in: the next command must know it,
 * and delete must remove the directory there. */
static int save_places(struct target *t, struct err *e)
{
	auto_buf struct buf places = BUF_INIT(64 * 1024);

	cgroup_save(t->cg, &places);
	if (buf_fail(&places, "cgroup", e) < 0)
		return -EOVERFLOW;
	t->s.cgroup = places.p;
	return ocistate_save(t->dir, &t->s, e);
}

static int update_class(struct target *t, const struct update_args *x, struct err *e)
{
	auto_fd int root = -1;
	struct plan *p = NULL;
	struct plan_rdt rdt;
	int r = ocistate_plan(t->dir, &t->a, &p, e);

	if (r < 0)
		return r;
	if (!p->linux_->intel_rdt)
		return err_set(e, ERR_USAGE, "update: the instance has no linux.intelRdt");
	rdt = *p->linux_->intel_rdt;
	rdt.l3_schema = x->l3;
	rdt.bw_schema = x->bw;
	rdt.schemata = (struct strs){0};
	r = rdt_check(&rdt, e);
	if (r < 0)
		return r;
	root = rdt_open(e);
	return root < 0 ? root : rdt_update(root, &rdt, t->s.id, e);
}

#define TAKE(member)                                                                               \
	if (new->member.set)                                                                       \
	old->member = new->member

static void merge_cpu(struct plan_cpu *old, const struct plan_cpu *new)
{
	TAKE(shares);
	TAKE(quota);
	TAKE(burst);
	TAKE(period);
	TAKE(realtime_runtime);
	TAKE(realtime_period);
	TAKE(idle);
	old->cpus = new->cpus ? new->cpus : old->cpus;
	old->mems = new->mems ? new->mems : old->mems;
}

static void merge_memory(struct plan_memory *old, const struct plan_memory *new)
{
	TAKE(limit);
	TAKE(reservation);
	TAKE(swap);
	TAKE(kernel);
	TAKE(kernel_tcp);
	TAKE(swappiness);
}

/* What the plan says of the limits is what they are: the saved one takes on the new ones. */
static void merge(struct plan_resources *old, const struct plan_resources *new)
{
	if (new->cpu && old->cpu)
		merge_cpu(old->cpu, new->cpu);
	else if (new->cpu)
		old->cpu = new->cpu;
	if (new->memory && old->memory)
		merge_memory(old->memory, new->memory);
	else if (new->memory)
		old->memory = new->memory;
	old->pids = new->pids ? new->pids : old->pids;
	old->block_io = new->block_io ? new->block_io : old->block_io;
	if (new->hugepages.n)
		old->hugepages = new->hugepages;
	if (new->devices.n)
		old->devices = new->devices;
	if (new->unified.n)
		old->unified = new->unified;
}

static int save_limits(struct target *t, const struct plan_resources *res, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64u << 20);
	struct plan_resources none = {0};
	struct plan *p = NULL;
	int r = ocistate_plan(t->dir, &t->a, &p, e);

	if (r < 0)
		return r;
	if (!p->linux_->resources)
		p->linux_->resources = &none;
	merge(p->linux_->resources, res);
	plan_write(p, &b);
	if (buf_fail(&b, "config.json", e) < 0)
		return -EOVERFLOW;
	r = file_replace(t->dir, OCISTATE_CONFIG, b.p, b.len, 0600, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "keep config.json");
	}
	return 0;
}

/* dockerd sends every limit there is, with 0 for what stays (as runc reads it). */
static void drop_what_stays(struct plan_resources *res)
{
	const struct plan_memory *m = res->memory;

	if (m && !m->limit.v && !m->reservation.v && !m->swap.v && !m->kernel.v &&
	    !m->kernel_tcp.v && !m->swappiness.set)
		res->memory = NULL;
	if (res->cpu && res->cpu->mems && !*res->cpu->mems)
		res->cpu->mems = NULL;
}

/* What a machine was booted with stays. */
static int check_vm(const struct target *t, const struct plan_resources *res, bool rdt,
		    struct err *e)
{
	if (res->memory)
		return err_set(e, ERR_UNSUPPORTED,
			       "update: the memory of a running virtual machine cannot be changed");
	if (rdt || res->hugepages.n || res->unified.n || res->devices.n || res->network ||
	    res->rdma_json)
		return err_set(e, ERR_UNSUPPORTED,
			       "update: of a virtual machine only cpu, blockIO and pids change");
	if (res->cpu && res->cpu->mems)
		return err_set(e, ERR_UNSUPPORTED,
			       "update: the memory nodes of a virtual machine cannot be changed");
	if (ocistate_now(t->dir, &t->s) == OCISTATE_PAUSED && res->pids)
		return err_set(e, ERR_CONFLICT, "a paused guest cannot change its limits");
	return 0;
}

/* What its threads compute, read and write is limited here, its processes there.  The guest first:
 * it may refuse. */
static int update_vm(const struct target *t, const struct plan_resources *res, struct err *e)
{
	const struct plan_resources host = {.cpu = res->cpu, .block_io = res->block_io},
				    guest = {.pids = res->pids};
	int r = guest.pids ? ocivm_update(t->dir, &guest, e) : 0;

	return r == 0 && (host.cpu || host.block_io) ? cgroup_update(t->cg, &host, e) : r;
}

int ociupdate_update(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_target struct target t = TARGET_INIT;
	struct plan_resources res = {0};
	struct update_args x = {0};
	int r, i = opt_parse(ociupdate_opts, argc, argv, OPT_MIXED, &x, e);

	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"update\" requires exactly 1 argument");
	r = target_open(&t, g, argv[i], e);
	if (r == 0)
		r = x.resources ? from_file(x.resources, &res, &t.a, e)
				: from_options(&x, &res, &t.a, e);
	if (r == 0 && t.s.vm)
		drop_what_stays(&res);
	if (r == 0 && t.s.vm)
		r = check_vm(&t, &res, x.l3 || x.bw, e);
	if (r == 0 && (x.l3 || x.bw))
		r = update_class(&t, &x, e);
	if (r == 0)
		r = t.s.vm ? update_vm(&t, &res, e) : cgroup_update(t.cg, &res, e);
	if (r == 0)
		r = save_places(&t, e);
	return r < 0 ? r : save_limits(&t, &res, e);
}

/* ---- events ---- */

struct events_args {
	int64_t interval;
	bool stats;
};
const struct opt ociupdate_events_opts[] = {
    OPT(struct events_args, interval, .name = "interval", .type = OPT_DURATION, .arg = "TIME",
	.preset = "5s", .help = "how often statistics are printed"),
    OPT(struct events_args, stats, .name = "stats", .type = OPT_BOOL,
	.help = "print the statistics once"),
    OPT_END,
};

static unsigned long long u(uint64_t v)
{
	return (unsigned long long)v;
}

static void print_stats(const char *id, const struct cgroup_stats *s, struct buf *b)
{
	/* runc shows "no limit" of pids as 0 and of memory as the kernel's largest number. */
	buf_puts(b, "{\"type\":\"stats\",\"id\":");
	json_quote(b, id);
	buf_printf(b,
		   ",\"data\":{\"cpu\":{\"usage\":{\"total\":%llu,\"kernel\":%llu,\"user\":%llu},"
		   "\"throttling\":{\"periods\":%llu,\"throttledPeriods\":%llu,\"throttledTime\":"
		   "%llu}},",
		   u(s->cpu_ns), u(s->cpu_system_ns), u(s->cpu_user_ns), u(s->cpu_periods),
		   u(s->cpu_throttled), u(s->cpu_throttled_ns));
	buf_printf(
	    b,
	    "\"memory\":{\"cache\":%llu,\"usage\":{\"limit\":%llu,\"usage\":%llu,\"max\":%llu,"
	    "\"failcnt\":%llu},\"swap\":{\"limit\":%llu,\"usage\":%llu,\"failcnt\":0},"
	    "\"kernel\":{\"limit\":0,\"usage\":%llu,\"failcnt\":0},\"raw\":{\"rss\":%llu,"
	    "\"inactive_file\":%llu}},",
	    u(s->memory_cache_bytes), u(s->memory_limit_bytes), u(s->memory_bytes),
	    u(s->memory_peak_bytes), u(s->memory_failures), u(s->memory_swap_limit_bytes),
	    u(s->memory_swap_bytes), u(s->memory_kernel_bytes), u(s->memory_anon_bytes),
	    u(s->memory_inactive_bytes));
	buf_printf(
	    b,
	    "\"pids\":{\"current\":%llu,\"limit\":%llu},\"blkio\":{\"ioServiceBytesRecursive\":"
	    "[{\"major\":0,\"minor\":0,\"op\":\"Read\",\"value\":%llu},{\"major\":0,\"minor\":"
	    "0,\"op\":\"Write\",\"value\":%llu}]},\"hugetlb\":{},\"intel_rdt\":{}}}\n",
	    u(s->pids), u(s->pids_limit == UINT64_MAX ? 0 : s->pids_limit), u(s->io_read_bytes),
	    u(s->io_write_bytes));
}

static int stats_once(const struct target *t, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);
	struct cgroup_stats s = {0};
	int r = cgroup_stats(t->cg, &s, e);

	if (r < 0)
		return r;
	print_stats(t->s.id, &s, &b);
	r = fd_write_all(1, b.p, b.len);
	return r < 0 ? err_set(e, ERR_SYSTEM, "write statistics") : 0;
}

/* Was there one? */
static bool tell_oom(const struct target *t, uint64_t *seen)
{
	auto_buf struct buf b = BUF_INIT(4096);
	uint64_t count = 0;

	if (cgroup_oom_kills(t->cg, &count, NULL) < 0 || count <= *seen)
		return false;
	*seen = count;
	buf_puts(&b, "{\"type\":\"oom\",\"id\":");
	json_quote(&b, t->s.id);
	buf_puts(&b, "}\n");
	fd_write_all(1, b.p, b.len);
	return true;
}

struct stream {
	uint64_t seen;	       /* OOM kills told of */
	int64_t next_ns;       /* statistics */
	int64_t look_until_ns; /* 0: the count need not be looked at */
};

static int wait_ms(const struct stream *x, int64_t now)
{
	int64_t left = x->next_ns > now ? (x->next_ns - now + 999999) / 1000000 : 0;

	return (int)(x->look_until_ns && left > LOOK_MS ? LOOK_MS : left);
}

/* v1 wakes us before it kills, and the count grows only then. */
static void look(const struct target *t, struct stream *x, int64_t now)
{
	if (tell_oom(t, &x->seen) || now > x->look_until_ns)
		x->look_until_ns = 0;
}

/* Until process 1 has ended. */
static int follow(const struct target *t, int64_t interval_ns, struct err *e)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)t->s.pid, 0);
	auto_fd int oom = -1;
	struct stream x = {.next_ns = trace_now_ns() + interval_ns};
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.events = POLLIN | POLLPRI}};
	char drop[4096];

	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, "container not running");
	/* Counted before and after it is listened for, so that none falls between. */
	cgroup_oom_kills(t->cg, &x.seen, NULL);
	p[1].fd = oom = cgroup_oom_fd(t->cg, NULL);
	tell_oom(t, &x.seen);
	for (;;) {
		int64_t now;
		int r;

		if (poll(p, 2, wait_ms(&x, trace_now_ns())) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		now = trace_now_ns();
		if (p[1].revents && read(oom, drop, sizeof(drop)) >= 0)
			x.look_until_ns = now + LOOK_NS;
		if (x.look_until_ns)
			look(t, &x, now);
		if (p[0].revents)
			return 0;
		if (now >= x.next_ns) {
			x.next_ns = now + interval_ns;
			r = stats_once(t, e);
			if (r < 0)
				return r;
		}
	}
}

int ociupdate_events(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_target struct target t = TARGET_INIT;
	struct events_args x = {0};
	int r, i = opt_parse(ociupdate_events_opts, argc, argv, OPT_MIXED, &x, e);

	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"events\" requires exactly 1 argument");
	if (x.interval < 1000000 || x.interval > 86400LL * 1000000000)
		return err_set(e, ERR_USAGE, "--interval must be between 1ms and 24h");
	r = target_open(&t, g, argv[i], e);
	if (r < 0)
		return r;
	return x.stats ? stats_once(&t, e) : follow(&t, x.interval, e);
}
