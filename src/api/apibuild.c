/* SPDX-License-Identifier: Apache-2.0 */
/* apibuild - docker's classic build: the context is the request's body, an archive. */
#include "api/apibuild.h"
#include "api/apiauth.h"
#include "api/apicall.h"
#include "api/apipipe.h"
#include "api/apiroute.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "build/builder.h"
#include "build/buildprune.h"
#include "engine/members.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/reference.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- what is asked ---- */

struct pairs_walk {
	struct arena *a;
	struct strs *out;
};

static int pair(const char *key, struct json *v, void *arg)
{
	struct pairs_walk *w = arg;
	const char *value = json_string(v);

	/* null: an ARG's own default, as if it were not named. */
	if (value)
		arena_strs_add(w->a, w->out, arena_printf(w->a, "%s=%s", key, value));
	return !v || value ? 0 : -1;
}

/* A parameter that is a JSON object of strings, as KEY=VALUE each. */
static int object(struct apicall *c, const char *name, struct strs *out, struct err *e)
{
	struct pairs_walk w = {c->a, out};
	const char *text = apicall_query(c, name);
	auto_json struct json *j = NULL;

	if (!text)
		return 0;
	if (json_parse(text, strlen(text), name, &j, NULL) < 0 ||
	    (j && (!json_is_object(j) || json_each(j, pair, &w) < 0)))
		return err_set(e, ERR_USAGE, "parameter '%s' is no JSON object of strings", name);
	return 0;
}

/* What would change the build and is not possible here.  Clients send all of them, mostly empty. */
static int refuse(struct apicall *c, struct err *e)
{
	static const char *const not_here[] = {
	    "memswap", "cpushares", "cpusetcpus",   "cpusetmems", "cpuperiod",	"cpuquota",
	    "squash",  "outputs",   "cgroupparent", "ulimits",	  "securityopt"};
	const char *isolation = apicall_query(c, "isolation");
	const char *version = apicall_query(c, "version");

	if (version && !streq(version, "1"))
		return err_set(e, ERR_UNSUPPORTED,
			       "version=%.20s: there is no BuildKit here: DOCKER_BUILDKIT=0 docker "
			       "build, or `caisson build`",
			       version);
	if (isolation && !streq(isolation, "default") && !streq(isolation, "process") &&
	    !streq(isolation, "container"))
		return err_set(e, ERR_UNSUPPORTED,
			       "isolation=%.20s: the steps of a build run as containers",
			       isolation);
	for (size_t i = 0; i < sizeof(not_here) / sizeof(*not_here); i++) {
		const char *v = apicall_query(c, not_here[i]);

		if (v && apicall_yes(c, not_here[i]) && !streq(v, "null") && !streq(v, "[]") &&
		    !streq(v, "{}"))
			return err_set(e, ERR_UNSUPPORTED,
				       "parameter '%s' of a build is not possible here",
				       not_here[i]);
	}
	return 0;
}

static int numbers(struct apicall *c, struct builder_opts *o, struct err *e)
{
	int64_t memory = 0, shm = 0;
	int r = apicall_number(c, "memory", 0, INT64_MAX, &memory, e);

	if (r == 0)
		r = apicall_number(c, "shmsize", 0, INT64_MAX, &shm, e);
	o->memory_bytes = (uint64_t)memory;
	o->shm_bytes = (uint64_t)shm;
	return r;
}

static int network(struct apicall *c, struct builder_opts *o, struct err *e)
{
	const char *n = apicall_query(c, "networkmode");

	if (!n || streq(n, "default"))
		return 0;
	if (!streq(n, "none") && !streq(n, "host") && !streq(n, "bridge"))
		return err_set(e, ERR_UNSUPPORTED,
			       "networkmode '%.60s': a build has default, bridge, none or host", n);
	o->network = n;
	return 0;
}

static int read_opts(struct apicall *c, struct builder_opts *o, struct err *e)
{
	const char *remote = apicall_query(c, "remote");
	int r = refuse(c, e);

	*o = (struct builder_opts){.context = remote ? remote : "-",
				   .file = apicall_query(c, "dockerfile"),
				   .target = apicall_query(c, "target"),
				   .platform = apicall_query(c, "platform"),
				   .codec = "gzip",
				   .no_cache = apicall_yes(c, "nocache"),
				   .pull = apicall_yes(c, "pull")};
	/* An address, never a path of this host; and a Dockerfile is the context's. */
	if (r == 0 && remote && !strstr(remote, "://") && !str_after(remote, "git@") &&
	    !str_after(remote, "github.com/"))
		return err_set(e, ERR_USAGE, "remote '%.100s' is no address", remote);
	if (r == 0 && o->file && streq(o->file, "-"))
		return err_set(e, ERR_USAGE, "dockerfile names a file of the context");
	http_request_queries(&c->x->request, "t", c->a, &o->tags);
	http_request_queries(&c->x->request, "extrahosts", c->a, &o->hosts);
	/* The engine looks at them when it has begun. */
	for (size_t i = 0; r == 0 && i < o->tags.n; i++) {
		struct reference ref;

		r = reference_parse(o->tags.v[i], c->a, &ref, e);
	}
	if (r == 0)
		r = object(c, "buildargs", &o->args, e);
	if (r == 0)
		r = object(c, "labels", &o->labels, e);
	if (r == 0)
		r = network(c, o, e);
	return r < 0 ? r : numbers(c, o, e);
}

/* ---- what is told ---- */

struct build {
	struct apicall *c;
	struct builder_opts opts;
	struct builder_result done;
	bool quiet;
};

static void line(struct apicall *c, const char *key, const char *text, size_t len)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(8 << 20);

	/* From its first line on: what fails before has a status. */
	if (!exchange_begun(c->x) && exchange_begin(c->x, 200, "application/json", NULL) < 0)
		return;
	buf_printf(&b, "{\"%s\":", key);
	json_quote(&b, arena_dupn(&a, text, len));
	buf_puts(&b, "}\r\n");
	if (!b.failed)
		exchange_write(c->x, b.p, b.len, NULL);
}

static void stream(struct build *b, const char *text)
{
	line(b->c, "stream", text, strlen(text));
}

static void progress(const struct builder_event *ev, void *arg)
{
	struct build *b = arg;
	struct arena *a = b->c->a;

	if (b->quiet)
		return;
	switch (ev->kind) {
	case BUILDER_STEP:
		stream(b, arena_printf(a, "Step %u/%u : %.2000s\n", ev->step, ev->steps, ev->text));
		break;
	case BUILDER_CACHED:
		stream(b, " ---> Using cache\n");
		break;
	case BUILDER_OUTPUT:
		line(b->c, "stream", ev->text, ev->len);
		break;
	case BUILDER_WARNING:
		stream(b, arena_printf(a, "[Warning] %.2000s\n", ev->text));
		break;
	default:
		break;
	}
}

static void succeeded(struct build *b)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct arena *a = b->c->a;
	const char *id = b->done.id, *hex = strchr(id, ':');

	if (b->quiet)
		stream(b, arena_printf(a, "%s\n", id));
	else
		stream(b, "\n");
	buf_printf(&out, "{\"aux\":{\"ID\":\"%s\"}}\r\n", id);
	exchange_write(b->c->x, out.p, out.len, NULL);
	if (b->quiet)
		return;
	stream(b, arena_printf(a, "Successfully built %.12s\n", hex ? hex + 1 : id));
	for (size_t i = 0; i < b->done.names.n; i++)
		stream(b, arena_printf(a, "Successfully tagged %s\n",
				       reference_familiar(a, b->done.names.v[i])));
}

/* A step that failed, when the answer has begun, is its last line. */
static int failed(struct build *b, int r, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);

	if (!exchange_begun(b->c->x))
		return r;
	if (b->done.excerpt)
		stream(b, b->done.excerpt);
	buf_printf(&out, "{\"errorDetail\":{\"code\":%d,\"message\":", b->done.code ?: 1);
	json_quote(&out, e->msg);
	buf_puts(&out, "},\"error\":");
	json_quote(&out, e->msg);
	buf_puts(&out, "}\r\n");
	*e = ERR_INIT;
	return exchange_write(b->c->x, out.p, out.len, e);
}

/* ---- the routes ---- */

static int run(struct apicall *c, int fd, void *arg, struct err *e)
{
	struct build *b = arg;
	auto_fd int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	/* The engine reads a context that is an archive from stdin; this process has no other. */
	if (dup2(fd >= 0 ? fd : nothing, STDIN_FILENO) < 0)
		return err_sys(e, "the request's body");
	r = builder_run(c->s, &b->opts, c->a, &b->done, e);
	dup2(nothing, STDIN_FILENO);
	return r;
}

int apibuild_run(struct apicall *c, struct err *e)
{
	struct build b = {.c = c, .quiet = apicall_yes(c, "q")};
	struct apipipe p = {run, &b};
	int r = read_opts(c, &b.opts, e);

	if (r == 0)
		r = apiauth_take_all(c, e);
	if (r < 0)
		return r;
	b.opts.progress = progress;
	b.opts.arg = &b;
	r = apicall_query(c, "remote") ? run(c, -1, &b, e) : apipipe_in(c, &p, e);
	if (r < 0)
		return failed(&b, r, e);
	succeeded(&b);
	return 0;
}

static bool has(const struct buildprune_list *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].entry.key, key))
			return true;
	return false;
}

int apibuild_prune(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct buildprune_list before, after;
	struct strs filters, gone = {0};
	struct store *store;
	uint64_t freed = 0;
	int64_t keep = 0;
	int r = apicall_number(c, "keep-storage", 0, INT64_MAX, &keep, e);

	if (r == 0)
		r = apicall_filters(c, &filters, e);
	if (r == 0 && filters.n)
		return err_set(e, ERR_UNSUPPORTED,
			       "filter '%.60s' of build/prune is not possible: keep-storage is",
			       filters.v[0]);
	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r == 0)
		r = buildprune_look(store, c->a, &before, e);
	if (r == 0)
		r = buildprune_run(store, &(struct buildprune_opts){.keep = (uint64_t)keep}, &freed,
				   e);
	if (r >= 0)
		r = buildprune_look(store, c->a, &after, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < before.n; i++)
		if (!has(&after, before.v[i].entry.key))
			arena_strs_add(c->a, &gone, before.v[i].entry.key);
	buf_puts(&b, "{");
	members_list(&w, "CachesDeleted", &gone, "[]");
	members_num(&w, "SpaceReclaimed", (int64_t)freed);
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}

int apibuild_usage(struct apicall *c, struct members *w, struct err *e)
{
	struct buildprune_list all;
	struct store *store;
	int r = session_store(c->s, &store, e);

	if (r == 0)
		r = buildprune_look(store, c->a, &all, e);
	if (r < 0)
		return r;
	members_array(w, "BuildCache");
	for (size_t i = 0; i < all.n; i++) {
		const struct buildcache_entry *v = &all.v[i].entry;

		members_item(w);
		members_str(w, "ID", v->key);
		members_str(w, "Type", "regular");
		members_str(w, "Description", v->step);
		members_yes(w, "InUse", false);
		members_yes(w, "Shared", all.v[i].shared);
		members_num(w, "Size", (int64_t)all.v[i].bytes);
		members_stamp(w, "CreatedAt", v->created_ns);
		members_stamp(w, "LastUsedAt", v->used_ns);
		members_close(w);
	}
	members_end(w);
	return 0;
}
