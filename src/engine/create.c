/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/create.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/cgparent.h"
#include "engine/devspec.h"
#include "engine/eventlog.h"
#include "engine/image_ensure.h"
#include "engine/imagemount.h"
#include "engine/inmachine.h"
#include "engine/join.h"
#include "engine/limits.h"
#include "engine/logs_journal.h"
#include "engine/mountspec.h"
#include "engine/names.h"
#include "engine/network_ctl.h"
#include "engine/plan_build.h"
#include "engine/pod.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/volume_ctl.h"
#include "engine/wall.h"
#include "fmt/publish.h"
#include "spec/plan.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <time.h>

#define REQUEST_MAX (2u << 20)
#define NAME_TRIES  20

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The image's labels, then the request's, which win. */
static void labels(const struct request *q, const struct image *image, struct arena *a,
		   struct strs *out)
{
	const struct jbind_map *m = &image->config.config.labels;

	for (size_t i = 0; i < m->n; i++)
		plan_build_setenv(out, arena_printf(a, "%s=%s", m->v[i].key, m->v[i].value), a);
	for (size_t i = 0; i < q->labels.n; i++)
		plan_build_setenv(out,
				  strchr(q->labels.v[i], '=')
				      ? q->labels.v[i]
				      : arena_printf(a, "%s=", q->labels.v[i]),
				  a);
}

/* Everything that may be wrong with the request is found before anything is made. */
static int check_parts(const struct request *q, struct arena *a, struct err *e)
{
	struct plan_device_rules rules = {0};
	struct plan_devices devices = {0};
	struct plan_resources limits = {0};
	struct plan_rlimits ulimits = {0};
	struct plan_caps caps = {0};
	struct plan_process process = {.capabilities = &caps};
	struct plan_linux linux_part = {0};
	struct plan_caisson ours = {0};
	struct plan plan = {.process = &process, .linux_ = &linux_part, .caisson = &ours};
	const char *cgroup;
	uint64_t disk;
	struct publish p;
	int r = request_check(q, e);

	if (r == 0 && q->log_driver && streq(q->log_driver, "journald"))
		r = logs_journal_check(e);
	if (r == 0)
		r = join_check(q, e);
	if (r == 0)
		r = limits_build(q, a, &limits, e);
	if (r == 0)
		r = limits_ulimits(q, a, &ulimits, e);
	if (r == 0)
		r = limits_disk(q, &disk, e);
	if (r == 0)
		r = devspec_build(q, a, &devices, &rules, e);
	if (r == 0)
		r = cgparent_path(q->cgroup_parent, a, &cgroup, e);

	if (r == 0)
		r = wall_caps(q, a, &caps, e);
	if (r == 0)
		r = wall_paths(q, a, &plan, e);
	for (size_t i = 0; r == 0 && i < q->publish.n; i++)
		r = publish_parse(q->publish.v[i], &p, e);
	return r;
}

static int describe(struct session *s, struct store *store, const struct request *q,
		    const struct image *image, struct arena *a, struct instance *out, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(REQUEST_MAX);
	char id[INSTANCE_ID + 1];
	int r;

	instance_new_id(id);
	*out = (struct instance){.id = arena_dup(a, id),
				 .name = q->name,
				 .image = q->image,
				 .image_id = image->record.id,
				 .isolation = q->isolation,
				 .created_ns = now_ns(),
				 .auto_remove = q->auto_remove};
	out->pod = q->pod_share.n ? out->id : q->pod;
	r = plan_build_command(q, &image->config.config, a, &out->command, e);
	if (r == 0)
		r = mountspec_list(q, &image->config.config.volumes, store_root_fd(store), s->root,
				   a, &out->mounts, e);
	if (r < 0)
		return r;
	labels(q, image, a, &out->labels);
	jbind_write(&request_table, q, &b);
	out->request = arena_dupn(a, b.p, b.len);
	return buf_fail(&b, "request", e);
}

static int take_name(int root_fd, struct instance *i, struct arena *a, struct err *e)
{
	int r = -EEXIST;

	if (i->name)
		return instance_create(root_fd, i->id, i->name, e);
	for (int t = 0; r == -EEXIST && t < NAME_TRIES; t++) {
		*e = ERR_INIT;
		i->name = names_random(a, t);
		r = instance_create(root_fd, i->id, i->name, e);
	}
	return r;
}

/* -v makes a missing directory on the host, as docker's does; --mount has checked its own. */
static int make_source(const char *path, struct err *e)
{
	auto_fd int root = -1, fd = -1;

	if (access(path, F_OK) == 0)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "/");
	fd = path_mkdirs(root, path, 0755, PATH_IN_ROOT);
	if (fd >= 0)
		return 0;
	errno = -fd;
	return err_sys(e, "make '%s'", path);
}

static int make_sources(struct instance *i, struct store *store, struct arena *a, struct err *e)
{
	for (size_t k = 0; k < i->mounts.n; k++) {
		struct instance_mount *m = &i->mounts.v[k];
		int r = 0;

		if (streq(m->type, "volume"))
			r = volume_ctl_use(store, m, a, e);
		else if (streq(m->type, "bind"))
			r = make_source(m->source, e);
		else if (streq(m->type, "image"))
			r = imagemount_resolve(store, m, a, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make(struct session *s, const struct request *q, struct arena *a, struct instance *out,
		struct err *e)
{
	struct store *store = s->store;
	auto_fd int pod = q->pod ? pod_hold(s, q, e) : -1;
	struct instance_mounts there;
	auto_fd int dir = -1;
	int r;

	if (q->pod && pod < 0)
		return pod;
	dir = take_name(store_root_fd(store), out, a, e);
	if (dir < 0)
		return dir;
	r = make_sources(out, store, a, e);
	if (r == 0 && q->machine)
		r = inmachine_mounts(s, q, &out->mounts, a, &there, e);
	if (r == 0)
		r = instance_commit(dir, out, !q->auto_remove, e);
	if (r == 0)
		return take_fd(&dir);
	instance_remove(store_root_fd(store), store_run_fd(store), out, NULL);
	return r;
}

/* What was said becomes what is meant; everything that can be wrong with it is found here. */
static int settle(struct session *s, struct request *q, struct arena *a, struct instance *pod,
		  struct err *e)
{
	struct store *store;
	int r = q->pod && str_after(q->pod, "new:") ? check_parts(q, a, e) : 0;

	*pod = (struct instance){0};
	if (r == 0 && q->pod)
		r = pod_new(s, q, a, pod, e);
	if (r == 0 && q->pod)
		r = pod_join(s, q, a, e);
	if (r == 0)
		r = inmachine_fix(s, q, a, e);
	if (r == 0)
		r = check_parts(q, a, e);
	if (r == 0)
		r = session_store(s, &store, e);
	if (r == 0)
		r = join_fix(s, q, a, e);
	return r < 0 ? r : network_ctl_fix(s, q, a, e);
}

int create_instance(struct session *s, const struct request *asked,
		    const struct image_pull_opts *pull, struct arena *a, struct instance *out,
		    struct err *e)
{
	struct image *image = NULL;
	struct request fixed = *asked, *q = &fixed;
	struct instance pod;
	auto_fd int lock = -1;
	int r = settle(s, q, a, &pod, e);

	/* From naming the image to the record that holds it nothing may be collected. */
	if (r == 0)
		r = lock = image_ensure_hold(s->store, q->image, pull, &image, e);
	if (r >= 0)
		r = describe(s, s->store, q, image, a, out, e);
	if (r == 0) {
		out->image_id = arena_dup(a, out->image_id);
		r = make(s, q, a, out, e);
		if (r >= 0)
			eventlog_instance(s->store, out, "create", NULL, NULL);
	}
	image_close(image);
	if (r < 0 && pod.id)
		remove_instance(s, &pod, REMOVE_FORCE | REMOVE_POD, NULL);
	return r;
}

int create_instance_of(struct session *s, const struct request *asked, const struct image *image,
		       struct arena *a, struct instance *out, struct err *e)
{
	struct request fixed = *asked, *q = &fixed;
	struct instance pod;
	int r = settle(s, q, a, &pod, e);

	if (r == 0)
		r = describe(s, s->store, q, image, a, out, e);
	return r < 0 ? r : make(s, q, a, out, e);
}
