/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_build.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/cgparent.h"
#include "engine/devspec.h"
#include "engine/join.h"
#include "engine/limits.h"
#include "engine/request.h"
#include "engine/usernsmode.h"
#include "engine/wall.h"
#include "fmt/oci_image.h"
#include "spec/plan.h"
#include "store/instance.h"
#include "sys/userns.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define SHM_DEFAULT    (64u << 20)
#define VM_MEMORY      (256u << 20)
#define STOP_TIMEOUT_S 10
#define DEFAULT_PATH   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NANO	       1000000000

struct build {
	const struct plan_input *in;
	const struct request *q;
	struct arena *a;
	struct plan *p;
	struct health *health; /* NULL: none */
};

void plan_build_setenv(struct strs *env, const char *pair, struct arena *a)
{
	const char *eq = strchr(pair, '=');
	size_t n = eq ? (size_t)(eq - pair) + 1 : strlen(pair);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], pair, n) == 0) {
			env->v[i] = pair;
			return;
		}
	arena_strs_add(a, env, pair);
}

static bool starts_with_slash(const char *s)
{
	return s && *s == '/';
}

int plan_build_command(const struct request *q, const struct oci_process *image, struct arena *a,
		       struct strs *out, struct err *e)
{
	const struct strs *entry = q->entrypoint_set ? &q->entrypoint : &image->entrypoint;
	const struct strs *args = &q->args;
	struct strs l = {0};

	if (!args->n && !q->entrypoint_set)
		args = &image->cmd;
	/* Copies: the instance's record outlives the image that is open now. */
	for (size_t i = 0; i < entry->n; i++)
		arena_strs_add(a, &l, arena_dup(a, entry->v[i]));
	for (size_t i = 0; i < args->n; i++)
		arena_strs_add(a, &l, arena_dup(a, args->v[i]));
	if (!l.n)
		return err_set(e, ERR_USAGE,
			       "no command specified: neither the image '%.100s' nor the command "
			       "line names one",
			       q->image);
	*out = l;
	return 0;
}

static void environment(struct build *b)
{
	struct plan_process *pr = b->p->process;
	const struct strs *image = &b->in->image->env;

	plan_build_setenv(&pr->env, DEFAULT_PATH, b->a);
	if (b->p->hostname)
		plan_build_setenv(&pr->env, arena_printf(b->a, "HOSTNAME=%s", b->p->hostname),
				  b->a);
	if (b->q->tty)
		plan_build_setenv(&pr->env, "TERM=xterm", b->a);
	for (size_t i = 0; i < image->n; i++)
		if (strchr(image->v[i], '='))
			plan_build_setenv(&pr->env, image->v[i], b->a);
	for (size_t i = 0; i < b->q->env.n; i++)
		plan_build_setenv(&pr->env, b->q->env.v[i], b->a);
}

static int process(struct build *b, struct err *e)
{
	struct plan_process *pr = arena_alloc(b->a, sizeof(*pr));
	const struct oci_process *image = b->in->image;
	const char *keep = b->in->userns ? b->in->userns->user : NULL;
	const char *user = b->q->user && *b->q->user ? b->q->user : keep ? keep : image->user;
	int r;

	b->p->process = pr;
	pr->terminal = b->q->tty;
	pr->args = b->in->instance->command;
	pr->cwd = b->q->workdir ? b->q->workdir : image->working_dir;
	if (!starts_with_slash(pr->cwd))
		pr->cwd = pr->cwd && *pr->cwd ? arena_printf(b->a, "/%s", pr->cwd) : "/";
	pr->user.username = user && *user ? user : NULL;
	pr->user.groups = b->q->group_add;
	pr->oom_score_adj = b->q->oom_score;
	pr->capabilities = arena_alloc(b->a, sizeof(*pr->capabilities));
	environment(b);
	r = wall_caps(b->q, b->a, pr->capabilities, e);
	if (r == 0)
		r = limits_ulimits(b->q, b->a, &pr->rlimits, e);
	if (r == 0)
		wall_rlimits(b->q->isolation != PLAN_VM, b->a, &pr->rlimits);
	return r;
}

static struct plan_mount *mount_at(struct build *b, const char *destination, const char *type,
				   const char *source)
{
	struct plan_mounts *l = &b->p->mounts;
	struct plan_mount *m = &l->v[l->n++];

	*m = (struct plan_mount){.destination = destination, .type = type, .source = source};
	return m;
}

static void mount_options(struct build *b, struct plan_mount *m, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		arena_strs_add(b->a, &m->options, arena_dupn(b->a, list, n));
		list += n + (list[n] == ',');
	}
}

static bool user_mounts(const struct build *b, const char *destination)
{
	const struct instance_mounts *l = &b->in->instance->mounts;

	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].destination, destination))
			return true;
	return false;
}

/* Of a pod that is a machine: the guest knows what is meant (guest/box.h). */
static bool shared(const struct build *b, const char *what)
{
	for (size_t i = 0; b->q->machine && i < b->q->machine_share.n; i++)
		if (streq(b->q->machine_share.v[i], what))
			return true;
	return false;
}

/* Its own, none, the host's, or another instance's. */
static void shm_mount(struct build *b)
{
	const char *mode = b->q->ipc_mode ? b->q->ipc_mode : "";
	const char *source = streq(mode, "host") ? "/dev/shm"
			     : shared(b, "ipc")	 ? "@shm"
						 : b->in->shm;
	uint64_t size = b->q->shm_bytes ? b->q->shm_bytes : SHM_DEFAULT;

	if (user_mounts(b, "/dev/shm") || streq(mode, "none"))
		return;
	if (source)
		mount_options(b, mount_at(b, "/dev/shm", "bind", source), "bind,rprivate");
	else
		mount_options(
		    b, mount_at(b, "/dev/shm", "tmpfs", "shm"),
		    arena_printf(b->a, "nosuid,noexec,nodev,mode=1777,size=%" PRIu64, size));
}

/* What the user mounts at one of these places replaces ours, as in docker. */
static void default_mounts(struct build *b)
{
	/* tty's group in Debian and in most images; a user with one id only has no such group. */
	bool tty_group = !userns_inside() || userns_has_gid(5);
	const struct {
		const char *destination, *type, *source, *options;
	} table[] = {
	    {"/proc", "proc", "proc", "nosuid,noexec,nodev"},
	    {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	    {"/dev/pts", "devpts", "devpts",
	     tty_group ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"
		       : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"},
	    {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	    {"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"},
	    {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!user_mounts(b, table[i].destination))
			mount_options(
			    b, mount_at(b, table[i].destination, table[i].type, table[i].source),
			    table[i].options);
	shm_mount(b);
}

static void etc_mounts(struct build *b)
{
	static const char *const names[] = {"resolv.conf", "hostname", "hosts"};

	for (size_t i = 0; i < 3; i++) {
		const char *at = arena_printf(b->a, "/etc/%s", names[i]);

		if (!user_mounts(b, at))
			mount_options(
			    b,
			    mount_at(b, at, "bind",
				     b->q->machine
					 ? arena_printf(b->a, "@main:%s", at)
					 : arena_printf(b->a, "%s/%s",
							b->in->etc_dir ?: b->p->caisson->state_dir,
							names[i])),
			    "rbind,rprivate");
	}
}

/* mount_setattr() reaches the mounts below one since Linux 5.12. */
static bool recursive_readonly(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 12));
}

/* What lies below a read-only mount is read-only too, unless one says otherwise (docker since 25).
 * A VM's share is read-only as a whole. */
static int recursive(struct build *b, struct plan_mount *m, const char *how, struct err *e)
{
	bool can = recursive_readonly();

	if (b->q->isolation == PLAN_VM || streq(how, "writable") || streq(how, "disabled"))
		return 0;
	if (!can && streq(how, "readonly"))
		return err_set(e, ERR_UNSUPPORTED,
			       "mount at '%.120s': bind-recursive=readonly needs Linux 5.12",
			       m->destination);
	if (can)
		arena_strs_add(b->a, &m->options, "rro");
	return 0;
}

static bool own_ids(const struct build *b)
{
	return b->in->userns && b->in->userns->uids.n;
}

/* The files of a user who keeps his id are his inside and outside. */
static bool shifted_volumes(const struct build *b)
{
	return own_ids(b) && !(userns_inside() && str_after(b->q->userns_mode, "keep-id"));
}

static int one_mount(struct build *b, const struct instance_mount *v, struct err *e)
{
	bool tmpfs = streq(v->type, "tmpfs"), propagation = false, ro = false;
	bool copy = streq(v->type, "volume");
	const char *how = "enabled";
	struct plan_mount *m =
	    mount_at(b, v->destination, tmpfs ? "tmpfs" : "bind", tmpfs ? "tmpfs" : v->source);

	for (size_t k = 0; k < v->options.n; k++)
		how = str_after(v->options.v[k], "recursive=") ?: how;
	/* Docker's defaults for --tmpfs; what was said comes behind and wins. */
	mount_options(b, m,
		      tmpfs		       ? "nosuid,nodev,noexec"
		      : streq(how, "disabled") ? "bind"
					       : "rbind");
	for (size_t k = 0; k < v->options.n; k++) {
		const char *o = v->options.v[k];

		propagation |=
		    !tmpfs && (strstr(o, "private") || strstr(o, "shared") || strstr(o, "slave"));
		/* Without it the runtime would cut the root off from the host's mounts. */
		if (!tmpfs && (strstr(o, "shared") || strstr(o, "slave")) &&
		    !streq(b->p->linux_->rootfs_propagation, "shared"))
			b->p->linux_->rootfs_propagation = strstr(o, "shared") ? "shared" : "slave";
		copy &= !streq(o, "nocopy");
		ro |= streq(o, "ro");
		/* One taken over from a VM: here nobody caches anything. */
		if (streq(o, "consistent") && b->q->isolation != PLAN_VM)
			continue;
		if (!streq(o, "nocopy") && !str_after(o, "recursive="))
			arena_strs_add(b->a, &m->options, o);
	}
	/* Whoever asks for a part has put something there. */
	copy &= !v->subpath;
	if (v->subpath)
		arena_strs_add(b->a, &m->options, arena_printf(b->a, "subpath=%s", v->subpath));
	/* A volume of ours has the owners that instances know, whatever their range; one that
	 * stands for a directory of the host has the host's. */
	if (shifted_volumes(b) && streq(v->type, "volume") && str_after(v->source, b->in->root))
		arena_strs_add(b->a, &m->options, "idmap");
	/* For a bind mount the runtime reads it as: when it is empty. */
	if (copy)
		arena_strs_add(b->a, &m->options, "tmpcopyup");
	if (!tmpfs && !propagation)
		arena_strs_add(b->a, &m->options, "rprivate");
	return ro && !tmpfs ? recursive(b, m, how, e) : 0;
}

static int instance_mounts(struct build *b, struct err *e)
{
	const struct instance_mounts *l = &b->in->instance->mounts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = one_mount(b, &l->v[i], e);
	return r;
}

static int mounts(struct build *b, struct err *e)
{
	b->p->mounts.v =
	    arena_array(b->a, 16 + b->in->instance->mounts.n, sizeof(struct plan_mount));
	default_mounts(b);
	if (b->in->etc_files || b->in->etc_dir || b->in->box_image)
		etc_mounts(b);
	return instance_mounts(b, e);
}

static void clocks(struct build *b, struct plan_namespaces *l)
{
	struct plan_time_offsets *t = arena_alloc(b->a, sizeof(*t));

	t->monotonic = arena_alloc(b->a, sizeof(*t->monotonic));
	*t->monotonic = (struct plan_time_offset){.secs = b->q->clock_offset_s};
	t->boottime = t->monotonic;
	l->v[l->n++] = (struct plan_namespace){.type = "time"};
	b->p->linux_->time_offsets = t;
}

static void namespaces(struct build *b)
{
	const struct request *q = b->q;
	const struct {
		const char *type;
		bool host;
		const char *path;
	} types[] = {{"pid", q->pid_mode && streq(q->pid_mode, "host"), b->in->pid_ns},
		     {"ipc", q->ipc_mode && streq(q->ipc_mode, "host"), b->in->ipc_ns},
		     {"uts", q->uts_host, b->in->uts_ns},
		     {"mount", false},
		     {"cgroup", q->cgroupns_host}};
	struct plan_namespaces *l = &b->p->linux_->namespaces;

	l->v = arena_array(b->a, 8, sizeof(*l->v));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!types[i].host)
			l->v[l->n++] = (struct plan_namespace){
			    types[i].type, shared(b, types[i].type) ? "@main" : types[i].path};
	if (own_ids(b)) {
		l->v[l->n++] = (struct plan_namespace){.type = "user"};
		b->p->linux_->uid_mappings = b->in->userns->uids;
		b->p->linux_->gid_mappings = b->in->userns->gids;
	}
	if (q->clock_offset_s && q->isolation != PLAN_VM)
		clocks(b, l);
	/* In a VM it stands for the machine's own. */
	if (b->in->net_ns || q->isolation == PLAN_VM)
		l->v[l->n++] = (struct plan_namespace){"network", b->in->net_ns};
}

static void device_rule(struct plan_device_rules *l, const char *type, int64_t major, int64_t minor,
			const char *access)
{
	struct plan_device_rule *d = &l->v[l->n++];

	*d = (struct plan_device_rule){.allow = true, .type = type, .access = access};
	if (major >= 0)
		d->major = (struct jbind_optint){true, major};
	if (minor >= 0)
		d->minor = (struct jbind_optint){true, minor};
}

/* Deny all, then: mknod of anything, the harmless nodes, terminals. */
static void devices(struct build *b, struct plan_resources *res)
{
	static const int nodes[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},	 {1, 9},
				       {5, 0}, {5, 1}, {5, 2}, {136, -1}};
	struct plan_device_rules *l = &res->devices;

	l->v = arena_array(b->a, 16, sizeof(*l->v));
	l->v[l->n++] = (struct plan_device_rule){.allow = b->q->privileged, .access = "rwm"};
	if (b->q->privileged)
		return;
	device_rule(l, "c", -1, -1, "m");
	device_rule(l, "b", -1, -1, "m");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		device_rule(l, "c", nodes[i][0], nodes[i][1], "rwm");
}

static int resources(struct build *b, struct err *e)
{
	struct plan_resources *res = arena_alloc(b->a, sizeof(*res));
	int r;

	b->p->linux_->resources = res;
	devices(b, res);
	if (b->in->dry)
		return 0;
	r = limits_build(b->q, b->a, res, e);
	return r < 0 ? r : devspec_build(b->q, b->a, &b->p->linux_->devices, &res->devices, e);
}

static void pairs(struct build *b, const struct strs *from, struct jbind_map *to)
{
	to->v = arena_array(b->a, from->n + 1, sizeof(*to->v));
	for (size_t i = 0; i < from->n; i++) {
		const char *eq = strchr(from->v[i], '=');

		to->v[to->n++] = (struct jbind_pair){
		    arena_dupn(b->a, from->v[i], (size_t)(eq - from->v[i])), eq + 1};
	}
}

static int cgroup(struct build *b, struct err *e)
{
	const char *parent;
	int r = cgparent_path(b->q->cgroup_parent, b->a, &parent, e);

	/* An ordinary user's engine may make directories at most where it is itself. */
	if (r == 0 && userns_inside() && !b->q->cgroup_parent)
		parent++;
	if (r == 0)
		b->p->linux_->cgroups_path =
		    arena_printf(b->a, "%s/%s", parent, b->in->instance->id);
	return r;
}

/* Names that the image or the user calls a signal by, in one form. */
static const char *stop_signal(const struct build *b)
{
	const char *s = b->q->stop_signal ? b->q->stop_signal : b->in->image->stop_signal;
	int sig = s && *s ? request_signal(s, NULL) : -1;

	if (sig < 0)
		return "SIGTERM";
	return request_signal_name(sig) ?: arena_printf(b->a, "%d", sig);
}

static void caisson(struct build *b)
{
	struct plan_caisson *c = b->p->caisson;
	const struct instance *i = b->in->instance;

	c->isolation = b->q->isolation;
	c->id = i->id;
	c->name = i->name;
	c->image = i->image;
	c->labels = i->labels;
	c->restart = b->q->restart;
	c->health = b->health;
	c->unhealthy = b->q->health_on_failure;
	c->state_dir = arena_printf(b->a, "%s/instances/%s", b->in->root, i->id);
	c->run_dir = arena_printf(b->a, "%s/instances/%s", b->in->run_root, i->id);
	c->rootfs = *b->in->rootfs;
	if (b->in->nics)
		c->nics = *b->in->nics;
	c->net_ns = b->in->net_ns;
	c->machine = b->q->machine;
	c->box_image = b->in->box_image;
	c->open_stdin = b->q->open_stdin;
	c->auto_remove = b->q->auto_remove;
	c->init = b->q->init ? b->in->init : NULL;
	c->default_pids = limits_default_pids(b->q) && userns_inside();
	c->stop_signal = stop_signal(b);
	c->stop_timeout_s = b->q->stop_timeout_s.set ? b->q->stop_timeout_s.v : STOP_TIMEOUT_S;
	c->seccomp_cache = arena_printf(b->a, "%s/cache/seccomp", b->in->root);
	if (b->q->isolation == PLAN_VM) {
		c->vm = arena_alloc(b->a, sizeof(*c->vm));
		c->vm->memory_bytes = b->q->memory_bytes ? b->q->memory_bytes : VM_MEMORY;
		c->vm->cold = b->q->vm_cold;
		c->vm->hugepages = b->q->vm_hugepages;
		c->vm->accel = b->q->accel;
		c->vm->linger = b->q->vm_linger;
		c->vm->clock_offset_s = b->q->clock_offset_s;
		c->vm->cpus = b->q->nano_cpus ? (uint32_t)((b->q->nano_cpus + NANO - 1) / NANO) : 1;
	}
}

const char *plan_build_hostname(const struct request *q, const char *id, struct arena *a)
{
	struct utsname u;

	if (q->hostname)
		return q->hostname;
	/* On the host's network an instance is named like the host. */
	if ((q->uts_host || (q->network && streq(q->network, "host"))) && uname(&u) == 0)
		return arena_dup(a, u.nodename);
	return arena_dupn(a, id, INSTANCE_SHORT_ID);
}

/* Behind process(): its environment is one of what the log may carry. */
static int output_log(struct build *b, struct err *e)
{
	const struct instance *i = b->in->instance;
	struct logconf_facts f = {.id = i->id,
				  .name = i->name,
				  .image = i->image,
				  .image_id = i->image_id,
				  .labels = &i->labels,
				  .env = &b->p->process->env};

	return logconf_parse(b->q->log_driver, &b->q->log_opts, &f, b->a, &b->p->caisson->log, e);
}

/* The image's check with what the request says instead; NULL: none. */
static int health(struct build *b, struct err *e)
{
	const struct request *q = b->q;
	const char *image = b->in->image->healthcheck;
	struct health *h = arena_alloc(b->a, sizeof(*h));
	int r = 0;

	if (q->no_healthcheck)
		return 0;
	if (image)
		r = jbind_parse(&health_table, image, strlen(image), h, b->a,
				"health check of the image", e);
	if (r < 0)
		return r;
	if (q->health_test.n)
		h->test = q->health_test;
	if (q->health_cmd && *q->health_cmd) {
		h->test = (struct strs){0};
		arena_strs_add(b->a, &h->test, "CMD-SHELL");
		arena_strs_add(b->a, &h->test, q->health_cmd);
	}
	h->interval_ns = q->health_interval_ns ?: h->interval_ns;
	h->timeout_ns = q->health_timeout_ns ?: h->timeout_ns;
	h->start_period_ns = q->health_start_period_ns ?: h->start_period_ns;
	h->start_interval_ns = q->health_start_interval_ns ?: h->start_interval_ns;
	h->retries = q->health_retries ?: h->retries;
	r = health_check(h, e);
	if (r == 0 && health_wanted(h))
		b->health = h;
	return r;
}

int plan_build(const struct plan_input *in, struct arena *a, struct plan *out, struct err *e)
{
	struct build b = {.in = in, .q = in->request, .a = a, .p = out};
	int r;

	*out = (struct plan){.oci_version = "1.2.0"};
	out->root = arena_alloc(a, sizeof(*out->root));
	out->root->readonly = b.q->read_only;
	out->linux_ = arena_alloc(a, sizeof(*out->linux_));
	out->linux_->rootfs_propagation = "private";
	out->caisson = arena_alloc(a, sizeof(*out->caisson));
	out->hostname = in->hostname ?: plan_build_hostname(b.q, in->instance->id, a);
	r = health(&b, e);
	if (r < 0)
		return r;
	caisson(&b);
	r = process(&b, e);
	if (r < 0)
		return r;
	r = output_log(&b, e);
	if (r == 0)
		r = mounts(&b, e);
	if (r < 0)
		return r;
	namespaces(&b);
	r = resources(&b, e);
	if (r == 0)
		r = cgroup(&b, e);
	if (r < 0)
		return r;
	pairs(&b, &b.q->sysctls, &out->linux_->sysctl);
	/* The network was made by the engine, and is not the new user namespace's to change; what
	 * wall_sysctls() would set it has already. */
	if ((in->net_ns && !own_ids(&b) && !join_other(b.q->network)) || b.q->isolation == PLAN_VM)
		wall_sysctls(a, &out->linux_->sysctl);
	pairs(&b, &b.q->annotations, &out->annotations);
	out->domainname = b.q->domainname;
	if (b.q->uts_host || in->uts_ns || shared(&b, "uts"))
		out->hostname = NULL;
	return wall_paths(b.q, a, out, e);
}
