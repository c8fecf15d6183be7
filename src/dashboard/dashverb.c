/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboard/dashverb.h"
#include "api/apianswer.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "engine/clone.h"
#include "engine/members.h"
#include "engine/snapshot_ctl.h"
#include "engine/snapshot_take.h"
#include "httpd/exchange.h"

#include <string.h>

#define ANSWER_MAX (64u << 10)

static int clone(struct session *s, const char *name, struct arena *a, struct members *w,
		 struct err *e)
{
	struct clone_request q = {.source = name, .count = 1, .memory = SNAPSHOT_MEMORY_AUTO};
	struct strs names = {0};
	int r = clone_run(s, &q, a, &names, e);

	members_list(w, "names", &names, "[]");
	return r;
}

static int snapshot(struct session *s, const char *name, struct arena *a, struct members *w,
		    struct err *e)
{
	struct snapshot_create c = {.instance = name, .memory = SNAPSHOT_MEMORY_AUTO};
	const char *made = NULL;
	int64_t pause_ns;
	int r = snapshot_ctl_create(s, &c, a, &made, &pause_ns, e);

	members_str(w, "name", made);
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct session *s, const char *name, struct arena *a, struct members *w,
		   struct err *e);
} verbs[] = {
    {"/clone", clone},
    {"/snapshot", snapshot},
};

int dashverb(struct session *s, struct exchange *x, const char *path, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(ANSWER_MAX);
	const char *name = str_after(path, "/instances/"), *slash = name ? strchr(name, '/') : NULL;
	struct members w = {.b = &b};
	size_t i = 0;
	int r;

	while (slash && i < sizeof(verbs) / sizeof(*verbs) && !streq(slash, verbs[i].name))
		i++;
	name = slash ? http_request_decode(name, (size_t)(slash - name), false, &x->arena) : NULL;
	if (!name || !*name || i == sizeof(verbs) / sizeof(*verbs))
		return apianswer_refuse(x, 404, "page not found", e);
	if (!streq(x->request.method, "POST"))
		return apianswer_refuse(x, 405, "method not allowed", e);
	buf_puts(&b, "{");
	r = verbs[i].run(s, name, &x->arena, &w, e);
	buf_puts(&b, "}\n");
	if (r == 0)
		r = buf_fail(&b, "answer", e);
	return r < 0 ? r : exchange_send(x, 201, "application/json", b.p, b.len, e);
}
