/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/storecheck.h"
#include "base/arena.h"
#include "base/err.h"
#include "engine/image_pull.h"
#include "engine/session.h"
#include "fmt/reference.h"
#include "store/image.h"

struct check {
	struct store *store;
	void (*tell)(int kind, const char *line, void *arg);
	void *arg;
};

static void pass_on(int kind, const char *line, void *arg)
{
	struct check *c = arg;

	c->tell(kind, line, c->arg);
}

/* From the registry that the name stands for, by the digest that the name stood for; recorded under
 * the same name.  An image that came another way is not found there. */
static bool pull_again(const struct image_record *rec, void *arg)
{
	struct check *c = arg;
	auto_arena struct arena a = ARENA_INIT;
	struct image_pull_opts o = {.platform = rec->platform};
	struct image_pulled pulled;
	struct err why = ERR_INIT;
	struct reference ref;
	int r = reference_parse(rec->name, &a, &ref, &why);

	if (r >= 0 && !ref.digest)
		o.as = rec->name;
	if (r >= 0)
		r = image_pull_run(c->store,
				   arena_printf(&a, "%s/%s@%s", ref.domain, ref.path,
						rec->source ? rec->source : rec->manifest),
				   &o, &a, &pulled, &why);
	if (r < 0)
		c->tell(AUDIT_NOTE, arena_printf(&a, "pulling it again: %s", why.msg), c->arg);
	return r >= 0;
}

int storecheck_run(struct session *s, bool repair,
		   void (*tell)(int kind, const char *line, void *arg), void *arg,
		   struct audit_result *out, struct err *e)
{
	struct check c = {.tell = tell, .arg = arg};
	struct audit_opts o = {.repair = repair, .tell = pass_on, .again = pull_again, .arg = &c};
	int r = session_store(s, &c.store, e);

	return r < 0 ? r : audit_run(c.store, &o, out, e);
}
