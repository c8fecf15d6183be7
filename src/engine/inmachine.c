/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/inmachine.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/imageroot.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/vmfiles.h"
#include "fmt/digest.h"
#include "spec/plan.h"
#include "store/helper.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define PROGRAM "caisson-copy"
#define ROOT_FD 6
#define DATA_FD 7

/* ---- the request ---- */

static int check(const struct request *q, struct err *e)
{
	const char *what = q->network					   ? "network"
			   : q->publish.n				   ? "publish"
			   : q->publish_all				   ? "publish-all"
			   : q->ip					   ? "ip"
			   : q->mac					   ? "mac-address"
			   : q->dns.n + q->dns_search.n + q->dns_options.n ? "dns"
			   : q->hosts.n					   ? "add-host"
			   : q->devices.n				   ? "device"
			   : q->device_read_bps.n + q->device_write_bps.n + q->device_read_iops.n +
				   q->device_write_iops.n
			       ? "device-read-bps and the like"
			   : q->blkio_weight || q->blkio_weight_devices.n ? "blkio-weight"
			   : q->network_rate				  ? "network-rate"
			   : q->storage_opts.n				  ? "storage-opt"
			   : q->cgroup_parent				  ? "cgroup-parent"
									  : NULL;

	if (what)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --%s and %s: it is the machine's to say", what,
			       q->pod ? "--pod" : "--in");
	return 0;
}

static int find(struct session *s, const char *id, struct arena *a, struct lookup *l, struct err *e)
{
	int r = lookup_find(s, id, a, l, e);

	return r < 0 ? err_wrap(e, r, "machine") : 0;
}

int inmachine_fix(struct session *s, struct request *q, struct arena *a, struct err *e)
{
	struct request theirs = {0};
	struct lookup l;
	int r;

	if (!q->machine)
		return 0;
	r = find(s, q->machine, a, &l, e);
	if (r == 0)
		r = jbind_parse(&request_table, l.i.request, strlen(l.i.request), &theirs, a,
				"request", e);
	if (r < 0)
		return r;
	if (l.i.isolation != PLAN_VM)
		return err_set(e, ERR_USAGE,
			       "--in '%s': it is a container and no VM (--network container: and "
			       "the like share its namespaces)",
			       l.i.name);
	if (theirs.machine)
		return err_set(e, ERR_USAGE, "--in '%s': it runs in a machine itself", l.i.name);
	r = check(q, e);
	if (r < 0)
		return r;
	q->machine = l.i.id;
	q->isolation = PLAN_VM;
	return 0;
}

/* ---- mounts ---- */

static bool same(const char *x, const char *y)
{
	return x && y ? streq(x, y) : x == y;
}

static const struct instance_mount *theirs(const struct instance_mounts *l,
					   const struct instance_mount *m)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].type, m->type) && same(l->v[i].source, m->source) &&
		    same(l->v[i].subpath, m->subpath))
			return &l->v[i];
	return NULL;
}

int inmachine_mounts(struct session *s, const struct request *q, const struct instance_mounts *l,
		     struct arena *a, struct instance_mounts *out, struct err *e)
{
	struct instance_mounts m = {.v = arena_array(a, l->n + 1, sizeof(*m.v)), .n = l->n};
	struct lookup machine;
	int r = find(s, q->machine, a, &machine, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < l->n; i++) {
		const struct instance_mount *of;

		m.v[i] = l->v[i];
		if (streq(l->v[i].type, "tmpfs"))
			continue;
		of = theirs(&machine.i.mounts, &l->v[i]);
		if (!of)
			return err_set(e, ERR_UNSUPPORTED,
				       "mount at '%.120s': machine '%s' does not have it; give it "
				       "to the machine when that is made (-v)",
				       l->v[i].destination, machine.i.name);
		m.v[i].source = arena_printf(a, "@main:%s", of->destination);
		m.v[i].subpath = NULL;
	}
	*out = m;
	return 0;
}

/* ---- the image ---- */

static int ask(struct session *s, const struct instance *machine, const char *word,
	       const char *what, int in, struct err *e)
{
	const char *words[] = {word, what, NULL};
	const struct strs list = {words, 2};
	const struct vmfiles v = {.words = &list, .in = in, .out = -1};

	return vmfiles_run(s, machine, &v, e);
}

static int send_files(struct session *s, const struct instance *machine, const char *hex, int root,
		      struct arena *a, struct err *e)
{
	auto_helper struct helper h = HELPER_INIT;
	struct err why = ERR_INIT;
	struct strs args = {0};
	auto_fd int rd = -1, wr = -1;
	struct child_fd fds[2];
	ssize_t n;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	rd = p[0];
	wr = p[1];
	arena_strs_add(a, &args, "--export");
	arena_strs_add(a, &args, arena_printf(a, "--root=%d", ROOT_FD));
	arena_strs_add(a, &args, arena_printf(a, "--data=%d", DATA_FD));
	fds[0] = (struct child_fd){wr, DATA_FD};
	fds[1] = (struct child_fd){root, ROOT_FD};
	r = helper_start(s->store, PROGRAM, &args, fds, 2, &h, e);
	close(take_fd(&wr));
	if (r < 0)
		return r;
	r = ask(s, machine, "--box-image", hex, rd, &why);
	close(take_fd(&rd));
	n = helper_finish(&h, 0, NULL, r < 0 ? NULL : e);
	if (r < 0)
		return err_set(e, why.kind, "%s", why.msg);
	return n < 0 ? (int)n : 0;
}

int inmachine_prepare(struct session *s, const struct request *q, const struct image *image,
		      struct arena *a, const char **hex, struct err *e)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	struct err why = ERR_INIT;
	auto_fd int root = -1;
	struct lookup l;
	int r = find(s, q->machine, a, &l, e);

	if (r < 0)
		return r;
	if (l.state.status != INSTANCE_RUNNING)
		return err_set(e, ERR_CONFLICT, "machine '%s' is not running", l.i.name);
	*hex = arena_dup(a, digest_hex(image->record.id));
	sigaction(SIGPIPE, &ignore, &old);
	r = ask(s, &l.i, "--box-have", *hex, -1, &why);
	if (r == -ENOENT) {
		r = root = imageroot_open(s->store, &image->record.layers, a, e);
		if (r >= 0)
			r = send_files(s, &l.i, *hex, root, a, e);
	} else if (r < 0) {
		r = err_set(e, why.kind, "%s", why.msg);
	}
	sigaction(SIGPIPE, &old, NULL);
	return r < 0 ? err_wrap(e, r, "machine '%s'", l.i.name) : 0;
}

void inmachine_drop(struct session *s, const struct instance *i)
{
	auto_arena struct arena a = ARENA_INIT;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	struct request q = {0};
	struct lookup l;

	if (i->isolation != PLAN_VM ||
	    jbind_parse(&request_table, i->request, strlen(i->request), &q, &a, "request", NULL) <
		0 ||
	    !q.machine || lookup_find(s, q.machine, &a, &l, NULL) < 0 ||
	    l.state.status != INSTANCE_RUNNING)
		return;
	sigaction(SIGPIPE, &ignore, &old);
	ask(s, &l.i, "--box-drop", i->id, -1, NULL);
	sigaction(SIGPIPE, &old, NULL);
}
