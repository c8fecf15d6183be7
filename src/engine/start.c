/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/start.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/forward.h"
#include "engine/imagemount.h"
#include "engine/inmachine.h"
#include "engine/join.h"
#include "engine/limits.h"
#include "engine/plan_build.h"
#include "engine/plug.h"
#include "engine/pod.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/usernsmode.h"
#include "fmt/oci_image.h"
#include "fmt/publish.h"
#include "net/attach.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/rootdriver.h"
#include "store/rootfs.h"
#include "store/store.h"
#include "sys/detach.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct starting {
	struct session *s;
	struct store *store;
	const struct instance *i;
	struct request q;
	const struct image *image;
	struct image *found; /* .image, when it is ours to close */
	struct plan_rootfs rootfs;
	struct attach_result net;
	struct join join;
	struct instance seen; /* .i with the sources of its mounts as the monitor finds them */
	struct imagemounts images;
	const char *box_image; /* of one that runs in a machine */
	struct plan plan;
	struct arena arena;
	int dir_fd;
	int life;	/* of caisson-forward, or negative */
	int engine_net; /* of an ordinary user's engine, kept by every monitor (rootless.c); or -1
			 */
};

static int sys(struct err *e, int r, const char *what)
{
	errno = -r;
	return err_sys(e, "%s", what);
}

static bool overlaps(const struct publish *a, const struct publish *b)
{
	return a->proto == b->proto && a->port_first <= b->port_last &&
	       b->port_first <= a->port_last;
}

/* What -P adds: exposed ports that no -p names already. */
static int exposed(const struct strs *from, struct publish *ports, size_t *n, struct err *e)
{
	for (size_t i = 0; i < from->n; i++) {
		struct publish p;
		bool known = false;
		int r = publish_parse(from->v[i], &p, e);

		if (r < 0)
			return err_wrap(e, r, "exposed port");
		for (size_t k = 0; k < *n; k++)
			known |= overlaps(&ports[k], &p);
		if (!known)
			ports[(*n)++] = p;
	}
	return 0;
}

static int network(struct starting *st, struct err *e)
{
	const struct strs *image = &st->image->config.config.exposed_ports;
	struct publish *ports = arena_array(
	    &st->arena, st->q.publish.n + st->q.expose.n + image->n + 1, sizeof(*ports));
	struct attach_request rq;
	int r;

	if (join_other(st->q.network))
		return 0;
	r = plug_request(st->s, st->i, &st->q, &st->arena, &rq, e);
	rq.publish = ports;
	for (; r == 0 && rq.n_publish < st->q.publish.n; rq.n_publish++)
		r = publish_parse(st->q.publish.v[rq.n_publish], &ports[rq.n_publish], e);
	if (r == 0 && st->q.publish_all)
		r = exposed(&st->q.expose, ports, &rq.n_publish, e);
	if (r == 0 && st->q.publish_all)
		r = exposed(image, ports, &rq.n_publish, e);
	if (r < 0)
		return r;
	return attach_instance(&rq, &st->arena, &st->net, e);
}

static int etc_file(struct starting *st, const char *name, const char *text, struct err *e)
{
	int r = text ? file_replace(st->dir_fd, name, text, strlen(text), 0644, FILE_LAZY) : 0;

	return r < 0 ? sys(e, r, name) : 0;
}

static int etc_files(struct starting *st, struct err *e)
{
	int r = etc_file(st, "resolv.conf", st->net.resolv_conf, e);

	if (r == 0)
		r = etc_file(st, "hosts", st->net.hosts, e);
	return r < 0 ? r : etc_file(st, "hostname", st->net.hostname, e);
}

/* Ports as they were chosen, for ps and inspect. */
static int port_file(struct starting *st, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	int r;

	for (size_t i = 0; i < st->net.n_published; i++) {
		publish_write(&st->net.published[i], &b);
		buf_puts(&b, "\n");
	}
	if (!b.len)
		return unlinkat(st->dir_fd, "ports", 0) < 0 && errno != ENOENT ? err_sys(e, "ports")
									       : 0;
	r = file_replace(st->dir_fd, "ports", b.p, b.len, 0600, FILE_LAZY);
	return r < 0 ? sys(e, r, "ports") : 0;
}

static int root(struct starting *st, uint64_t disk, struct err *e)
{
	const struct rootdriver_root want = {.id = st->i->id,
					     .readonly = st->q.read_only,
					     .shifted = usernsmode_shifts(st->q.userns_mode)};
	const char *fuse = NULL;
	int r = 0;

	if (st->q.isolation == PLAN_CONTAINER)
		r = rootdriver_use(st->store, &want, &st->arena, &fuse, e);
	if (r == 0)
		r = rootfs_prepare_sized(st->store, st->image, st->i->id, st->q.isolation,
					 st->q.read_only && !fuse, disk, &st->arena, &st->rootfs,
					 e);
	st->rootfs.fuse = fuse;
	return r;
}

static int prepare(struct starting *st, struct err *e)
{
	uint64_t disk = 0;
	int r;

	trace_begin(TRACE_RESOLVE);
	r = jbind_parse(&request_table, st->i->request, strlen(st->i->request), &st->q, &st->arena,
			"request", e);
	if (r == 0 && st->q.pod_bare)
		r = err_set(e, ERR_USAGE,
			    "pod '%s' was made without a process: there is nothing "
			    "to start but its members",
			    st->i->name);
	if (r == 0 && st->q.pod)
		r = pod_wake(st->s, &st->q, e);
	if (r == 0 && !st->image) {
		r = image_find_id(st->store, st->i->image_id, &st->found, e);
		st->image = st->found;
	}
	if (r == 0)
		r = limits_disk(&st->q, &disk, e);
	trace_end(TRACE_RESOLVE);
	if (r < 0)
		return r;
	trace_begin(TRACE_ROOTFS);
	if (st->q.machine) {
		r = inmachine_prepare(st->s, &st->q, st->image, &st->arena, &st->box_image, e);
		trace_end(TRACE_ROOTFS);
		return r;
	}
	r = root(st, disk ? disk : ROOTFS_DISK_BYTES, e);
	trace_end(TRACE_ROOTFS);
	return r < 0 ? r : network(st, e);
}

static const char *own_machine_id(struct starting *st)
{
	char id[INSTANCE_ID + 1];

	if (faccessat(st->dir_fd, START_RENEW, F_OK, 0) < 0)
		return NULL;
	if (faccessat(st->dir_fd, "start.json", F_OK, 0) == 0) { /* it ran: they are its own */
		unlinkat(st->dir_fd, START_RENEW, 0);
		return NULL;
	}
	instance_new_id(id);
	return arena_dupn(&st->arena, id, 32);
}

static int make_plan(struct starting *st, const struct start_opts *o, struct err *e)
{
	char ns[48];
	struct usernsmode_maps maps = {0};
	struct usernsmode mode;
	struct plan_input in = {
	    .root = store_root_path(st->store),
	    .run_root = store_run_path(st->store),
	    .instance = &st->seen,
	    .request = &st->q,
	    .image = &st->image->config.config,
	    .rootfs = &st->rootfs,
	    .nics = &st->net.nics,
	    .etc_files = st->net.hosts != NULL,
	    .userns = &maps,
	};
	int r = etc_files(st, e);

	if (r == 0)
		r = port_file(st, e);
	if (r == 0)
		r = join_open(st->s, &st->q, &st->arena, &st->join, &in, e);
	if (r == 0)
		r = imagemount_open(st->store, &st->i->mounts, &st->arena, &st->images, e);
	st->seen = *st->i;
	st->seen.mounts = st->images.mounts;
	if (r == 0 && st->q.machine)
		r = inmachine_mounts(st->s, &st->q, &st->i->mounts, &st->arena, &st->seen.mounts,
				     e);
	in.box_image = st->box_image;
	if (r == 0)
		r = usernsmode_parse(st->q.userns_mode, &mode, e);
	if (r == 0)
		r = usernsmode_maps(&mode, st->store, st->i->id, &st->arena, &maps, e);
	if (r < 0)
		return r;
	in.init = arena_printf(&st->arena, "%s/caisson-guest", st->s->libexec);
	if (st->net.netns_fd >= 0) {
		/* The monitor inherits it under the same number. */
		snprintf(ns, sizeof(ns), "/proc/self/fd/%d", st->net.netns_fd);
		in.net_ns = arena_dup(&st->arena, ns);
	}
	trace_begin(TRACE_PLAN);
	r = plan_build(&in, &st->arena, &st->plan, e);
	trace_end(TRACE_PLAN);
	if (r == 0) {
		st->plan.caisson->restarts = o->restarts;
		st->plan.caisson->restart_wait_ms = o->restart_wait_ms;
		st->plan.caisson->machine_id = own_machine_id(st);
		if (st->plan.caisson->vm)
			st->plan.caisson->vm->resume = o->resume;
	}
	/* The process finds its terminal in the right size; RESIZE is for later changes. */
	if (r == 0 && o->rows)
		st->plan.process->console_size = (struct plan_console){o->rows, o->columns};
	return r;
}

static int seal(struct starting *st, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4 * WIRE_PAYLOAD_MAX);
	int r;

	plan_write(&st->plan, &b);
	r = buf_fail(&b, "plan", e);
	if (r < 0)
		return r;
	r = fd_sealed("caisson-plan", b.p, b.len);
	return r < 0 ? sys(e, r, "memfd") : r;
}

/* ---- the monitor ---- */

struct argv {
	const char *v[40];
	int keep[ATTACH_PORTS_MAX + 12];
	size_t n, nkeep;
	struct arena *a;
};

static void arg_text(struct argv *v, const char *name, const char *value)
{
	if (!value)
		return;
	v->v[v->n++] = name;
	v->v[v->n++] = value;
}

static void arg_fd(struct argv *v, const char *name, int fd)
{
	if (fd < 0)
		return;
	v->keep[v->nkeep++] = fd;
	if (name)
		arg_text(v, name, arena_printf(v->a, "%d", fd));
}

static const char *first_address(struct starting *st)
{
	const char *with_len = st->net.nics.n ? st->net.nics.v[0].address : st->join.address;

	return with_len ? arena_dupn(&st->arena, with_len, strcspn(with_len, "/")) : NULL;
}

static void arguments(struct starting *st, struct argv *v, const char *program, int plan, int conn,
		      int lock)
{
	const char *taps = NULL;

	v->v[v->n++] = program;
	arg_fd(v, "--plan", plan);
	arg_fd(v, "--conn", conn);
	arg_fd(v, "--lock", lock);
	for (size_t i = 0; i < st->net.n_taps; i++) {
		arg_fd(v, NULL, st->net.tap_fds[i]);
		taps = arena_printf(&st->arena, "%s%s%d", taps ? taps : "", taps ? "," : "",
				    st->net.tap_fds[i]);
	}
	arg_text(v, "--taps", taps);
	arg_fd(v, "--trace", trace_fd());
	arg_fd(v, NULL, st->net.netns_fd);
	arg_fd(v, NULL, st->join.pid_ns);
	arg_fd(v, NULL, st->join.ipc_ns);
	arg_fd(v, NULL, st->join.shm);
	arg_fd(v, NULL, st->join.net_ns);
	arg_fd(v, NULL, st->join.uts_ns);
	for (size_t i = 0; i < st->images.n; i++)
		arg_fd(v, NULL, st->images.fds[i]);
	/* An ordinary user's namespaces are in use as long as the instance lives. */
	if (st->s->users_fd)
		arg_fd(v, NULL, st->s->users_fd);
	arg_fd(v, NULL, st->engine_net);
	arg_fd(v, NULL, st->life);
	for (size_t i = 0; st->life < 0 && i < st->net.n_port_fds; i++)
		arg_fd(v, NULL, st->net.port_fds[i]);
	arg_text(v, "--libexec", st->s->libexec);
	arg_text(v, "--data", st->s->data);
	arg_text(v, "--self", st->s->self);
	arg_text(v, "--root", store_root_path(st->store));
	arg_text(v, "--run-root", store_run_path(st->store));
	arg_text(v, "--address", first_address(st));
	v->v[v->n] = NULL;
}

/* Where v2 wants the monitors (monitor/standing.h), or -1. */
static int monitors(struct starting *st)
{
	auto_free char *path = NULL;

	if (file_read(store_run_fd(st->store), "monitors", PATH_MAX, &path) <= 0)
		return -1;
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int spawn(struct starting *st, int plan, int conn, int lock, struct err *e)
{
	const char *program = arena_printf(&st->arena, "%s/caisson-monitor", st->s->libexec);
	struct argv *v = arena_alloc(&st->arena, sizeof(*v));
	auto_fd int cgroup = monitors(st);
	struct detach_opts o = {.path = program, .argv = v->v, .keep = v->keep, .cgroup = cgroup};
	pid_t pid;

	v->a = &st->arena;
	arguments(st, v, program, plan, conn, lock);
	o.nkeep = v->nkeep;
	pid = detach_start(&o);
	if (pid < 0) {
		errno = -pid;
		return err_sys(e, "%s", program);
	}
	return 0;
}

/* What the first client has to say is in the socket before the monitor's first instruction. */
static int speak(struct conn *c, const struct start_opts *o, struct err *e)
{
	struct control_attach at = {
	    .in = o->in, .out = !o->no_out, .err = !o->no_err, .owner = true};
	struct control_start start = {.reap = o->reap, .tied = o->tied};
	unsigned char size[4] = {(unsigned char)o->rows, (unsigned char)(o->rows >> 8),
				 (unsigned char)o->columns, (unsigned char)(o->columns >> 8)};
	int r = conn_hello(c, e);

	if (r == 0 && o->attach)
		r = conn_send_json(c, WIRE_ATTACH, START_STREAM, &control_attach_table, &at, e);
	if (r == 0 && o->attach && o->rows)
		r = conn_send(c, WIRE_RESIZE, START_STREAM, size, sizeof(size), e);
	return r < 0 ? r : conn_send_json(c, WIRE_START, 0, &control_start_table, &start, e);
}

static int launch_monitor(struct starting *st, int lock, const struct start_opts *o,
			  struct conn *out, struct err *e)
{
	auto_fd int plan = seal(st, e);
	auto_fd int theirs = -1;
	int pair[2], r;

	if (plan < 0)
		return plan;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socket pair");
	*out = (struct conn){.fd = pair[0]};
	theirs = pair[1];
	/* What an earlier run left would otherwise be taken for this one's. */
	unlinkat(st->dir_fd, "start.json", 0);
	unlinkat(st->dir_fd, "exit.json", 0);
	r = speak(out, o, e);
	trace_begin(TRACE_MONITOR);
	if (r == 0)
		r = spawn(st, plan, theirs, lock, e);
	if (r < 0)
		conn_close(out);
	return r;
}

int start_instance(struct session *s, const struct instance *i, int dir_fd,
		   const struct start_opts *o, struct conn *out, struct err *e)
{
	struct starting st = {.s = s,
			      .i = i,
			      .image = o->image,
			      .dir_fd = dir_fd,
			      .life = -1,
			      .engine_net = -1,
			      .net = {.netns_fd = -1},
			      .join = JOIN_INIT};
	struct userns_holder h;
	auto_fd int lock = -1;
	int r = session_store(s, &st.store, e);

	if (r < 0)
		return r;
	if (faccessat(dir_fd, START_RESTORING, F_OK, 0) == 0)
		return err_set(e, ERR_CONFLICT,
			       "a restore of '%s' did not come to its end: do it again (snapshot "
			       "restore), or remove the instance",
			       i->name);
	lock = instance_run_lock(store_run_fd(st.store), i->id, e);
	if (lock < 0)
		return lock;
	r = prepare(&st, e);
	if (r == 0)
		r = make_plan(&st, o, e);
	if (r == 0) {
		st.life = forward_start(s, &st.net, &st.arena, e);
		r = st.life < 0 && st.life != -ENOENT ? st.life : 0;
	}
	if (r == 0 && s->users_fd && userns_holder_read(store_run_fd(st.store), &h) == 0)
		st.engine_net = userns_holder_net(&h);
	if (r == 0)
		r = launch_monitor(&st, lock, o, out, e);
	fd_close(st.life);
	fd_close(st.engine_net);
	attach_done(&st.net);
	join_close(&st.join);
	imagemount_close(&st.images);
	if (r < 0)
		attach_remove(store_run_fd(st.store), i->id, NULL);
	image_close(st.found);
	arena_free(&st.arena);
	return r;
}

int start_wait(struct conn *c, struct err *e)
{
	struct wire_frame f;
	int r = conn_answer(c, 0, WIRE_STARTED, &f, e);

	trace_end(TRACE_MONITOR);
	return r;
}
