/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "api/apipipe.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/copy.h"
#include "engine/instance_diff.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/request.h"
#include "fmt/base64.h"

#include <string.h>
#include <sys/stat.h>

#define TAR_TYPE "application/x-tar"

int apifile_changes(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct strs all = {0};
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = instance_diff_list(c->s, l.i.id, c->a, &all, e);
	if (r < 0)
		return r;
	buf_puts(&b, all.n ? "[" : "null");
	for (size_t i = 0; i < all.n; i++) {
		const char *v = all.v[i];

		buf_puts(&b, i ? ",{" : "{");
		w.comma = false;
		members_str(&w, "Path", v + 2);
		members_num(&w, "Kind", *v == 'A' ? 1 : *v == 'D' ? 2 : 0);
		buf_puts(&b, "}");
	}
	buf_puts(&b, all.n ? "]\n" : "\n");
	return apicall_json(c, 200, &b, e);
}

static int export(struct apicall *c, int fd, void *arg, struct err *e)
{
	const struct lookup *l = arg;

	return copy_export(c->s, l->i.id, fd, e);
}

int apifile_export(struct apicall *c, struct err *e)
{
	struct lookup l;
	struct apipipe p = {export, &l};
	int r = apicall_instance(c, &l, e);

	return r < 0 ? r : apipipe_out(c, TAR_TYPE, &p, e);
}

/* ---- archives ---- */

struct place {
	struct lookup l;
	const char *path; /* from the root */
};

static int find_place(struct apicall *c, struct place *p, struct err *e)
{
	const char *path = apicall_query(c, "path");

	if (!path)
		return err_set(e, ERR_USAGE, "parameter 'path' is missing");
	p->path = *path == '/' ? path : arena_printf(c->a, "/%s", path);
	return apicall_instance(c, &p->l, e);
}

/* As Go's os.FileMode has it, which clients read: types are bits of their own, from the top. */
static uint32_t go_mode(unsigned int mode)
{
	static const struct {
		unsigned int type;
		uint32_t bits;
	} types[] = {{S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},	{S_IFBLK, 1u << 26},
		     {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}, {S_IFCHR, 1u << 26 | 1u << 21}};
	uint32_t out = mode & 0777;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((mode & S_IFMT) == types[i].type)
			out |= types[i].bits;
	return out | (mode & S_ISUID ? 1u << 23 : 0) | (mode & S_ISGID ? 1u << 22 : 0) |
	       (mode & S_ISVTX ? 1u << 20 : 0);
}

/* The last component, however many slashes are behind. */
static const char *name_of(const char *path, struct arena *a)
{
	size_t end = strlen(path), begin;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/';)
		begin--;
	return begin < end ? arena_dupn(a, path + begin, end - begin) : "/";
}

/* What is at the place, in the answer's head. */
static int say_stat(struct apicall *c, const struct place *p, struct err *e)
{
	auto_buf struct buf json = BUF_INIT(16384), text = BUF_INIT(32768);
	struct members w = {.b = &json};
	struct copy_stat st;
	int r = copy_stat(c->s, p->l.i.id, p->path, c->a, &st, e);

	if (r < 0 && e && e->kind == ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "Could not find the file %.200s in container %s",
			       p->path, c->id);
	if (r < 0)
		return r;
	buf_puts(&json, "{");
	members_str(&w, "name", name_of(p->path, c->a));
	members_num(&w, "size", (int64_t)st.size);
	members_num(&w, "mode", go_mode(st.mode));
	members_stamp(&w, "mtime", st.changed_ns);
	members_str(&w, "linkTarget", st.target);
	buf_puts(&json, "}");
	r = buf_fail(&json, "description of the file", e);
	if (r < 0)
		return r;
	base64_print(&text, json.p, json.len);
	exchange_field(c->x, "X-Docker-Container-Path-Stat", "%s", text.p);
	return 0;
}

int apifile_stat(struct apicall *c, struct err *e)
{
	struct place p;
	int r = find_place(c, &p, e);

	if (r == 0)
		r = say_stat(c, &p, e);
	return r < 0 ? r : exchange_send(c->x, 200, NULL, "", 0, e);
}

static int get(struct apicall *c, int fd, void *arg, struct err *e)
{
	const struct place *p = arg;
	struct copy_end from = {p->l.i.id, p->path, -1}, to = {.fd = fd};
	uint64_t bytes;

	return copy_run(c->s, &from, &to, COPY_ARCHIVE, &bytes, e);
}

int apifile_get(struct apicall *c, struct err *e)
{
	struct place p;
	struct apipipe pipe = {get, &p};
	int r = find_place(c, &p, e);

	if (r == 0)
		r = say_stat(c, &p, e);
	return r < 0 ? r : apipipe_out(c, TAR_TYPE, &pipe, e);
}

static int put(struct apicall *c, int fd, void *arg, struct err *e)
{
	const struct place *p = arg;
	struct copy_end from = {.fd = fd}, to = {p->l.i.id, p->path, -1};
	uint64_t bytes;

	return copy_run(c->s, &from, &to, COPY_ARCHIVE, &bytes, e);
}

/* A user whom the request names or the image: what is put would become his by copyUIDGID. */
static int only_root(struct apicall *c, const struct instance *i, struct err *e)
{
	struct request q = {0};

	jbind_parse(&request_table, i->request, strlen(i->request), &q, c->a, "request", NULL);
	if (!apicall_yes(c, "copyUIDGID") || !q.user || streq(q.user, "root") ||
	    streq(q.user, "0") || streq(q.user, "0:0"))
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "copyUIDGID=1: owners become those of the archive, not the instance's user "
		       "'%.60s'",
		       q.user);
}

static int check_directory(struct apicall *c, const struct place *p, struct err *e)
{
	struct copy_stat st;
	int r = copy_stat(c->s, p->l.i.id, p->path, c->a, &st, e);

	/* A link to a directory is one, when its path ends so. */
	if (r == 0 && S_ISLNK(st.mode))
		r = copy_stat(c->s, p->l.i.id, arena_printf(c->a, "%s/", p->path), c->a, &st, e);
	if (r < 0 && e && e->kind == ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "Could not find the file %.200s in container %s",
			       p->path, c->id);
	if (r == 0 && !S_ISDIR(st.mode))
		return err_set(e, ERR_USAGE, "extraction point is not a directory: %.200s",
			       p->path);
	return r;
}

int apifile_put(struct apicall *c, struct err *e)
{
	struct place p;
	struct apipipe pipe = {put, &p};
	int r = find_place(c, &p, e);

	if (r == 0)
		r = only_root(c, &p.l.i, e);
	if (r == 0)
		r = check_directory(c, &p, e);
	if (r == 0)
		r = apipipe_in(c, &pipe, e);
	return r < 0 ? r : exchange_send(c->x, 200, NULL, "", 0, e);
}
