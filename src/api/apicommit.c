/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "api/apiread.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "build/imageconf.h"
#include "engine/commit.h"

#include <string.h>

/* The body: what of the image's configuration is to be other than the image's; and the query's
 * lines of a Dockerfile, which go before it. */
struct config {
	const char *user, *workdir, *stop_signal;
	struct strs env, cmd, entrypoint, expose, volumes;
	struct jbind_map labels;
};
#define K(member, key, type) JB(struct config, member, key, JBIND_##type)
static const struct jbind_field config_fields[] = {K(user, "User", STR),
						   K(workdir, "WorkingDir", STR),
						   K(stop_signal, "StopSignal", STR),
						   K(env, "Env", STRS),
						   K(cmd, "Cmd", STRS),
						   K(entrypoint, "Entrypoint", STRS),
						   K(expose, "ExposedPorts", KEYS),
						   K(volumes, "Volumes", KEYS),
						   K(labels, "Labels", MAP),
						   JB_END};
#undef K
const struct jbind apicommit_table = {sizeof(struct config), config_fields, false};

struct changes {
	struct config body;
	struct strs lines;
};

/* What is in both is the new one's; what is not is kept. */
static void merge(struct arena *a, struct strs *into, const struct strs *add)
{
	struct strs out = {0};

	for (size_t i = 0; i < into->n; i++) {
		size_t key = strcspn(into->v[i], "=");
		bool replaced = false;

		for (size_t k = 0; k < add->n; k++)
			replaced |= strcspn(add->v[k], "=") == key &&
				    strncmp(add->v[k], into->v[i], key) == 0;
		if (!replaced)
			arena_strs_add(a, &out, into->v[i]);
	}
	for (size_t k = 0; k < add->n; k++)
		arena_strs_add(a, &out, add->v[k]);
	*into = out;
}

static void merge_labels(struct arena *a, struct jbind_map *into, const struct jbind_map *add)
{
	struct jbind_map out = {arena_array(a, into->n + add->n + 1, sizeof(*out.v)), 0};

	for (size_t i = 0; i < into->n; i++)
		if (!jbind_lookup(add, into->v[i].key))
			out.v[out.n++] = into->v[i];
	for (size_t i = 0; i < add->n; i++)
		out.v[out.n++] = add->v[i];
	*into = out;
}

static int change(struct oci_config *c, struct arena *a, void *arg, struct err *e)
{
	const struct changes *ch = arg;
	const struct config *b = &ch->body;
	struct oci_process *p = &c->config;
	int r = imageconf_changes(c, &ch->lines, a, e);

	if (r < 0)
		return r;
	if (b->user && *b->user)
		p->user = b->user;
	if (b->workdir && *b->workdir)
		p->working_dir = b->workdir;
	if (b->stop_signal && *b->stop_signal)
		p->stop_signal = b->stop_signal;
	if (b->cmd.n)
		p->cmd = b->cmd;
	if (b->entrypoint.n)
		p->entrypoint = b->entrypoint;
	merge(a, &p->env, &b->env);
	merge(a, &p->exposed_ports, &b->expose);
	merge(a, &p->volumes, &b->volumes);
	merge_labels(a, &p->labels, &b->labels);
	return 0;
}

/* "null" is a body that says nothing. */
static int read_body(struct apicall *c, struct config *out, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX);
	auto_json struct json *j = NULL;
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apiread_parse(body.p, body.len, &j, e);
	return r < 0 ? r : apiread_table(&apicommit_table, j, out, c->a, "", e);
}

int apicommit_run(struct apicall *c, struct err *e)
{
	const char *repo = apicall_query(c, "repo"), *tag = apicall_query(c, "tag"), *id = NULL;
	auto_buf struct buf b = BUF_INIT(4096);
	struct changes ch = {0};
	struct commit_opts o = {.instance = apicall_query(c, "container"),
				.ref = repo && tag ? arena_printf(c->a, "%s:%s", repo, tag) : repo,
				.author = apicall_query(c, "author"),
				.message = apicall_query(c, "comment"),
				.codec = "gzip",
				.pause = !apicall_query(c, "pause") || apicall_yes(c, "pause"),
				.change = change,
				.arg = &ch};
	struct strs said = {0};
	int r = o.instance ? 0 : err_set(e, ERR_USAGE, "parameter 'container' is missing");

	http_request_queries(&c->x->request, "changes", c->a, &said);
	for (size_t i = 0; i < said.n; i++)
		for (const char *p = said.v[i]; *p; p += strcspn(p, "\n"), p += *p == '\n')
			if (*p != '\n')
				arena_strs_add(c->a, &ch.lines,
					       arena_dupn(c->a, p, strcspn(p, "\n")));
	if (r == 0)
		r = read_body(c, &ch.body, e);
	if (r == 0)
		r = commit_run(c->s, &o, c->a, &id, e);
	if (r < 0)
		return r;
	buf_printf(&b, "{\"Id\":\"%s\"}\n", id);
	return apicall_json(c, 201, &b, e);
}
