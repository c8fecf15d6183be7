/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clone is made of its source's request, as `create` makes an instance, so that id, host name,
 * addresses, anonymous volumes and ports are its own; then its files are put where a start finds
 * them, and it starts on them.  What says in these files which machine it is, is renewed: by the
 * runtime before anything of it runs (runtime/renew.h), or by the guest's agent while its processes
 * stand still.  An instance is saved into a stage first, which goes when the clones run.
 */
#include "engine/clone.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/create.h"
#include "engine/eventlog.h"
#include "engine/lookup.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/snapshot_ctl.h"
#include "engine/snapshot_take.h"
#include "engine/start.h"
#include "fmt/publish.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/snapshot.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cloning {
	struct session *s;
	const struct clone_request *rq;
	struct arena *a;
	struct stage *stage; /* of an instance; NULL: it is a snapshot */
	struct snapshot from;
	const char *path; /* of its directory */
	int dir;
	struct request q; /* what each of them is asked for */
	struct instance *made;
	size_t n;
};

/* ---- the source ---- */

static int of_instance(struct cloning *c, const struct lookup *l, struct err *e)
{
	const char *path;
	int r = stage_new(c->s->store, &c->stage, e);

	if (r >= 0)
		r = snapshot_take_run(c->s, l, c->rq->memory, c->stage, c->a, &c->from, e);
	if (r < 0)
		return r;
	path = arena_printf(c->a, "%s/" SNAPSHOT_TAKE_DIR, stage_path(c->stage));
	c->path = arena_printf(c->a, "%s/%s", store_root_path(c->s->store), path);
	c->from.name = l->i.name;
	c->dir = path_open(store_root_fd(c->s->store), path, O_RDONLY | O_DIRECTORY, 0, 0);
	errno = -c->dir;
	return c->dir < 0 ? err_sys(e, "snapshot") : 0;
}

static int of_snapshot(struct cloning *c, struct err *e)
{
	c->dir = snapshot_open(c->s->store, c->rq->source, c->a, &c->from, e);
	if (c->dir < 0)
		return c->dir;
	c->path = arena_printf(c->a, "%s/snapshots/%s", store_root_path(c->s->store), c->from.name);
	return snapshot_verify(c->dir, &c->from, e);
}

static int find_source(struct cloning *c, struct err *e)
{
	struct err why = ERR_INIT;
	struct lookup l;
	int r = lookup_find(c->s, c->rq->source, c->a, &l, &why);

	if (r == 0)
		return of_instance(c, &l, e);
	if (r == -ENOENT)
		r = of_snapshot(c, &why);
	if (r == -ENOENT && why.kind == ERR_NOT_FOUND && str_after(why.msg, "no such snapshot"))
		return err_set(e, ERR_NOT_FOUND, "no such instance or snapshot: %.128s",
			       c->rq->source);
	if (r < 0 && e)
		*e = why;
	return r;
}

/* ---- what is asked for ---- */

/* The ports inside, on ports of the host that are chosen anew: the source's are taken. */
static int free_ports(struct cloning *c, struct err *e)
{
	struct strs l = {0};

	for (size_t i = 0; i < c->q.publish.n; i++) {
		char ip[INET6_ADDRSTRLEN] = "";
		struct publish p;
		const char *inside;
		int r = publish_parse(c->q.publish.v[i], &p, e);

		if (r < 0)
			return r;
		inside = p.port_first == p.port_last
			     ? arena_printf(c->a, "%u", p.port_first)
			     : arena_printf(c->a, "%u-%u", p.port_first, p.port_last);
		if (p.family)
			inet_ntop(p.family, p.host_ip, ip, sizeof(ip));
		arena_strs_add(c->a, &l,
			       arena_printf(c->a, "%s%s%s%s%s/%s", p.family == AF_INET6 ? "[" : "",
					    ip, p.family == AF_INET6 ? "]" : "", *ip ? "::" : "",
					    inside, publish_proto_names[p.proto]));
	}
	c->q.publish = l;
	return 0;
}

static int ask(struct cloning *c, struct err *e)
{
	struct instance was;
	int r = snapshot_ctl_instance(&c->from, c->a, &was, e);

	if (r == 0)
		r = jbind_parse(&request_table, was.request, strlen(was.request), &c->q, c->a,
				"request", e);
	if (r < 0)
		return r;
	c->q.hostname = c->q.ip = c->q.ip6 = c->q.mac = NULL;
	return free_ports(c, e);
}

/* ---- one clone ---- */

static int make(struct cloning *c, struct image *image, struct instance *i, struct err *e)
{
	struct request q = c->q;

	q.name = c->rq->name && c->rq->count > 1
		     ? arena_printf(c->a, "%s-%zu", c->rq->name, c->n + 1)
		     : c->rq->name;
	return create_instance_of(c->s, &q, image, c->a, i, e);
}

static int start(const struct cloning *c, const struct instance *i, int dir, struct err *e)
{
	struct start_opts o = {0};
	auto_conn struct conn conn = CONN_INIT;
	int r;

	if (c->from.kind == SNAPSHOT_MACHINE)
		o.resume = c->path;
	r = start_instance(c->s, i, dir, &o, &conn, e);
	return r < 0 ? r : start_wait(&conn, e);
}

/* It begins as another's at its first start, which may come later. */
static int note(int dir, struct err *e)
{
	int fd = openat(dir, START_RENEW, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "clone");
	close(fd);
	return 0;
}

static int one(struct cloning *c, struct err *e)
{
	struct instance *i = &c->made[c->n];
	struct image *image = NULL;
	auto_fd int lock = store_lock(c->s->store, STORE_SHARED, e);
	auto_fd int dir = -1;
	int r = lock < 0 ? lock : image_find_id(c->s->store, c->from.image_id, &image, e);

	if (r >= 0)
		r = dir = make(c, image, i, e);
	if (r >= 0)
		i->image_id = c->from.image_id; /* it was the image's, which goes */
	image_close(image);
	if (r < 0)
		return r;
	close(take_fd(&lock));
	c->n++;
	eventlog_instance(c->s->store, i, "create", NULL, NULL);
	r = snapshot_ctl_put_disk(c->dir, dir, e);
	if (r == 0)
		r = note(dir, e);
	if (r == 0 && c->from.running)
		r = start(c, i, dir, e);
	return r;
}

static int all(struct cloning *c, struct err *e)
{
	int r = ask(c, e);

	c->made = arena_array(c->a, (size_t)c->rq->count, sizeof(*c->made));
	for (int k = 0; r >= 0 && k < c->rq->count; k++)
		r = one(c, e);
	/* All or none. */
	for (size_t k = 0; r < 0 && k < c->n; k++)
		remove_instance(c->s, &c->made[k], REMOVE_FORCE | REMOVE_VOLUMES, NULL);
	return r;
}

int clone_run(struct session *s, const struct clone_request *q, struct arena *a, struct strs *names,
	      struct err *e)
{
	struct cloning c = {.s = s, .rq = q, .a = a, .dir = -1};
	struct store *store;
	int r = session_store(s, &store, e);

	if (r == 0 && q->name)
		r = instance_check_name(q->name, e);
	if (r == 0 && (q->count < 1 || q->count > CLONE_MAX))
		r = err_set(e, ERR_USAGE, "1 to %d clones, not %d", CLONE_MAX, q->count);
	if (r == 0)
		r = find_source(&c, e);
	if (r == 0)
		r = all(&c, e);
	for (size_t k = 0; r >= 0 && k < c.n; k++)
		arena_strs_add(a, names, c.made[k].name);
	if (c.dir >= 0)
		close(c.dir);
	if (c.stage) {
		stage_free(c.stage);
		snapshot_take_drop(s, c.from.image_id);
	}
	return r < 0 ? err_wrap(e, r, "clone '%.100s'", q->source) : 0;
}
