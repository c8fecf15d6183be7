/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and opening: one directory per hierarchy.  States of a struct cgroup: denied (no place,
 * everything a no-op), made (places with descriptors), gone (opened after removal: no places).
 */
#include "runtime/cgroup.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/mountinfo.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Always joined: what accounts, what update and fair scheduling need, and the device wall.  cpuacct
 * also on hybrid hosts, where we count by the v2 tree: docker and kubelet look a container's CPU
 * time up there, and would be shown the root's, that is the whole host's. */
#define BASE                                                                                       \
	(CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) | CGROUP_BIT(CGROUP_CPU) |            \
	 CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_BLKIO) | CGROUP_BIT(CGROUP_DEVICES))
/* Also, where no v2 tree freezes. */
#define BASE_V1 CGROUP_BIT(CGROUP_FREEZER)

/* ---- one directory ---- */

static const char *path_in(struct cgroup *cg, const struct cgroup_tree *t)
{
	const char *own = t->own;

	if (cg->absolute || !*own)
		return cg->path;
	/* On v2 a cgroup with processes cannot give controllers to its children, and our own has
	 * us: go beside it. */
	if (t->version == 2) {
		const char *slash = strrchr(own, '/');

		own = slash ? arena_dupn(&cg->arena, own, (size_t)(slash - own)) : "";
	}
	return *own ? arena_printf(&cg->arena, "%s/%s", own, cg->path) : cg->path;
}

/* v1 cpuset: a new directory has no CPUs and nobody can join it before it has. */
static int inherit_cpuset(int mount, const char *path, struct err *e)
{
	char part[PATH_MAX];
	auto_fd int dir = path_open(mount, ".", O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);

	for (const char *p = path; dir >= 0 && p; p = strchr(p, '/')) {
		size_t n;
		int next, r;

		p += *p == '/';
		n = (size_t)(strchrnul(p, '/') - path);
		memcpy(part, path, n);
		part[n] = '\0';
		next = path_open(mount, part, O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);
		if (next < 0)
			break;
		r = cgroup_v1_cpuset_inherit(dir, next, e);
		close(dir);
		dir = next;
		if (r < 0)
			return r;
	}
	return 0;
}

/* v2: every directory above must hand the controllers down.  What fails here shows in the leaf. */
static void enable_above(int mount, const char *path, uint32_t controllers)
{
	char part[PATH_MAX];

	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		auto_fd int dir = -1;
		size_t n = (size_t)(p - path);

		memcpy(part, path, n);
		part[n] = '\0';
		dir = path_open(mount, n ? part : ".", O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);
		if (dir >= 0)
			cgroup_v2_enable(dir, controllers);
	}
}

/* 1: made, 0: was there, -errno. */
static int make_dir(int mount, const char *path)
{
	const char *base;
	int parent;

	if (mkdirat(mount, path, 0755) == 0)
		return 1;
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	parent = path_parent(mount, path, 0755, PATH_NO_LINKS | PATH_NO_XDEV, &base);
	if (parent < 0)
		return parent;
	close(parent);
	if (mkdirat(mount, path, 0755) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

static void set_controllers(struct cgroup *cg, int index, uint32_t bits)
{
	for (int c = 0; c < CGROUP_CTL_MAX_; c++)
		if (bits & CGROUP_BIT(c))
			cg->of[c] = (signed char)index;
}

static void add_place(struct cgroup *cg, const struct cgroup_tree *t, const char *path, int fd)
{
	int i = (int)cg->n++;

	cg->place[i] = (struct cgroup_place){
	    .version = t->version,
	    .controllers = arena_dup(&cg->arena, t->names),
	    .mount = arena_dup(&cg->arena, t->mount),
	    .path = arena_dup(&cg->arena, path),
	    .fd = fd,
	};
	if (t->version == 2)
		cg->unified = i;
	set_controllers(
	    cg, i, t->version == 2 && t->controllers ? cgroup_v2_controllers(fd) : t->controllers);
}

static int no_such(struct err *e, const struct cgroup_tree *t, const char *path, int r)
{
	errno = -r;
	return err_sys(e, "cgroup: make %s/%s", t->mount, path);
}

/* Make (or find) the instance's directory in t.  Returns 1 when it is new. */
static int join_tree(struct cgroup *cg, const struct cgroup_tree *t, uint32_t bits, struct err *e)
{
	auto_fd int mount = open(t->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *path = path_in(cg, t);
	int fd, made;

	if (mount < 0)
		return err_sys(e, "cgroup: %s", t->mount);
	made = make_dir(mount, path);
	if (made < 0)
		return no_such(e, t, path, made);
	if (t->version == 2 && t->controllers & bits)
		enable_above(mount, path, bits & t->controllers);
	if (t->version == 1 && (t->controllers & CGROUP_BIT(CGROUP_CPUSET))) {
		int r = inherit_cpuset(mount, path, e);

		if (r < 0)
			return r;
	}
	fd = path_open(mount, path, O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS | PATH_NO_XDEV);
	if (fd < 0)
		return no_such(e, t, path, fd);
	add_place(cg, t, path, fd);
	return made;
}

/* An existing directory may be somebody's: with processes in it their limits would change, and in a
 * frozen one our child would sleep for ever (SIGKILL does not end it on v1). */
static int check_unused(const struct cgroup *cg, int dir, struct err *e)
{
	struct cgroup_pid_list l = {0};
	size_t n = 0;
	char state[32];
	uint64_t frozen;
	int r = cgroup_pids_below(dir, &l, 0);

	for (size_t i = 0; i < l.n; i++)
		n += l.v[i] != cg->keeper;
	free(l.v);
	if (r == 0 && n > 0)
		return err_set(e, ERR_CONFLICT,
			       "container's cgroup is not empty: %zu process(es) found", n);
	if (cgroup_file_key(dir, "cgroup.events", "frozen", &frozen) == 0 && frozen)
		return err_set(e, ERR_CONFLICT, "container's cgroup unexpectedly frozen");
	if (cgroup_file_read(dir, "freezer.state", state, sizeof(state)) > 0 &&
	    !streq(state, "THAWED"))
		return err_set(e, ERR_CONFLICT, "container's cgroup unexpectedly frozen");
	return 0;
}

/* ---- the whole ---- */

static bool joined(const struct cgroup *cg, const struct cgroup_tree *t)
{
	for (size_t i = 0; i < cg->n; i++)
		if (streq(cg->place[i].mount, t->mount))
			return true;
	return false;
}

static uint32_t wanted(const struct cgroup_host *h, uint32_t limits)
{
	return limits | BASE | (h->unified < 0 ? BASE_V1 : 0);
}

static bool may_not(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

static void unmake(struct cgroup *cg, uint32_t made)
{
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_place *p = &cg->place[i];

		if (made & (1U << i)) {
			auto_fd int mount = open(p->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

			unlinkat(mount, p->path, AT_REMOVEDIR);
		}
		if (p->fd >= 0)
			close(p->fd);
		p->fd = -1;
	}
	cg->n = 0;
	cg->unified = -1;
	memset(cg->of, -1, sizeof(cg->of));
}

static int delegate(struct err *e, const struct cgroup_host *h, uint32_t limits)
{
	char list[128];

	cgroup_need_names(list, limits);
	if (h->unified >= 0 && h->n == 1)
		return err_set(e, ERR_DENIED,
			       "limits need the cgroup controllers %s, which are not delegated to "
			       "this user (systemd: Delegate=yes for user@%u.service, or run below "
			       "'systemd-run --user --scope -p Delegate=yes')",
			       list, (unsigned int)geteuid());
	return err_set(e, ERR_DENIED,
		       "limits need the cgroup controllers %s, where this user may not make "
		       "directories (cgroup v1: an administrator must make one in each hierarchy "
		       "and give it to the user)",
		       list);
}

/* May this tree be left out when we may not write there?  Without the devices hierarchy true root
 * in the container could make and open the host's disks. */
static bool optional(const struct cgroup_tree *t, uint32_t limits)
{
	return !(t->controllers & limits) &&
	       (!(t->controllers & CGROUP_BIT(CGROUP_DEVICES)) || cgroup_host_restricted());
}

struct join {
	uint32_t want, limits;
	bool all;      /* on v1; on v2 enabling a controller changes everybody's ancestors */
	bool asked;    /* the path was: every directory of it must be had */
	uint32_t made; /* out: places that are new, by index */
};

/* Join every tree that holds a wanted controller, the v2 tree first. */
static int join_all(struct cgroup *cg, const struct cgroup_host *h, struct join *j, struct err *e)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < h->n; i++) {
			const struct cgroup_tree *t = &h->tree[i];
			int r;

			if ((t->version == 2) != (pass == 0) || joined(cg, t))
				continue;
			if (t->version == 1 && !(t->controllers & j->want) && !j->all)
				continue;
			r = join_tree(cg, t, j->want, e);
			if (may_not(r) && optional(t, j->limits) && !j->asked)
				continue;
			if (may_not(r) && j->limits && !optional(t, j->limits))
				return delegate(e, h, j->limits);
			if (may_not(r) && j->asked)
				return err_wrap(e, r, "linux.cgroupsPath '%s'", cg->path);
			if (r < 0)
				return r;
			if (r == 0)
				r = check_unused(cg, cg->place[cg->n - 1].fd, e);
			else
				j->made |= 1U << (cg->n - 1);
			if (r < 0)
				return r;
		}
	return 0;
}

/* The freezer of v1 is not joined where v2 has one; who has frozen this path there meant us. */
static int check_frozen(struct cgroup *cg, const struct cgroup_host *h, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct cgroup_tree *t = &h->tree[i];
		auto_fd int mount = -1, dir = -1;
		char state[32];

		if (t->version != 1 || !(t->controllers & CGROUP_BIT(CGROUP_FREEZER)) ||
		    joined(cg, t))
			continue;
		mount = open(t->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
		dir = path_open(mount, path_in(cg, t), O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);
		if (dir >= 0 && cgroup_file_read(dir, "freezer.state", state, sizeof(state)) > 0 &&
		    !streq(state, "THAWED"))
			return err_set(e, ERR_CONFLICT, "container's cgroup unexpectedly frozen");
	}
	return 0;
}

/* Every controller that a limit needs must really be there. */
static int check_asked(struct cgroup *cg, const struct cgroup_host *h, uint32_t limits,
		       struct err *e)
{
	uint32_t missing = 0;
	char list[128];

	for (int c = 0; c < CGROUP_CTL_MAX_; c++)
		missing |= limits & CGROUP_BIT(c) && cg->of[c] < 0 ? CGROUP_BIT(c) : 0;
	if (!missing)
		return 0;
	/* The tree has it, but an ancestor did not hand it down. */
	if (h->unified >= 0 && h->tree[h->unified].controllers & missing)
		return delegate(e, h, missing);
	cgroup_need_names(list, missing);
	return err_set(e, ERR_UNSUPPORTED, "cgroup: limits need %s, which this host does not have",
		       list);
}

static int set_devices(struct cgroup *cg, const struct plan_device_rules *rules, struct err *e)
{
	int v1 = cg->of[CGROUP_DEVICES];
	int r;

	if (v1 >= 0)
		return cgroup_devices_v1(cg->place[v1].fd, rules, e);
	if (cg->unified < 0)
		return 0;
	r = cgroup_devices_v2(cg->place[cg->unified].fd, rules, e);
	/* A user namespace cannot make device nodes, so nothing is lost where we may not load. */
	return may_not(r) && cgroup_host_restricted() ? 0 : r;
}

static int apply(struct cgroup *cg, const struct plan_resources *r, struct err *e)
{
	int x = cgroup_v1_apply(cg, r, e);

	return x < 0 ? x : cgroup_v2_apply(cg, r, e);
}

static int make(struct cgroup *cg, const struct cgroup_request *rq, const struct cgroup_host *h,
		struct err *e)
{
	static const struct plan_device_rules no_rules;
	uint32_t limits = cgroup_need_asked(rq->resources);
	struct join j = {
	    .want = wanted(h, limits),
	    .limits = limits,
	    .all = rq->flags & CGROUP_ALL,
	    .asked = rq->path && *rq->path && !(rq->flags & CGROUP_PATH_OURS),
	};
	int r = join_all(cg, h, &j, e);

	if (r >= 0)
		r = check_frozen(cg, h, e);
	if (r >= 0)
		r = check_asked(cg, h, limits, e);
	cg->denied = cg->n == 0;
	if (r >= 0)
		r = set_devices(cg, rq->resources ? &rq->resources->devices : &no_rules, e);
	if (r >= 0 && rq->resources)
		r = apply(cg, rq->resources, e);
	if (r < 0)
		unmake(cg, j.made);
	return r;
}

static struct cgroup *new_cgroup(void)
{
	struct arena a = ARENA_INIT;
	struct cgroup *cg = arena_alloc(&a, sizeof(*cg));

	cg->arena = a;
	cg->unified = -1;
	cg->entry = -1;
	memset(cg->of, -1, sizeof(cg->of));
	return cg;
}

static int name_it(struct cgroup *cg, const struct cgroup_request *rq, struct err *e)
{
	const char *path = rq->path && *rq->path ? rq->path : NULL, *above;
	int r;

	cg->driver = rq->driver;
	cg->bus = rq->bus ? arena_dup(&cg->arena, rq->bus) : NULL;
	if (rq->driver == CGROUP_FS) {
		cg->absolute = path && *path == '/';
		if (!path && !rq->id)
			return err_set(e, ERR_USAGE, "cgroup: neither a path nor an id");
		return cgroup_path_clean(&cg->arena, path ? path : rq->id, &cg->path, e);
	}
	cg->absolute = true;
	r = cgroup_path_unit(&cg->arena, path, rq->id, &cg->slice, &cg->unit, e);
	if (r == 0)
		r = cgroup_path_slice(&cg->arena, cg->slice, &above, e);
	if (r == 0)
		cg->path = arena_printf(&cg->arena, "%s%s%s", above, *above ? "/" : "", cg->unit);
	return r;
}

static int create(const struct cgroup_request *rq, struct cgroup **cg, struct err *e)
{
	const struct cgroup_host *h = cgroup_host_get(e);
	auto_cgroup struct cgroup *c = new_cgroup();
	int r;

	if (!h)
		return -EOPNOTSUPP;
	r = name_it(c, rq, e);
	if (r == 0 && c->driver == CGROUP_SYSTEMD)
		r = cgroup_systemd_start(c, rq, e);
	if (r == 0)
		r = make(c, rq, h, e);
	if (r < 0) {
		if (c->keeper)
			cgroup_systemd_stop(c, NULL);
		return r;
	}
	*cg = take_ptr(&c);
	return 0;
}

int cgroup_create(const struct cgroup_request *rq, struct cgroup **cg, struct err *e)
{
	struct cgroup_request less = *rq;
	struct plan_resources res;
	struct err why = ERR_INIT;
	int r = create(rq, cg, &why);

	if ((r == -EACCES || r == -EOPNOTSUPP) && rq->flags & CGROUP_DEFAULT_PIDS &&
	    rq->resources && rq->resources->pids) {
		res = *rq->resources;
		res.pids = NULL;
		less.resources = &res;
		return create(&less, cg, e);
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

void cgroup_limits(char out[128])
{
	static const uint32_t shown = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) |
				      CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUSET) |
				      CGROUP_BIT(CGROUP_BLKIO);

	cgroup_need_names(out, cgroup_host_limits() & shown);
}

int cgroup_open(const struct cgroup_request *rq, struct cgroup **cg, struct err *e)
{
	const struct cgroup_host *h = cgroup_host_get(e);
	auto_cgroup struct cgroup *c = new_cgroup();
	int r;

	if (!h)
		return -EOPNOTSUPP;
	r = name_it(c, rq, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < h->n; i++) {
		const struct cgroup_tree *t = &h->tree[i];
		auto_fd int mount = open(t->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
		const char *path = path_in(c, t);
		int fd = path_open(mount, path, O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);

		if (fd >= 0)
			add_place(c, t, path, fd);
	}
	cgroup_enter_find(c);
	*cg = take_ptr(&c);
	return 0;
}

/* ---- as a line of somebody's state file ---- */

struct saved_place {
	int32_t version;
	const char *controllers, *mount, *path;
};
struct saved {
	const char *unit, *slice, *bus;
	bool denied;
	struct {
		struct saved_place *v;
		size_t n;
	} places;
};
static const struct jbind saved_place_table = {
    .size = sizeof(struct saved_place),
    .fields = (const struct jbind_field[]){
	JB(struct saved_place, version, "version", JBIND_I32, .flags = JBIND_REQUIRED),
	JB(struct saved_place, controllers, "controllers", JBIND_STR, .flags = JBIND_KEEP),
	JB(struct saved_place, mount, "mount", JBIND_STR, .flags = JBIND_REQUIRED),
	JB(struct saved_place, path, "path", JBIND_STR, .flags = JBIND_REQUIRED), JB_END}};
static const struct jbind saved_table = {
    .size = sizeof(struct saved),
    .fields = (const struct jbind_field[]){
	JB(struct saved, unit, "unit", JBIND_STR), JB(struct saved, slice, "slice", JBIND_STR),
	JB(struct saved, bus, "bus", JBIND_STR), JB(struct saved, denied, "denied", JBIND_BOOL),
	JB(struct saved, places, "places", JBIND_LIST, .sub = &saved_place_table), JB_END}};

void cgroup_save(const struct cgroup *cg, struct buf *json)
{
	struct saved_place v[CGROUP_TREES_MAX];
	struct saved s = {.unit = cg->unit,
			  .slice = cg->slice,
			  .bus = cg->bus,
			  .denied = cg->denied,
			  .places = {v, cg->n}};

	for (size_t i = 0; i < cg->n; i++)
		v[i] = (struct saved_place){cg->place[i].version, cg->place[i].controllers,
					    cg->place[i].mount, cg->place[i].path};
	jbind_write(&saved_table, &s, json);
}

static uint32_t controllers_of(const struct saved_place *s, const struct cgroup_host *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (streq(h->tree[i].mount, s->mount))
			return h->tree[i].controllers;
	return 0;
}

int cgroup_open_saved(const char *json, struct cgroup **cg, struct err *e)
{
	const struct cgroup_host *h = cgroup_host_get(e);
	auto_cgroup struct cgroup *c = new_cgroup();
	struct saved s = {0};
	int r = h ? jbind_parse(&saved_table, json, strlen(json), &s, &c->arena, "cgroup", e)
		  : -EOPNOTSUPP;

	if (r < 0)
		return r;
	c->denied = s.denied;
	c->driver = s.unit ? CGROUP_SYSTEMD : CGROUP_FS;
	c->unit = s.unit;
	c->slice = s.slice;
	c->bus = s.bus;
	c->absolute = true;
	for (size_t i = 0; i < s.places.n && c->n < CGROUP_TREES_MAX; i++) {
		const struct saved_place *p = &s.places.v[i];
		auto_fd int mount = open(p->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct cgroup_tree t = {.version = p->version == 2 ? 2 : 1,
					.controllers = controllers_of(p, h),
					.names = p->controllers ? p->controllers : "",
					.mount = p->mount};
		int fd = path_open(mount, p->path, O_PATH | O_DIRECTORY, 0, PATH_NO_LINKS);

		c->path = p->path;
		if (fd >= 0)
			add_place(c, &t, p->path, fd);
	}
	cgroup_enter_find(c);
	*cg = take_ptr(&c);
	return 0;
}

void cgroup_close(struct cgroup *cg)
{
	struct arena a;
	int saved = errno;

	if (!cg)
		return;
	cgroup_systemd_settle(cg);
	for (size_t i = 0; i < cg->n; i++)
		if (cg->place[i].fd >= 0)
			close(cg->place[i].fd);
	fd_close(cg->entry);
	a = cg->arena;
	arena_free(&a);
	errno = saved;
}

size_t cgroup_places(const struct cgroup *cg, const struct cgroup_place **places)
{
	*places = cg->place;
	return cg->n;
}

int cgroup_dir_fd(const struct cgroup *cg)
{
	if (cg->unified < 0)
		return -1;
	return cg->entry >= 0 ? cg->entry : cg->place[cg->unified].fd;
}

/* ---- getting in ---- */

int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_place *p = &cg->place[i];
		int r = file_put(p->version == 2 ? cgroup_dir_fd(cg) : p->fd, "cgroup.procs", text);

		if (r < 0) {
			errno = -r;
			return err_sys(e, "cgroup: move process %d to %s/%s", pid, p->mount,
				       p->path);
		}
	}
	cgroup_systemd_settle(cg);
	return 0;
}

/* ---- changing ---- */

/* Bring everybody into a hierarchy joined late.  A process that forks between the list and the
 * write leaves its child behind, so until a round finds nobody outside. */
static int move_all(struct cgroup *cg, int from, size_t to, struct err *e)
{
	for (int round = 0; round < 100; round++) {
		struct cgroup_pid_list all = {0}, in = {0};
		bool moved = false;
		int r = cgroup_pids_below(cg->place[from].fd, &all, 0);

		if (r == 0)
			r = cgroup_pids_below(cg->place[to].fd, &in, 0);
		for (size_t i = 0; r == 0 && i < all.n; i++) {
			bool there = false;
			char text[16];

			for (size_t j = 0; j < in.n && !there; j++)
				there = in.v[j] == all.v[i];
			if (there)
				continue;
			moved = true;
			snprintf(text, sizeof(text), "%d", all.v[i]);
			r = file_put(cg->place[to].fd, "cgroup.procs", text);
			if (r == -ESRCH) /* it ended */
				r = 0;
		}
		free(all.v);
		free(in.v);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "cgroup: move processes to %s", cg->place[to].mount);
		}
		if (!moved)
			return 0;
	}
	return err_set(e, ERR_CONFLICT, "cgroup: processes fork faster than they can be moved");
}

int cgroup_update(struct cgroup *cg, const struct plan_resources *res, struct err *e)
{
	const struct cgroup_host *h = cgroup_host_get(e);
	uint32_t limits = cgroup_need_asked(res);
	struct join j = {.want = limits, .limits = limits};
	size_t before = cg->n;
	int from = cgroup_pids_place(cg), r;

	if (!h)
		return -EOPNOTSUPP;
	if (cg->n == 0)
		return limits ? delegate(e, h, limits) : 0;
	if (cg->unified >= 0 && h->tree[h->unified].controllers & limits) {
		const struct cgroup_place *p = &cg->place[cg->unified];
		auto_fd int mount = open(p->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

		enable_above(mount, p->path, limits & h->tree[h->unified].controllers);
		set_controllers(cg, cg->unified, cgroup_v2_controllers(p->fd));
	}
	/* Late hierarchies are named as the first one was; relative paths were resolved then. */
	if (!cg->absolute)
		cg->path = cg->place[from].path;
	cg->absolute = true;
	r = join_all(cg, h, &j, e);
	if (r == 0)
		r = check_asked(cg, h, limits, e);
	if (r == 0 && cg->driver == CGROUP_SYSTEMD)
		r = cgroup_systemd_update(cg, res, e);
	if (r == 0)
		r = apply(cg, res, e);
	if (r == 0 && res->devices.n)
		r = set_devices(cg, &res->devices, e);
	for (size_t i = before; r == 0 && from >= 0 && i < cg->n; i++)
		r = move_all(cg, from, i, e);
	return r < 0 ? r : 0;
}

int cgroup_chown(const struct cgroup *cg, uid_t uid, struct err *e)
{
	auto_free char *list = NULL;
	int dir = cg->unified < 0 ? -1 : cg->place[cg->unified].fd;
	const char *files = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

	if (dir < 0)
		return 0;
	/* Source: Documentation/admin-guide/cgroup-v2.rst, "Model of Delegation". */
	if (file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &list) >= 0)
		files = list;
	if (fchownat(dir, "", uid, (gid_t)-1, AT_EMPTY_PATH) < 0)
		return err_sys(e, "cgroup: give the directory to user %u", uid);
	while (*files) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(files, "\n");

		if (n > 0 && n < sizeof(name)) {
			memcpy(name, files, n);
			name[n] = '\0';
			if (!strchr(name, '/') &&
			    fchownat(dir, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 &&
			    errno != ENOENT)
				return err_sys(e, "cgroup: give %s to user %u", name, uid);
		}
		files += n;
		files += *files == '\n';
	}
	return 0;
}
