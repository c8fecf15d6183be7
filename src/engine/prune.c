/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/prune.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/imagemount.h"
#include "engine/lookup.h"
#include "engine/network_ctl.h"
#include "engine/pod.h"
#include "engine/remove.h"
#include "engine/session.h"
#include "engine/volume_ctl.h"
#include "fmt/reference.h"
#include "fmt/timestamp.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/image_record.h"
#include "store/instance.h"
#include "store/part.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/volume.h"
#include "sys/du.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- filters ---- */

struct label {
	const char *key, *value; /* value NULL: any */
	bool absent;		 /* must not be there */
};
struct filter {
	int64_t until_ns; /* only what was made before; 0: no limit */
	struct label *labels;
	size_t n;
};

/* RFC 3339, seconds since the epoch, or a duration before now. */
static int parse_until(const char *text, int64_t *out, struct err *e)
{
	struct timespec now;
	int64_t ns;
	char *end;
	long long s = strtoll(text, &end, 10);

	clock_gettime(CLOCK_REALTIME, &now);
	if (*text && !*end && s > 0 && s < INT64_MAX / 1000000000)
		ns = s * 1000000000;
	else if (opt_parse_duration(text, &ns) == 0)
		ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - ns;
	else if (!timestamp_parse(text, &ns))
		return err_set(e, ERR_USAGE,
			       "--filter until wants 2026-01-31T00:00:00Z, seconds since 1970 or "
			       "a duration such as 24h, not '%.60s'",
			       text);
	*out = ns;
	return 0;
}

static struct label parse_label(const char *text, bool absent, struct arena *a)
{
	const char *eq = strchr(text, '=');

	return (struct label){.key = eq ? arena_dupn(a, text, (size_t)(eq - text)) : text,
			      .value = eq ? eq + 1 : NULL,
			      .absent = absent};
}

static int parse_filters(const struct strs *l, struct arena *a, struct filter *out, struct err *e)
{
	struct filter f = {.labels = arena_array(a, l->n, sizeof(*f.labels))};
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		const char *until = str_after(l->v[i], "until="),
			   *label = str_after(l->v[i], "label="),
			   *not = str_after(l->v[i], "label!=");

		if (until)
			r = parse_until(until, &f.until_ns, e);
		else if ((label && *label) || (not &&*not ))
			f.labels[f.n++] = parse_label(label ? label : not, !label, a);
		else
			r = err_set(e, ERR_USAGE,
				    "--filter does not know '%.60s' (until=, label=, label!=)",
				    l->v[i]);
	}
	if (r == 0)
		*out = f;
	return r;
}

/* value: what the thing has under the label's key, NULL when it has none. */
static bool label_fits(const struct label *l, const char *value)
{
	bool has = value && (!l->value || streq(l->value, value));

	return has != l->absent;
}

/* ---- images ---- */

static bool image_fits(struct store *s, const struct image_record *r, const struct filter *f)
{
	struct image *i = NULL;
	bool fits = true;
	int64_t ns;

	if (f->until_ns && !(r->created && timestamp_parse(r->created, &ns) && ns < f->until_ns))
		return false;
	if (!f->n)
		return true;
	/* An image that cannot be read has no labels that would say anything. */
	if (image_find_id(s, r->id, &i, NULL) < 0)
		return false;
	for (size_t k = 0; k < f->n; k++)
		fits &= label_fits(&f->labels[k],
				   jbind_lookup(&i->config.config.labels, f->labels[k].key));
	image_close(i);
	return fits;
}

static int by_id(const void *x, const void *y)
{
	const struct image_record *a = x, *b = y;

	return strcmp(a->id, b->id);
}

static bool used(struct store *s, const struct lookups *all, const char *id, struct arena *a)
{
	for (size_t i = 0; i < all->n; i++)
		if (streq(all->v[i].i.image_id, id) || imagemount_uses(&all->v[i].i.mounts, id))
			return true;
	return snapshot_user(s, id, a) != NULL;
}

/* The records of one image: all go, or none. */
static int drop_image(struct store *s, const struct image_record *r, size_t n, struct arena *a,
		      struct prune_result *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int rc = image_record_unlink(s, &r[i], e);

		if (rc < 0)
			return rc;
		if (r[i].name)
			arena_strs_add(a, &out->untagged, reference_familiar(a, r[i].name));
	}
	arena_strs_add(a, &out->deleted, r->id);
	return 0;
}

static int drop_images(struct session *s, struct store *store, bool all, const struct filter *f,
		       struct arena *a, struct prune_result *out, struct err *e)
{
	auto_fd int lock = store_lock(store, STORE_EXCLUSIVE, e);
	struct image_records records;
	struct lookups users;
	int r = lock < 0 ? lock : lookup_all(s, a, &users, e);

	if (r >= 0)
		r = image_list(store, a, &records, e);
	if (r < 0)
		return r;
	if (records.n)
		qsort(records.v, records.n, sizeof(*records.v), by_id);
	for (size_t i = 0, n; r >= 0 && i < records.n; i += n) {
		const struct image_record *rec = &records.v[i];
		bool named = false;

		for (n = 0; i + n < records.n && streq(rec[n].id, rec->id); n++)
			named |= rec[n].name != NULL;
		if ((all || !named) && !used(store, &users, rec->id, a) &&
		    image_fits(store, rec, f))
			r = drop_image(store, rec, n, a, out, e);
	}
	return r < 0 ? r : 0;
}

static int collect(struct store *store, struct prune_result *out, struct err *e)
{
	struct gc_result gone = {0};
	int r = gc_run(store, &gone, e);

	out->bytes += gone.bytes;
	return r < 0 ? r : 0;
}

int prune_images(struct session *s, const struct prune_opts *o, struct arena *a,
		 struct prune_result *out, struct err *e)
{
	struct prune_result done = {0};
	struct filter f;
	struct store *store;
	int r = parse_filters(&o->filters, a, &f, e);

	if (r >= 0)
		r = session_store(s, &store, e);
	if (r >= 0)
		r = drop_images(s, store, o->all, &f, a, &done, e);
	if (r >= 0)
		r = collect(store, &done, e);
	if (r >= 0)
		*out = done;
	return r;
}

/* ---- instances ---- */

static const char *label_in(const struct strs *labels, const char *key)
{
	for (size_t k = 0; k < labels->n; k++) {
		const char *rest = str_after(labels->v[k], key);

		if (rest && (*rest == '=' || !*rest))
			return *rest ? rest + 1 : rest;
	}
	return NULL;
}

static bool instance_fits(const struct lookup *l, const struct filter *f)
{
	if ((l->state.status != INSTANCE_EXITED && l->state.status != INSTANCE_CREATED) ||
	    pod_is(&l->i))
		return false;
	if (f->until_ns && l->i.created_ns >= f->until_ns)
		return false;
	for (size_t k = 0; k < f->n; k++)
		if (!label_fits(&f->labels[k], label_in(&l->i.labels, f->labels[k].key)))
			return false;
	return true;
}

/* Somebody may be just creating and starting it, or have started it since we looked. */
static bool busy(struct store *s, const char *id)
{
	auto_fd int lock = instance_try_lock(store_root_fd(s), id, NULL);

	return lock < 0 || instance_alive(store_run_fd(s), id);
}

static int drop_instances(struct session *s, struct store *store, const struct filter *f,
			  struct arena *a, struct prune_result *out, struct err *e)
{
	struct lookups all;
	int r = lookup_all(s, a, &all, e);

	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		const struct lookup *l = &all.v[i];
		uint64_t bytes = 0;
		char path[96];

		if (!instance_fits(l, f) || busy(store, l->i.id))
			continue;
		snprintf(path, sizeof(path), "instances/%.64s", l->i.id);
		du_add(store_root_fd(store), path, &bytes);
		r = remove_instance(s, &l->i, 0, e);
		if (r >= 0) {
			arena_strs_add(a, &out->instances, l->i.id);
			out->bytes += bytes;
		} else if (r == -EBUSY || r == -ENOENT) {
			/* Started or removed by somebody else after all. */
			if (e)
				*e = ERR_INIT;
			r = 0;
		}
	}
	return r;
}

/* ---- volumes ---- */

static bool volume_fits(int root, const char *name, const struct filter *f, struct arena *a)
{
	struct strs labels;
	struct volume v;

	if (!f->n)
		return true;
	/* One that cannot be read has no labels that would say anything. */
	if (volume_load(root, name, a, &v, NULL) < 0)
		return false;
	labels = volume_ctl_labels(&v, a);
	for (size_t i = 0; i < f->n; i++)
		if (!label_fits(&f->labels[i], label_in(&labels, f->labels[i].key)))
			return false;
	return true;
}

static int drop_volumes(struct store *store, bool all, const struct filter *f, struct arena *a,
			struct prune_result *out, struct err *e)
{
	auto_fd int lock = store_lock(store, STORE_EXCLUSIVE, e);
	auto_fd int dir = -1;
	int r = lock < 0 ? lock : 0, root = store_root_fd(store);
	struct strs names = {0};

	if (r == 0)
		r = volume_names(root, a, &names, e);
	if (r == 0)
		r = dir = store_dir(store, "volumes", e);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct strs users = {0};
		uint64_t bytes = 0;

		if ((!all && !volume_anonymous(names.v[i])) || !volume_fits(root, names.v[i], f, a))
			continue;
		r = volume_ctl_users(store, names.v[i], NULL, a, &users, e);
		if (r < 0 || users.n)
			continue;
		du_add(dir, names.v[i], &bytes);
		r = volume_remove(root, names.v[i], e);
		if (r < 0)
			break;
		arena_strs_add(a, &out->volumes, names.v[i]);
		out->bytes += bytes;
		eventlog_thing(store, "volume", "destroy", names.v[i], NULL);
	}
	return r < 0 ? r : 0;
}

int prune_volumes(struct session *s, const struct prune_opts *o, struct arena *a,
		  struct prune_result *out, struct err *e)
{
	struct prune_result done = {0};
	struct filter f;
	struct store *store;
	int r = parse_filters(&o->filters, a, &f, e);

	if (r >= 0 && f.until_ns)
		r = err_set(e, ERR_USAGE,
			    "--filter until does not work for volumes (label=, label!=)");
	if (r >= 0)
		r = session_store(s, &store, e);
	if (r >= 0)
		r = drop_volumes(store, o->all, &f, a, &done, e);
	if (r >= 0)
		*out = done;
	return r;
}

int prune_instances(struct session *s, const struct prune_opts *o, struct arena *a,
		    struct prune_result *out, struct err *e)
{
	struct prune_result done = {0};
	struct filter f;
	struct store *store;
	int r = parse_filters(&o->filters, a, &f, e);

	if (r >= 0)
		r = session_store(s, &store, e);
	if (r < 0)
		return r;
	remove_leftovers(s, NULL);
	r = drop_instances(s, store, &f, a, &done, e);
	if (r >= 0)
		*out = done;
	return r;
}

/* ---- networks ---- */

static bool network_fits(const struct network *n, const struct filter *f)
{
	if (network_ctl_builtin(n) || (f->until_ns && n->created_ns >= f->until_ns))
		return false;
	for (size_t k = 0; k < f->n; k++)
		if (!label_fits(&f->labels[k], label_in(&n->labels, f->labels[k].key)))
			return false;
	return true;
}

int prune_networks(struct session *s, const struct prune_opts *o, struct arena *a,
		   struct prune_result *out, struct err *e)
{
	struct prune_result done = {0};
	struct strs none = {0};
	struct networks all;
	struct filter f;
	int r = parse_filters(&o->filters, a, &f, e);

	if (r == 0)
		r = network_ctl_list(s, &none, a, &all, e);
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		struct err why = ERR_INIT;

		if (!network_fits(&all.v[i], &f))
			continue;
		r = network_ctl_remove(s, &all.v[i], &why);
		if (r >= 0)
			arena_strs_add(a, &done.networks, all.v[i].name);
		else if (why.kind == ERR_CONFLICT || why.kind == ERR_NOT_FOUND)
			r = 0; /* in use, or somebody else was faster */
		else if (e)
			*e = why;
	}
	if (r >= 0)
		*out = done;
	return r;
}

int prune_system(struct session *s, const struct prune_opts *o, struct arena *a,
		 struct prune_result *out, struct err *e)
{
	struct prune_result done = {0};
	struct filter f;
	struct store *store;
	int r = parse_filters(&o->filters, a, &f, e);

	/* The age of a volume is written nowhere. */
	if (r >= 0 && o->volumes && f.until_ns)
		r = err_set(e, ERR_USAGE, "--filter until cannot be combined with --volumes");
	if (r >= 0)
		r = session_store(s, &store, e);
	if (r < 0)
		return r;
	remove_leftovers(s, NULL);
	r = drop_instances(s, store, &f, a, &done, e);
	if (r >= 0 && o->volumes)
		r = drop_volumes(store, false, &f, a, &done, e);
	if (r >= 0)
		r = drop_images(s, store, o->all, &f, a, &done, e);
	if (r >= 0)
		r = collect(store, &done, e);
	if (r >= 0)
		part_sweep(store, 0, NULL, &done.bytes);
	if (r >= 0)
		*out = done;
	return r;
}
