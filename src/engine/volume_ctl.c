/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume_ctl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"
#include "store/instance.h"
#include "store/store.h"
#include "sys/path.h"

#include <errno.h>
#include <unistd.h>

/* ---- what the local driver may be told ---- */

static bool word_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list && *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == n && strncmp(list, word, n) == 0)
			return true;
	return false;
}

static bool is_bind(const struct volume *v)
{
	const char *o = volume_option(v, "o");

	return word_in(o, "bind") || word_in(o, "rbind");
}

/* What may stand in o= of a bind, besides bind itself. */
static const char *const mount_words[] = {"ro", "nosuid", "nodev", "noexec", NULL};

static int check_words(const char *o, struct err *e)
{
	for (; *o; o += strcspn(o, ","), o += *o == ',') {
		size_t n = strcspn(o, ",");
		bool known = (n == 4 && strncmp(o, "bind", n) == 0) ||
			     (n == 5 && strncmp(o, "rbind", n) == 0) ||
			     (n == 2 && strncmp(o, "rw", n) == 0) || n == 0;

		for (const char *const *w = mount_words; *w; w++)
			known |= strlen(*w) == n && strncmp(o, *w, n) == 0;
		if (!known)
			return err_set(e, ERR_UNSUPPORTED,
				       "--opt o=%.*s: of a bind there are bind, rbind, ro, rw, "
				       "nosuid, nodev, noexec",
				       (int)(n > 60 ? 60 : n), o);
	}
	return 0;
}

static int check_options(const struct volume *v, struct err *e)
{
	static const char *const keys[] = {"type=", "o=", "device=", NULL};
	const char *type = volume_option(v, "type") ?: "none", *o = volume_option(v, "o"),
		   *device = volume_option(v, "device");

	for (size_t i = 0; i < v->options.n; i++) {
		bool known = false;

		for (const char *const *k = keys; *k; k++)
			known |= str_after(v->options.v[i], *k) != NULL;
		if (str_after(v->options.v[i], "size="))
			return err_set(e, ERR_UNSUPPORTED,
				       "--opt %.60s is not possible: a volume is a directory, and "
				       "no quota is kept; mount a file system of that size and "
				       "give it as device=",
				       v->options.v[i]);
		if (!known)
			return err_set(e, ERR_USAGE,
				       "invalid option '%.60s': the local driver knows type=, "
				       "device= and o=",
				       v->options.v[i]);
	}
	if (!v->options.n)
		return 0;
	if (streq(type, "tmpfs"))
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "--opt type=tmpfs is not possible: nothing stays mounted on the host "
		    "between instances; use --tmpfs or --mount type=tmpfs");
	if (!(streq(type, "none") || streq(type, "bind")) || !is_bind(v))
		return err_set(e, ERR_UNSUPPORTED,
			       "--opt type=%.60s is not possible: only binds (type=none, o=bind, "
			       "device=DIR) are; mount it on the host and bind that",
			       type);
	if (!device || *device != '/')
		return err_set(e, ERR_USAGE, "--opt device= wants an absolute path");
	return check_words(o, e);
}

static int check_labels(const struct volume *v, struct err *e)
{
	for (size_t i = 0; i < v->labels.n; i++)
		if (!*v->labels.v[i] || *v->labels.v[i] == '=')
			return err_set(e, ERR_USAGE, "invalid label '%.60s': KEY[=VALUE]",
				       v->labels.v[i]);
	return 0;
}

/* ---- create ---- */

/* KEY and KEY=VALUE to KEY=VALUE, each key once: the last one counts. */
static struct strs pairs(const struct strs *l, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = 0; i < l->n; i++) {
		const char *p = strchr(l->v[i], '=') ? l->v[i] : arena_printf(a, "%s=", l->v[i]);
		size_t n = strcspn(p, "=") + 1, k = 0;

		while (k < out.n && strncmp(out.v[k], p, n) != 0)
			k++;
		if (k < out.n)
			out.v[k] = p;
		else
			arena_strs_add(a, &out, p);
	}
	return out;
}

static bool same(const struct strs *x, const struct strs *y)
{
	size_t found = 0;

	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < y->n; k++)
			found += streq(x->v[i], y->v[k]);
	return x->n == y->n && found == x->n;
}

static int was_there(struct store *store, const struct volume *v, struct arena *a, struct err *e)
{
	struct volume old;
	int r = volume_load(store_root_fd(store), v->name, a, &old, e);

	if (r < 0 || (!v->labels.n && !v->options.n) ||
	    (same(&v->labels, &old.labels) && same(&v->options, &old.options)))
		return r;
	return err_set(e, ERR_EXISTS, "volume '%s' exists with other labels or options", v->name);
}

int volume_ctl_create(struct session *s, const struct volume *asked, struct arena *a,
		      const char **name, struct err *e)
{
	struct volume v = {.name = asked->name,
			   .labels = pairs(&asked->labels, a),
			   .options = pairs(&asked->options, a)};
	char id[INSTANCE_ID + 1];
	struct store *store;
	auto_fd int lock = -1;
	int r;

	instance_new_id(id);
	if (!v.name)
		v.name = arena_dup(a, id);
	r = volume_check_name(v.name, e);
	if (r == 0)
		r = check_labels(&v, e);
	if (r == 0)
		r = check_options(&v, e);
	if (r == 0)
		r = session_store(s, &store, e);
	if (r < 0)
		return r;
	lock = store_lock(store, STORE_SHARED, e);
	r = lock < 0 ? lock : volume_create(store_root_fd(store), &v, e);
	if (r == 1)
		eventlog_thing(store, "volume", "create", v.name, NULL);
	if (r == 0)
		r = was_there(store, &v, a, e);
	if (r < 0)
		return r;
	*name = v.name;
	return 0;
}

static bool has(const struct strs *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], text))
			return true;
	return false;
}

int volume_ctl_use(struct store *store, struct instance_mount *m, struct arena *a, struct err *e)
{
	const char *device;
	struct volume v;
	int r = volume_ensure(store_root_fd(store), m->name, e);

	if (r < 0)
		return r;
	if (r == 1)
		eventlog_thing(store, "volume", "create", m->name, NULL);
	r = volume_load(store_root_fd(store), m->name, a, &v, e);
	if (r < 0)
		return r;
	device = volume_option(&v, "device");
	if (!device)
		return 0;
	if (access(device, F_OK) < 0)
		return err_sys(e, "volume '%s': its device '%.200s'", v.name, device);
	m->source = device;
	for (const char *const *w = mount_words; *w; w++)
		if (word_in(volume_option(&v, "o"), *w) && !has(&m->options, *w))
			arena_strs_add(a, &m->options, *w);
	return 0;
}

/* ---- who uses it ---- */

struct users {
	int root;
	const char *name, *but;
	struct arena *a;
	struct strs *out;
};

static int user(const char *id, void *arg)
{
	struct users *u = arg;
	struct instance i;

	/* One that is just going has no say. */
	if ((u->but && streq(id, u->but)) || instance_load(u->root, id, u->a, &i, NULL) < 0)
		return 0;
	for (size_t k = 0; k < i.mounts.n; k++)
		if (streq(i.mounts.v[k].type, "volume") && streq(i.mounts.v[k].name, u->name)) {
			arena_strs_add(u->a, u->out, i.id);
			return 0;
		}
	return 0;
}

int volume_ctl_users(struct store *store, const char *name, const char *but, struct arena *a,
		     struct strs *out, struct err *e)
{
	struct users u = {store_root_fd(store), name, but, a, out};

	return instance_each(u.root, user, &u, e);
}

/* ---- list ---- */

struct strs volume_ctl_labels(const struct volume *v, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = 0; i < v->labels.n; i++)
		arena_strs_add(a, &out, v->labels.v[i]);
	if (volume_anonymous(v->name))
		arena_strs_add(a, &out, "com.docker.volume.anonymous=");
	return out;
}

static bool has_label(const struct strs *labels, const char *want)
{
	for (size_t i = 0; i < labels->n; i++) {
		const char *rest = str_after(labels->v[i], want);

		if (rest && (!*rest || (*rest == '=' && !strchr(want, '='))))
			return true;
	}
	return false;
}

static int boolean(const char *text)
{
	if (streq(text, "true") || streq(text, "1"))
		return 1;
	return streq(text, "false") || streq(text, "0") ? 0 : -1;
}

static int check_filters(const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *dangling = str_after(l->v[i], "dangling=");

		if (dangling ? boolean(dangling) < 0
			     : !str_after(l->v[i], "driver=") && !str_after(l->v[i], "label=") &&
				   !str_after(l->v[i], "name="))
			return err_set(e, ERR_USAGE,
				       "--filter does not know '%.60s' (dangling=true|false, "
				       "driver=, label=, name=)",
				       l->v[i]);
	}
	return 0;
}

static int fits(struct store *store, const struct volume *v, const struct strs *filters,
		struct arena *a, struct err *e)
{
	int name = -1, driver = -1, r; /* -1 none asked for, 0 none fits, 1 one does */
	struct strs labels = volume_ctl_labels(v, a), users = {0};
	const char *want;

	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];

		if ((want = str_after(f, "name="))) {
			name = name > 0 || strstr(v->name, want);
		} else if ((want = str_after(f, "driver="))) {
			driver = driver > 0 || streq(want, "local");
		} else if ((want = str_after(f, "label="))) {
			if (!has_label(&labels, want))
				return 0;
		} else if ((want = str_after(f, "dangling="))) {
			users = (struct strs){0};
			r = volume_ctl_users(store, v->name, NULL, a, &users, e);
			if (r < 0)
				return r;
			if (boolean(want) != (users.n == 0))
				return 0;
		}
	}
	return name && driver;
}

int volume_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		    struct volumes *out, struct err *e)
{
	struct volumes l = {0};
	struct strs names = {0};
	struct store *store;
	int r = check_filters(filters, e);

	if (r == 0)
		r = session_store(s, &store, e);
	if (r == 0)
		r = volume_names(store_root_fd(store), a, &names, e);
	if (r < 0)
		return r;
	l.v = arena_array(a, names.n + 1, sizeof(*l.v));
	for (size_t i = 0; i < names.n; i++) {
		struct volume *v = &l.v[l.n];

		/* Removed meanwhile, or a file of somebody else's: not a volume. */
		if (volume_load(store_root_fd(store), names.v[i], a, v, NULL) < 0)
			continue;
		r = fits(store, v, filters, a, e);
		if (r < 0)
			return r;
		l.n += r > 0;
	}
	*out = l;
	return 0;
}

/* ---- describe ---- */

static void object(const struct strs *l, struct buf *out)
{
	if (!l->n) {
		buf_puts(out, "null");
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		auto_buf struct buf key = BUF_INIT(1 << 20);
		size_t n = strcspn(l->v[i], "=");

		buf_add(&key, l->v[i], n);
		buf_puts(out, i ? "," : "{");
		json_quote(out, key.p);
		buf_puts(out, ":");
		json_quote(out, l->v[i] + n + (l->v[i][n] == '='));
	}
	buf_puts(out, "}");
}

int volume_ctl_inspect(struct session *s, const char *name, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct store *store;
	struct strs labels;
	struct volume v;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = volume_load(store_root_fd(store), name, &a, &v, e);
	if (r < 0)
		return r;
	labels = volume_ctl_labels(&v, &a);
	buf_puts(out, "{\"CreatedAt\":\"");
	timestamp_print(v.created_ns, out);
	buf_puts(out, "\",\"Driver\":\"local\",\"Labels\":");
	object(&labels, out);
	buf_puts(out, ",\"Mountpoint\":");
	json_quote(out, arena_printf(&a, "%s/volumes/%s/_data", s->root, v.name));
	buf_puts(out, ",\"Name\":");
	json_quote(out, v.name);
	buf_puts(out, ",\"Options\":");
	object(&v.options, out);
	buf_puts(out, ",\"Scope\":\"local\"}");
	return buf_fail(out, "description", e);
}

void volume_ctl_row(struct session *s, const struct volume *v, struct arena *a, struct buf *out)
{
	struct strs labels = volume_ctl_labels(v, a);
	const char *text = "";

	for (size_t i = 0; i < labels.n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", labels.v[i]);
	buf_puts(out,
		 "{\"Availability\":\"N/A\",\"Driver\":\"local\",\"Group\":\"N/A\",\"Labels\":");
	json_quote(out, text);
	buf_puts(out, ",\"Links\":\"N/A\",\"Mountpoint\":");
	json_quote(out, arena_printf(a, "%s/volumes/%s/_data", s->root, v->name));
	buf_puts(out, ",\"Name\":");
	json_quote(out, v->name);
	buf_puts(out, ",\"Scope\":\"local\",\"Size\":\"N/A\",\"Status\":\"N/A\"}");
}

/* ---- remove ---- */

int volume_ctl_remove(struct session *s, const char *name, bool force, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	char aside[VOLUME_ASIDE];
	struct strs users = {0};
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	{
		auto_fd int lock = store_lock(store, STORE_EXCLUSIVE, e);

		r = lock < 0 ? lock : volume_ctl_users(store, name, NULL, &a, &users, e);
		if (r == 0 && users.n)
			r = err_set(e, ERR_CONFLICT,
				    "cannot remove volume '%.128s': in use by %.12s%s; remove what "
				    "uses it first (ps -a --filter volume=)",
				    name, users.v[0], users.n > 1 ? " and others" : "");
		if (r == 0)
			r = volume_take(store_root_fd(store), name, aside, e);
	}
	if (r == 0 && !force)
		return err_set(e, ERR_NOT_FOUND, "no such volume: %.128s", name);
	if (r <= 0)
		return r;
	eventlog_thing(store, "volume", "destroy", name, NULL);
	/* Its name is gone; its files may take their time, and nobody waits for them. */
	r = path_remove(store_root_fd(store), aside);
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "files of volume '%s'", name);
}
