/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/members.h"
#include "base/buf.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"

#include <inttypes.h>
#include <string.h>

void members_key(struct members *w, const char *k)
{
	buf_puts(w->b, w->comma ? "," : "");
	json_quote(w->b, k);
	buf_puts(w->b, ":");
	w->comma = true;
}

void members_str(struct members *w, const char *k, const char *v)
{
	members_key(w, k);
	json_quote(w->b, v ? v : "");
}

void members_num(struct members *w, const char *k, int64_t v)
{
	members_key(w, k);
	buf_printf(w->b, "%" PRId64, v);
}

void members_yes(struct members *w, const char *k, bool v)
{
	members_key(w, k);
	buf_puts(w->b, v ? "true" : "false");
}

void members_raw(struct members *w, const char *k, const char *json)
{
	members_key(w, k);
	buf_puts(w->b, json);
}

void members_open(struct members *w, const char *k)
{
	members_key(w, k);
	buf_puts(w->b, "{");
	w->comma = false;
}

void members_close(struct members *w)
{
	buf_puts(w->b, "}");
	w->comma = true;
}

void members_array(struct members *w, const char *k)
{
	members_key(w, k);
	buf_puts(w->b, "[");
	w->comma = false;
}

void members_item(struct members *w)
{
	buf_puts(w->b, w->comma ? ",{" : "{");
	w->comma = false;
}

void members_end(struct members *w)
{
	buf_puts(w->b, "]");
	w->comma = true;
}

void members_list(struct members *w, const char *k, const struct strs *l, const char *empty)
{
	members_key(w, k);
	if (!l->n) {
		buf_puts(w->b, empty);
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(w->b, i ? "," : "[");
		json_quote(w->b, l->v[i]);
	}
	buf_puts(w->b, "]");
}

void members_map(struct members *w, const char *k, const struct strs *l, struct arena *a)
{
	members_open(w, k);
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchrnul(l->v[i], '=');

		members_str(w, arena_dupn(a, l->v[i], (size_t)(eq - l->v[i])), *eq ? eq + 1 : "");
	}
	members_close(w);
}

void members_stamp(struct members *w, const char *k, int64_t ns)
{
	members_key(w, k);
	buf_puts(w->b, "\"");
	if (ns)
		timestamp_print(ns, w->b);
	else
		buf_puts(w->b, "0001-01-01T00:00:00Z");
	buf_puts(w->b, "\"");
}
