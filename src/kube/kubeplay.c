/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubeplay.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/create.h"
#include "engine/image_ensure.h"
#include "engine/lookup.h"
#include "engine/pod.h"
#include "engine/pod_ctl.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "engine/volume_ctl.h"
#include "engine/wait.h"
#include "kube/kubemap.h"
#include "kube/kubevolume.h"
#include "spec/control.h"
#include "store/image.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

struct member {
	const struct kubespec_container *c;
	struct request q;
	struct instance i;
	bool once; /* an initContainer: runs to its end before the next one starts */
};

struct playing {
	struct session *s;
	const struct kubeplay_opts *o;
	struct kubemap m;
	struct member *members;
	size_t n;
	struct instance pod;
};

/* ---- before anything is made ---- */

static int build(struct playing *p, struct request *pod, const char **share, struct err *e)
{
	const struct kubespec_containers *lists[] = {&p->m.spec->init, &p->m.spec->containers};
	int r = kubemap_pod(&p->m, pod, share, e);

	if (r == 0 && p->o->network && !p->m.spec->host_network)
		pod->network = p->o->network;
	p->members = arena_array(p->m.a, lists[0]->n + lists[1]->n, sizeof(*p->members));
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; r == 0 && i < lists[k]->n; i++) {
			struct member *x = &p->members[p->n++];

			x->c = &lists[k]->v[i];
			x->once = k == 0 && !x->c->restart;
			r = kubemap_container(&p->m, x->c, k == 0, &x->q, e);
			if (r == 0 && x->once && p->o->create)
				r = err_set(e, ERR_UNSUPPORTED,
					    "pod %s: --start=false is not possible with "
					    "initContainers: nobody would run them",
					    p->m.name);
		}
	return r;
}

static bool wants_non_root(const struct playing *p, const struct kubespec_container *c)
{
	const struct kubespec_security *own = c->security, *pod = p->m.spec->security;
	const char *said = own && own->non_root_json ? own->non_root_json
			   : pod		     ? pod->non_root_json
						     : NULL;

	return said && streq(said, "true");
}

/* As a kubelet does: a name cannot be looked up from outside. */
static int check_user(const struct playing *p, const struct member *x, const struct image *image,
		      struct err *e)
{
	const char *user = x->q.user ? x->q.user : image->config.config.user;
	size_t n = user ? strspn(user, "0123456789") : 0;

	if (!wants_non_root(p, x->c))
		return 0;
	return n && strspn(user, "0") < n && (!user[n] || user[n] == ':')
		   ? 0
		   : err_set(e, ERR_USAGE,
			     "pod %s: container '%s': runAsNonRoot, and its user '%.40s' is not "
			     "known to be another",
			     p->m.name, x->c->name, user ? user : "");
}

static int images(struct playing *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct member *x = &p->members[i];
		const char *policy = x->c->pull_policy ? x->c->pull_policy : "IfNotPresent";
		struct image_pull_opts pull = {.data = p->s->data,
					       .signature_policy = p->s->signature_policy,
					       .policy = streq(policy, "Always") ? IMAGE_PULL_ALWAYS
							 : streq(policy, "Never")
							     ? IMAGE_PULL_NEVER
							     : IMAGE_PULL_MISSING};
		struct image *image = NULL;
		int r = image_ensure(p->s->store, x->q.image, &pull, &image, e);

		if (r == 0)
			r = check_user(p, x, image, e);
		image_close(image);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- making ---- */

static int pods_of(struct session *s, const char *object, struct arena *a, struct lookups *out,
		   struct err *e)
{
	struct strs filters = {0};

	arena_strs_add(a, &filters, arena_printf(a, "label=" KUBEMAP_OBJECT "=%s", object));
	return pod_ctl_list(s, &filters, a, out, e);
}

/* Volumes are known by their pod's name: from looking whether it is free to making or removing them
 * nobody else does. */
static int take_turn(struct session *s, struct err *e)
{
	auto_fd int fd =
	    openat(store_run_fd(s->store), "kube.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "run-root/kube.lock");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "lock run-root/kube.lock") : take_fd(&fd);
}

static int remove_pod(struct session *s, const struct lookup *pod, struct arena *a, struct err *e)
{
	const struct control_stop how = {0};
	struct lookup again;
	auto_fd int turn = -1;
	int r = pod_ctl_remove(s, pod, true, &how, e);

	if (r == 0)
		r = turn = take_turn(s, e);
	/* Somebody has made it anew, with the same volumes. */
	if (r >= 0 && lookup_find(s, pod->i.name, a, &again, NULL) == 0)
		return 0;
	return r < 0 ? r : kubevolume_remove(s, pod->i.name, a, e);
}

/* What came to be before it failed; the error stays that of the failure. */
static void undo(struct playing *p)
{
	struct err ignored = ERR_INIT;
	struct lookup pod;

	if (p->pod.id && pod_find(p->s, p->pod.id, p->m.a, &pod, &ignored) == 0)
		remove_pod(p->s, &pod, p->m.a, &ignored);
}

static int make_member(struct playing *p, struct member *x, struct err *e)
{
	const struct image_pull_opts pull = {.data = p->s->data,
					     .signature_policy = p->s->signature_policy};
	int dir;

	x->q.pod = p->pod.id;
	dir = create_instance(p->s, &x->q, &pull, p->m.a, &x->i, e);
	if (dir < 0)
		return err_wrap(e, dir, "pod %s: container '%s'", p->m.name, x->c->name);
	close(dir);
	return 0;
}

/* An initContainer: to its end. */
static int run_once(struct playing *p, struct member *x, struct err *e)
{
	int64_t code = 0;
	int r = make_member(p, x, e);

	if (r == 0)
		r = restart_start(p->s, &x->i, e);
	if (r == 0)
		r = wait_instance(p->s, &x->i, WAIT_NOT_RUNNING, &code, e);
	if (r < 0)
		return err_wrap(e, r, "pod %s: initContainer '%s'", p->m.name, x->c->name);
	if (code)
		return err_set(e, ERR_CONFLICT, "pod %s: initContainer '%s' ended with code %lld",
			       p->m.name, x->c->name, (long long)code);
	return remove_instance(p->s, &x->i, REMOVE_VOLUMES, e);
}

static int start_members(struct playing *p, struct err *e)
{
	int r = 0;

	/* In the order of the file: an initContainer sees those with restartPolicy Always that
	 * stand before it. */
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		struct member *x = &p->members[i];

		r = x->once ? run_once(p, x, e) : make_member(p, x, e);
		if (r == 0 && !x->once && !p->o->create)
			r = restart_start(p->s, &x->i, e);
	}
	return r;
}

/* Its volumes are there before it, for a machine is given them when it is made. */
static int make_pod(struct playing *p, const struct request *pod, const char *share, struct err *e)
{
	auto_fd int turn = take_turn(p->s, e);
	struct lookup old;
	int r = turn < 0 ? turn : 0;

	if (r == 0 && lookup_find(p->s, p->m.name, p->m.a, &old, NULL) == 0 &&
	    streq(old.i.name, p->m.name))
		return err_set(e, ERR_EXISTS,
			       "the name '%s' is already in use by instance %.12s: remove or "
			       "rename that one first, or use --replace",
			       p->m.name, old.i.id);
	/* What a killed command left of an earlier one. */
	if (r == 0)
		r = kubevolume_remove(p->s, p->m.name, p->m.a, e);
	if (r == 0)
		r = kubevolume_make(p->s, &p->m, e);
	if (r == 0)
		r = pod_create(p->s, pod, share, false, p->m.a, &p->pod, e);
	if (r < 0 && turn >= 0)
		kubevolume_remove(p->s, p->m.name, p->m.a, NULL);
	return r;
}

static int play_pod(struct playing *p, struct err *e)
{
	struct request pod;
	const char *share;
	int r = build(p, &pod, &share, e);

	if (r == 0)
		r = images(p, e);
	if (r < 0)
		return r;
	r = make_pod(p, &pod, share, e);
	if (r < 0)
		return err_wrap(e, r, "pod %s", p->m.name);
	r = start_members(p, e);
	if (r < 0) {
		undo(p);
		return r;
	}
	p->o->made("Pod", p->pod.id, p->o->arg);
	for (size_t i = 0; i < p->n; i++)
		if (!p->members[i].once)
			p->o->made("Container", p->members[i].i.id, p->o->arg);
	return 0;
}

static int play_object(struct session *s, struct kubedoc *doc, const struct kubespec_object *obj,
		       const struct kubeplay_opts *o, struct arena *a, struct err *e)
{
	bool set = streq(obj->kind, "Deployment");
	int64_t n = !set ? 1 : obj->set.replicas.set ? obj->set.replicas.v : 1;
	const char *object = arena_printf(a, "%s/%s", obj->kind, obj->meta.name);
	struct lookups old = {0};
	int r = 0;

	if (o->replace)
		r = pods_of(s, object, a, &old, e);
	for (size_t i = 0; r == 0 && i < old.n; i++)
		r = remove_pod(s, &old.v[i], a, e);
	for (int64_t i = 1; r == 0 && i <= n; i++) {
		struct playing p = {.s = s,
				    .o = o,
				    .m = {.doc = doc,
					  .a = a,
					  .object = object,
					  .name = !set ? obj->meta.name
						  : n == 1
						      ? arena_printf(a, "%s-pod", obj->meta.name)
						      : arena_printf(a, "%s-pod-%lld",
								     obj->meta.name, (long long)i),
					  .meta = set ? &obj->set.template.meta : &obj->meta,
					  .spec = set ? &obj->set.template.spec : &obj->pod}};

		r = kubemap_isolation(p.m.meta, p.m.spec, o->isolation, &p.m.isolation, e);
		if (r == 0)
			r = play_pod(&p, e);
	}
	return r;
}

int kubeplay_up(struct session *s, struct kubedoc *doc, const struct kubeplay_opts *o,
		struct arena *a, struct err *e)
{
	struct store *store;
	bool any = false;
	int r = session_store(s, &store, e);

	for (size_t i = 0; r == 0 && i < doc->n; i++)
		if (streq(doc->v[i].kind, "PersistentVolumeClaim"))
			r = kubevolume_claim(s, &doc->v[i], a, e);
	for (size_t i = 0; r == 0 && i < doc->n; i++)
		if (streq(doc->v[i].kind, "Pod") || streq(doc->v[i].kind, "Deployment")) {
			any = true;
			r = play_object(s, doc, &doc->v[i], o, a, e);
		} else if (streq(doc->v[i].kind, "PersistentVolumeClaim")) {
			any = true;
		}
	return r == 0 && !any
		   ? err_set(e, ERR_USAGE, "no Pod, Deployment or PersistentVolumeClaim is in it")
		   : r;
}

int kubeplay_down(struct session *s, const struct kubedoc *doc, bool volumes,
		  void (*gone)(const char *what, const char *id, void *arg), void *arg,
		  struct arena *a, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < doc->n; i++) {
		const struct kubespec_object *o = &doc->v[i];
		struct lookups pods = {0};

		if (!streq(o->kind, "Pod") && !streq(o->kind, "Deployment"))
			continue;
		r = pods_of(s, arena_printf(a, "%s/%s", o->kind, o->meta.name), a, &pods, e);
		for (size_t k = 0; r == 0 && k < pods.n; k++) {
			r = remove_pod(s, &pods.v[k], a, e);
			if (r == 0)
				gone("Pod", pods.v[k].i.id, arg);
		}
	}
	for (size_t i = 0; r == 0 && volumes && i < doc->n; i++)
		if (streq(doc->v[i].kind, "PersistentVolumeClaim")) {
			r = volume_ctl_remove(s, doc->v[i].meta.name, true, e);
			if (r == 0)
				gone("Volume", doc->v[i].meta.name, arg);
		}
	return r;
}
