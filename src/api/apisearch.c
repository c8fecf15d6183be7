/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiauth.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "engine/members.h"
#include "engine/registry_search.h"
#include "engine/session.h"

/* What strangers wrote is passed on as it is: JSON escapes it, and the client prints it. */
static void answer(const struct fetch_founds *l, struct buf *b)
{
	struct members w = {.b = b};

	buf_puts(b, "[");
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(b, i ? ",{" : "{");
		w.comma = false;
		members_num(&w, "star_count", l->v[i].stars);
		members_yes(&w, "is_official", l->v[i].official);
		members_str(&w, "name", l->v[i].name);
		members_yes(&w, "is_automated", l->v[i].automated);
		members_str(&w, "description", l->v[i].description);
		buf_puts(b, "}");
	}
	buf_puts(b, "]\n");
}

int apisearch_run(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct registry_search_opts o = {.term = apicall_query(c, "term")};
	struct fetch_founds found;
	struct store *store;
	const char *image;
	int r = apicall_number(c, "limit", INT32_MIN, INT32_MAX, &o.limit, e);

	if (r == 0 && !o.term)
		r = err_set(e, ERR_USAGE, "parameter 'term' is missing");
	if (r == 0)
		r = apicall_filters(c, &o.filters, e);
	if (r == 0)
		r = registry_search_place(o.term, c->a, &image, e);
	if (r == 0)
		r = apiauth_take(c, image, e);
	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r >= 0)
		r = registry_search_run(store, &o, c->a, &found, e);
	if (r < 0)
		return r;
	answer(&found, &b);
	return apicall_json(c, 200, &b, e);
}
