/* SPDX-License-Identifier: Apache-2.0 */
#include "build/imageconf.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/cleanpath.h"
#include "fmt/dockerfile.h"
#include "fmt/json.h"
#include "fmt/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SET_MAX	     4096 /* ports, volumes or labels of one image */
#define COMMENT	     "caisson.dockerfile"

/* Room for one more. */
#define ROOM(a, list) ((list)->v = arena_room(a, (list)->v, (list)->n, sizeof(*(list)->v)))

/* Lists of our own, with the room that growing them counts on: several stages may stand on one
 * base.
 */
static struct strs own(const struct strs *old, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = 0; i < old->n; i++)
		arena_strs_add(a, &out, old->v[i]);
	return out;
}

static void own_lists(struct imageconf *ic)
{
	struct oci_process *p = &ic->c.config;
	struct jbind_map labels = p->labels;
	struct oci_histories history = ic->c.history;

	p->exposed_ports = own(&p->exposed_ports, ic->a);
	p->volumes = own(&p->volumes, ic->a);
	ic->c.rootfs.diff_ids = own(&ic->c.rootfs.diff_ids, ic->a);
	p->labels = (struct jbind_map){0};
	for (size_t i = 0; i < labels.n; i++) {
		ROOM(ic->a, &p->labels);
		p->labels.v[p->labels.n++] = labels.v[i];
	}
	ic->c.history = (struct oci_histories){0};
	for (size_t i = 0; i < history.n; i++) {
		ROOM(ic->a, &ic->c.history);
		ic->c.history.v[ic->c.history.n++] = history.v[i];
	}
}

int imageconf_begin(struct imageconf *ic, const struct oci_config *base, const struct scope *global,
		    struct scope_args *given, char escape, struct arena *a, struct err *e)
{
	*ic = (struct imageconf){.a = a};
	if (base)
		ic->c = *base;
	else
		oci_image_host(&ic->c.platform);
	ic->c.rootfs.type = "layers";
	/* ONBUILD of the base was for this build, and is not handed on. */
	ic->c.config.on_build = (struct strs){0};
	own_lists(ic);
	scope_init(&ic->scope, global, given, escape, a);
	return scope_env_from(&ic->scope, &ic->c.config.env, e);
}

int imageconf_path(struct imageconf *ic, struct err *e)
{
	const char *path[] = {"PATH=" DEFAULT_PATH};

	return scope_get(&ic->scope, "PATH")
		   ? 0
		   : scope_env_from(&ic->scope, &(struct strs){path, 1}, e);
}

void imageconf_record(struct imageconf *ic, const char *created_by, const char *diff_id)
{
	struct oci_histories *h = &ic->c.history;

	ROOM(ic->a, h);
	h->v[h->n++] = (struct oci_history){
	    .created_by = created_by, .comment = COMMENT, .empty_layer = !diff_id};
	if (diff_id)
		arena_strs_add(ic->a, &ic->c.rootfs.diff_ids, diff_id);
}

struct strs imageconf_command(const struct imageconf *ic, const struct dockerfile_instr *in,
			      size_t from)
{
	static const char *const sh[] = {"/bin/sh", "-c"};
	const struct strs *shell = &ic->c.config.shell;
	struct strs out = {0};

	if (!in->json && shell->n)
		for (size_t i = 0; i < shell->n; i++)
			arena_strs_add(ic->a, &out, shell->v[i]);
	else if (!in->json)
		for (size_t i = 0; i < 2; i++)
			arena_strs_add(ic->a, &out, sh[i]);
	for (size_t i = from; i < in->args.n; i++)
		arena_strs_add(ic->a, &out, in->args.v[i]);
	return out;
}

/* ---- sets of words ---- */

/* Add to a set of at most SET_MAX. */
static int add(struct imageconf *ic, struct strs *set, const char *word,
	       const struct dockerfile_instr *in, struct err *e)
{
	for (size_t i = 0; i < set->n; i++)
		if (streq(set->v[i], word))
			return 0;
	if (set->n >= SET_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d in one image",
			       dockerfile_names[in->kind], SET_MAX);
	arena_strs_add(ic->a, set, word);
	return 0;
}

static int port_number(const char *s, const char **end)
{
	char *stop;
	unsigned long v;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	v = strtoul(s, &stop, 10);
	*end = stop;
	return v > 65535 ? -EINVAL : (int)v;
}

/* PORT[-PORT][/PROTO], a number or a whole range of them; the protocol is tcp if none is said. */
static int expose_one(struct imageconf *ic, const struct dockerfile_instr *in, const char *word,
		      struct err *e)
{
	int r = 0;
	const char *end = word, *proto;
	int first = port_number(word, &end), last = first;

	if (first >= 0 && *end == '-')
		last = port_number(end + 1, &end);
	proto = *end == '/' ? end + 1 : "tcp";
	if (first < 0 || last < first || (*end && *end != '/'))
		return err_set(e, ERR_USAGE, "EXPOSE '%s': want PORT[-PORT][/PROTOCOL]", word);
	for (size_t i = 0;; i++) {
		if (!publish_proto_names[i])
			return err_set(e, ERR_USAGE, "EXPOSE '%s': want tcp, udp or sctp", word);
		if (!strcasecmp(publish_proto_names[i], proto)) {
			proto = publish_proto_names[i];
			break;
		}
	}
	for (int port = first; r >= 0 && port <= last; port++)
		r = add(ic, &ic->c.config.exposed_ports, arena_printf(ic->a, "%d/%s", port, proto),
			in, e);
	return r;
}

static int apply_expose(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->args.n; i++) {
		struct strs words = {0};

		r = scope_words(&ic->scope, in->args.v[i], &words, e);
		for (size_t k = 0; r >= 0 && k < words.n; k++)
			r = expose_one(ic, in, words.v[k], e);
	}
	return r;
}

static int apply_volume(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->args.n; i++) {
		const char *path = NULL;

		r = scope_word(&ic->scope, in->args.v[i], &path, e);
		if (r >= 0 && !*path)
			r = err_set(e, ERR_USAGE, "VOLUME '%s' is empty", in->args.v[i]);
		if (r >= 0)
			r = add(ic, &ic->c.config.volumes, path, in, e);
	}
	return r;
}

/* ---- maps and words ---- */

int imageconf_label(struct imageconf *ic, const char *key, const char *value, struct err *e)
{
	struct jbind_map *m = &ic->c.config.labels;

	if (!*key)
		return err_set(e, ERR_USAGE, "a label's key is empty");
	for (size_t i = 0; i < m->n; i++)
		if (streq(m->v[i].key, key)) {
			m->v[i].value = value;
			return 0;
		}
	if (m->n >= SET_MAX)
		return err_set(e, ERR_LIMIT, "LABEL: more than %d in one image", SET_MAX);
	ROOM(ic->a, m);
	m->v[m->n++] = (struct jbind_pair){.key = key, .value = value};
	return 0;
}

static int apply_label(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->pairs_n; i++) {
		const char *key = NULL, *value = NULL;

		r = scope_word(&ic->scope, in->pairs[i].key, &key, e);
		if (r >= 0)
			r = scope_word(&ic->scope, in->pairs[i].value, &value, e);
		if (r >= 0)
			r = imageconf_label(ic, key, value, e);
	}
	return r;
}

static int apply_word(struct imageconf *ic, const struct dockerfile_instr *in, const char **to,
		      struct err *e)
{
	const char *word = NULL;
	int r = scope_word(&ic->scope, in->args.v[0], &word, e);

	if (r < 0)
		return r;
	if (!*word)
		return err_set(e, ERR_USAGE, "%s '%s' is empty once its variables are replaced",
			       dockerfile_names[in->kind], in->args.v[0]);
	*to = word;
	return 0;
}

/* The absolute path that word means beneath from. */
static const char *resolve(struct arena *a, const char *from, const char *word)
{
	const char *text = *word == '/' ? word : arena_printf(a, "%s/%s", from, word);
	char *out = arena_alloc(a, strlen(text) + 2);

	*out = '/';
	cleanpath(text, out + 1);
	return out;
}

int imageconf_workdir(struct imageconf *ic, const struct dockerfile_instr *in, const char **out,
		      struct err *e)
{
	const char *from = ic->c.config.working_dir, *word = NULL;
	int r = apply_word(ic, in, &word, e);

	if (r >= 0)
		*out = resolve(ic->a, from && *from ? from : "/", word);
	return r;
}

/* ---- HEALTHCHECK: the JSON that docker keeps ---- */

static int check_duration(const struct dockerfile_instr *in, const char *flag, const char *member,
			  struct buf *out, struct err *e)
{
	const char *value = dockerfile_flag(in, flag);
	int64_t ns;

	if (!value)
		return 0;
	if (opt_parse_duration(value, &ns) < 0 || ns < 0 || (ns && ns < 1000000))
		return err_set(e, ERR_USAGE,
			       "HEALTHCHECK --%s=%s: want a duration such as 30s, 1ms or more",
			       flag, value);
	buf_printf(out, ",\"%s\":%lld", member, (long long)ns);
	return 0;
}

static int check_retries(const struct dockerfile_instr *in, struct buf *out, struct err *e)
{
	const char *value = dockerfile_flag(in, "retries");
	char *end;
	long n;

	if (!value)
		return 0;
	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || *end || n < 0 || n > 1000000)
		return err_set(e, ERR_USAGE, "HEALTHCHECK --retries=%s: want a number", value);
	buf_printf(out, ",\"Retries\":%ld", n);
	return 0;
}

static void check_test(const struct dockerfile_instr *in, struct buf *out)
{
	bool none = streq(in->args.v[0], "NONE");

	buf_printf(out, "{\"Test\":[\"%s\"", none ? "NONE" : in->json ? "CMD" : "CMD-SHELL");
	for (size_t i = 1; i < in->args.n; i++) {
		buf_puts(out, ",");
		json_quote(out, in->args.v[i]);
	}
	buf_puts(out, "]");
}

static int apply_healthcheck(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(OCI_CONFIG_MAX);
	int r;

	check_test(in, &b);
	r = check_duration(in, "interval", "Interval", &b, e);
	if (r >= 0)
		r = check_duration(in, "timeout", "Timeout", &b, e);
	if (r >= 0)
		r = check_duration(in, "start-period", "StartPeriod", &b, e);
	if (r >= 0)
		r = check_duration(in, "start-interval", "StartInterval", &b, e);
	if (r >= 0)
		r = check_retries(in, &b, e);
	buf_puts(&b, "}");
	if (r >= 0)
		r = buf_fail(&b, "HEALTHCHECK", e);
	if (r >= 0)
		ic->c.config.healthcheck = arena_dupn(ic->a, b.p, b.len);
	return r;
}

/* ---- all of them ---- */

static int apply_command(struct imageconf *ic, const struct dockerfile_instr *in)
{
	struct oci_process *p = &ic->c.config;

	if (in->kind == DOCKERFILE_CMD) {
		p->cmd = in->args.n ? imageconf_command(ic, in, 0) : (struct strs){0};
		ic->cmd_set = true;
		return 0;
	}
	p->entrypoint = in->args.n ? imageconf_command(ic, in, 0) : (struct strs){0};
	if (!ic->cmd_set)
		p->cmd = (struct strs){0};
	return 0;
}

static int apply(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	struct oci_process *p = &ic->c.config;

	switch (in->kind) {
	case DOCKERFILE_ARG:
		return scope_arg(&ic->scope, in, e);
	case DOCKERFILE_ENV:
		return scope_env(&ic->scope, in, e);
	case DOCKERFILE_LABEL:
		return apply_label(ic, in, e);
	case DOCKERFILE_CMD:
	case DOCKERFILE_ENTRYPOINT:
		return apply_command(ic, in);
	case DOCKERFILE_SHELL:
		p->shell = in->args;
		return 0;
	case DOCKERFILE_EXPOSE:
		return apply_expose(ic, in, e);
	case DOCKERFILE_VOLUME:
		return apply_volume(ic, in, e);
	case DOCKERFILE_USER:
		return apply_word(ic, in, &p->user, e);
	case DOCKERFILE_STOPSIGNAL:
		return apply_word(ic, in, &p->stop_signal, e);
	case DOCKERFILE_HEALTHCHECK:
		return apply_healthcheck(ic, in, e);
	case DOCKERFILE_ONBUILD:
		arena_strs_add(ic->a, &p->on_build, in->args.v[0]);
		return 0;
	case DOCKERFILE_MAINTAINER:
		ic->c.author = in->args.v[0];
		return 0;
	case DOCKERFILE_ADD:
	case DOCKERFILE_COPY:
	case DOCKERFILE_FROM:
	case DOCKERFILE_RUN:
	case DOCKERFILE_WORKDIR:
	case DOCKERFILE_KIND_MAX_:
		break;
	}
	return -ENOTSUP;
}

int imageconf_apply(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	int r = apply(ic, in, e);

	if (r >= 0)
		imageconf_record(ic, in->source, NULL);
	return r;
}

void imageconf_finish(struct imageconf *ic, const char *created)
{
	struct oci_process *p = &ic->c.config;

	p->env = scope_environment(&ic->scope);
	if (!p->working_dir)
		p->working_dir = "/";
	ic->c.created = created;
	for (size_t i = 0; i < ic->c.history.n; i++)
		if (!ic->c.history.v[i].created)
			ic->c.history.v[i].created = created;
}

/* ---- commit --change ---- */

static int change(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e)
{
	const char *dir;
	int r;

	if (in->kind == DOCKERFILE_WORKDIR) {
		r = imageconf_workdir(ic, in, &dir, e);
		if (r >= 0)
			ic->c.config.working_dir = dir;
		return r;
	}
	r = imageconf_apply(ic, in, e);
	if (r == -ENOTSUP)
		return err_set(e, ERR_USAGE, "%s makes files, which commit does not",
			       dockerfile_names[in->kind]);
	return r;
}

int imageconf_changes(struct oci_config *c, const struct strs *changes, struct arena *a,
		      struct err *e)
{
	struct scope_args none = {0};
	struct imageconf ic = {0};
	int r = imageconf_begin(&ic, c, NULL, &none, '\\', a, e);

	for (size_t i = 0; r >= 0 && i < changes->n; i++) {
		const char *text = changes->v[i];
		struct dockerfile_instr *in = NULL;

		r = dockerfile_parse_one(text, strlen(text), "--change", a, &in, e);
		if (r >= 0)
			r = change(&ic, in, e);
		if (r < 0)
			return err_wrap(e, r, "'%.100s'", text);
	}
	if (r < 0)
		return r;
	c->config = ic.c.config;
	c->config.env = scope_environment(&ic.scope);
	return 0;
}
