/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/guestplan.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FILES_DIR  "/run/caisson/files"
#define SHARES_DIR "/run/caisson/shares"
#define ROOT_TAG   "root"
#define GUEST_NET  "/proc/1/ns/net"

static bool has_option(const struct plan_mount *m, const char *name)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (streq(m->options.v[i], name))
			return true;
	return false;
}

static bool is_bind(const struct plan_mount *m)
{
	return (m->type && streq(m->type, "bind")) || has_option(m, "bind") ||
	       has_option(m, "rbind");
}

static bool below(const char *path, const char *dir)
{
	const char *rest = dir ? str_after(path, dir) : NULL;

	return rest && *rest == '/';
}

static bool same_part(const char *x, const char *y)
{
	return x && y ? streq(x, y) : x == y;
}

/* What is asked of the share, out of the options: the part of a volume (the guest gets no more than
 * that), and whether the guest caches. */
static void take_options(struct plan_mount *m, struct arena *a, struct guestplan_share *out)
{
	struct strs kept = {0};

	for (size_t i = 0; i < m->options.n; i++) {
		const char *v = str_after(m->options.v[i], "subpath=");

		if (v)
			out->subpath = v;
		else if (streq(m->options.v[i], "consistent"))
			out->consistent = true;
		else
			arena_strs_add(a, &kept, m->options.v[i]);
	}
	m->options = kept;
}

/* What it is decides how it is shared; vmm/share.c walks there again, as carefully. */
static int look(const struct plan_mount *m, const char *sub, struct stat *st, struct err *e)
{
	auto_fd int top = -1, part = -1;

	if (!sub)
		return stat(m->source, st) < 0
			   ? err_sys(e, "mount %s: %s", m->destination, m->source)
			   : 0;
	top = open(m->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	part = top < 0 ? -errno : path_open(top, sub, O_PATH, 0, PATH_BENEATH);
	if (part >= 0 && fstat(part, st) == 0)
		return 0;
	errno = part < 0 ? -part : errno;
	return err_sys(e, "'%s': volume-subpath '%s'%s", m->destination, sub,
		       errno == EXDEV || errno == ELOOP ? " leads out of the volume" : "");
}

/* One share per source and mode, however often it is mounted. */
static size_t share_of(struct guestplan *g, struct arena *a, const struct guestplan_share *want,
		       bool file)
{
	const char *path = want->subpath ? want->subpath : want->source;
	const char *slash = strrchr(path, '/');
	size_t i;

	for (i = 0; i < g->share_count; i++)
		if (streq(g->shares[i].source, want->source) &&
		    g->shares[i].readonly == want->readonly &&
		    g->shares[i].consistent == want->consistent &&
		    same_part(g->shares[i].subpath, want->subpath))
			return i;
	g->shares[g->share_count] = *want;
	g->shares[g->share_count].tag = arena_printf(a, "share%zu", i);
	g->shares[g->share_count++].file = file ? (slash ? slash + 1 : path) : NULL;
	return i;
}

static int bind_mount(const struct plan *p, struct plan_mount *m, struct arena *a,
		      struct guestplan *g, struct err *e)
{
	const char *state_dir = p->caisson->state_dir;
	struct guestplan_share want = {.source = m->source, .readonly = has_option(m, "ro")};
	struct stat st;
	size_t i;
	int r;

	if (m->source && *m->source == '@' && p->caisson->machine)
		return 0; /* the agent knows it */
	if (!m->source || *m->source != '/')
		return err_set(e, ERR_USAGE, "mount %s: source '%s' is not an absolute path",
			       m->destination, m->source ? m->source : "");
	take_options(m, a, &want);
	r = look(m, want.subpath, &st, e);
	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode) && below(m->source, state_dir) &&
	    st.st_size <= GUESTPLAN_FILE_MAX) {
		g->files[g->file_count] = (struct guestplan_file){
		    .source = m->source, .name = arena_printf(a, "%zu", g->file_count)};
		m->source = arena_printf(a, FILES_DIR "/%zu", g->file_count++);
		return 0;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_UNSUPPORTED,
			       "mount %s: a virtual machine can share files and directories, "
			       "and %s is neither",
			       m->destination, m->source);
	i = share_of(g, a, &want, S_ISREG(st.st_mode));
	m->source = g->shares[i].file ? arena_printf(a, SHARES_DIR "/%zu/%s", i, g->shares[i].file)
				      : arena_printf(a, SHARES_DIR "/%zu", i);
	return 0;
}

static int mounts(const struct plan *p, struct arena *a, struct guestplan *g, struct err *e)
{
	const struct plan_mounts *from = &p->mounts;
	struct plan_mount *v = arena_array(a, from->n ? from->n : 1, sizeof(*v));

	g->files = arena_array(a, from->n ? from->n : 1, sizeof(*g->files));
	g->shares = arena_array(a, from->n + 1, sizeof(*g->shares)); /* one more for the root */
	for (size_t i = 0; i < from->n; i++) {
		int r;

		v[i] = from->v[i];
		if (!is_bind(&v[i]))
			continue;
		r = bind_mount(p, &v[i], a, g, e);
		if (r < 0)
			return r;
	}
	g->plan.mounts.v = v;
	return 0;
}

/* Namespaces inside the machine.  The network is the machine's own whatever the plan says; another
 * namespace that the plan wants shared with the host would have to be refused, not ignored. */
static int namespaces(const struct plan_linux *l, struct plan_linux *out, struct arena *a,
		      struct err *e)
{
	struct plan_namespace *v =
	    arena_array(a, l->namespaces.n ? l->namespaces.n : 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < l->namespaces.n; i++) {
		const struct plan_namespace *ns = &l->namespaces.v[i];

		if (streq(ns->type, "user"))
			continue;
		if (streq(ns->type, "network")) {
			/* Joined and not left out: net.* sysctls are allowed with one only. */
			v[n++] = (struct plan_namespace){ns->type, GUEST_NET};
			continue;
		}
		/* "@main": of the machine that it runs in, which the agent knows (guest/box.h). */
		if (ns->path && !streq(ns->path, "@main"))
			return err_set(e, ERR_UNSUPPORTED,
				       "a virtual machine cannot join the %s namespace '%s'",
				       ns->type, ns->path);
		v[n++] = *ns;
	}
	out->namespaces = (struct plan_namespaces){v, n};
	out->uid_mappings = (struct plan_idmaps){0};
	out->gid_mappings = (struct plan_idmaps){0};
	return 0;
}

/* Devices that every kernel makes itself; one of the host's hardware has no meaning in the guest.
 */
static int devices(const struct plan_linux *l, struct err *e)
{
	static const struct {
		int64_t major, minor;
	} virtual[] = {{1, 3}, {1, 5}, {1, 7},	  {1, 8},   {1, 9},
		       {5, 0}, {5, 2}, {10, 200}, {10, 229}};

	for (size_t i = 0; i < l->devices.n; i++) {
		const struct plan_device *d = &l->devices.v[i];
		bool known = streq(d->type, "p");

		for (size_t j = 0; j < sizeof(virtual) / sizeof(virtual[0]); j++)
			known = known || (!streq(d->type, "b") && d->major == virtual[j].major &&
					  d->minor == virtual[j].minor);
		if (!known)
			return err_set(e, ERR_UNSUPPORTED,
				       "a virtual machine has no device '%s' of the host", d->path);
	}
	return 0;
}

/* Memory and CPU are the machine's size; the rest of the limits is kept inside, where the processes
 * are. */
static void resources(const struct plan_linux *l, struct plan_linux *out, struct arena *a)
{
	struct plan_resources *res;

	if (!l->resources)
		return;
	res = arena_alloc(a, sizeof(*res));
	res->devices = l->resources->devices;
	res->pids = l->resources->pids;
	out->resources = res;
}

static int linux_part(const struct plan *p, struct arena *a, struct guestplan *g, struct err *e)
{
	struct plan_linux *out = arena_alloc(a, sizeof(*out));
	int r;

	if (!p->linux_)
		return err_set(e, ERR_USAGE, "plan: no 'linux' object");
	*out = *p->linux_;
	resources(p->linux_, out, a);
	out->cgroups_path = "/caisson";
	/* The guest kernel runs without these (kernel_line() in machine.c, no resctrl hardware). */
	out->mount_label = NULL;
	out->intel_rdt = NULL;
	out->net_devices_json = NULL;
	out->memory_policy = NULL;
	g->plan.linux_ = out;
	r = devices(p->linux_, e);
	return r < 0 ? r : namespaces(p->linux_, out, a, e);
}

/* A bundle's root is one directory of the host; an image's is a disk. */
static bool root_is_shared(const struct plan *p)
{
	return !p->caisson->rootfs.disk.n && p->caisson->rootfs.lower.n == 1;
}

static void caisson_part(const struct plan *p, struct arena *a, struct guestplan *g)
{
	static const char *image[] = {"image", NULL}, *root_tag[] = {ROOT_TAG, NULL};
	struct plan_caisson *out = arena_alloc(a, sizeof(*out));
	struct plan_root *root = arena_alloc(a, sizeof(*root));

	*out = *p->caisson;
	out->state_dir = out->run_dir = out->net_ns = NULL;
	out->vm = NULL;
	out->nics = (struct plan_nics){0};
	out->rootfs = (struct plan_rootfs){
	    .disk = {image, p->caisson->rootfs.disk.n ? 1 : 0},
	    .disk_rw = p->caisson->rootfs.disk_rw ? "rw" : NULL,
	    .lower = {root_tag, root_is_shared(p) ? 1 : 0},
	};
	out->seccomp_cache = FILES_DIR;
	if (out->init)
		out->init = "/init"; /* the agent, which is the same program */
	if (p->root)
		*root = *p->root;
	root->path = "/run/caisson/root";
	g->plan.root = root;
	g->plan.caisson = out;
}

int guestplan_make(const struct plan *p, struct arena *a, struct guestplan *out, struct err *e)
{
	struct plan_process *process;
	int r;

	if (!p->caisson || !p->process)
		return err_set(e, ERR_USAGE, "plan: no '%s' object",
			       p->caisson ? "process" : "caisson");
	*out = (struct guestplan){.plan = *p};
	process = arena_alloc(a, sizeof(*process));
	*process = *p->process;
	process->apparmor_profile = process->selinux_label = NULL;
	out->plan.process = process;
	out->plan.hooks = NULL; /* they are programs of the host and run there */
	caisson_part(p, a, out);
	r = linux_part(p, a, out, e);
	if (r == 0)
		r = mounts(p, a, out, e);
	if (r == 0 && root_is_shared(p))
		out->shares[out->share_count++] = (struct guestplan_share){
		    .source = p->caisson->rootfs.lower.v[0],
		    .tag = ROOT_TAG,
		    .readonly = p->root && p->root->readonly,
		};
	return r;
}
