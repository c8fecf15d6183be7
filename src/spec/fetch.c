/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/fetch.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static const struct jbind_field fields[] = {
    JB(struct fetch_msg, id, "id", JBIND_UINT),
    JB(struct fetch_msg, op, "op", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct fetch_msg, ref, "ref", JBIND_STR),
    JB(struct fetch_msg, from, "from", JBIND_STR),
    JB(struct fetch_msg, how, "how", JBIND_STR),
    JB(struct fetch_msg, user, "user", JBIND_STR),
    JB(struct fetch_msg, secret, "secret", JBIND_STR),
    JB(struct fetch_msg, digest, "digest", JBIND_STR),
    JB(struct fetch_msg, media_type, "mediaType", JBIND_STR),
    JB(struct fetch_msg, have, "have", JBIND_UINT),
    JB(struct fetch_msg, size, "size", JBIND_UINT),
    JB(struct fetch_msg, modified, "modified", JBIND_UINT),
    JB(struct fetch_msg, kind, "kind", JBIND_U32),
    JB(struct fetch_msg, message, "message", JBIND_STR),
    JB_END,
};
static const struct jbind table = {sizeof(struct fetch_msg), fields, true};

static const struct jbind_field item_fields[] = {
    JB(struct fetch_item, name, "name", JBIND_STR),
    JB(struct fetch_item, ref, "ref", JBIND_STR),
    JB_END,
};
static const struct jbind item_table = {sizeof(struct fetch_item), item_fields, true};

static const struct jbind_field list_fields[] = {
    JB(struct fetch_list, images, "images", JBIND_LIST, .sub = &item_table, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind list_table = {sizeof(struct fetch_list), list_fields, true};

static const struct jbind_field found_fields[] = {
    JB(struct fetch_found, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct fetch_found, description, "description", JBIND_STR),
    JB(struct fetch_found, stars, "star_count", JBIND_INT),
    JB(struct fetch_found, official, "is_official", JBIND_BOOL),
    JB(struct fetch_found, automated, "is_automated", JBIND_BOOL),
    JB_END,
};
static const struct jbind found_table = {sizeof(struct fetch_found), found_fields, false};

static const struct jbind_field search_fields[] = {
    JB(struct fetch_search, results, "results", JBIND_LIST, .sub = &found_table,
       .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB_END,
};
static const struct jbind search_table = {sizeof(struct fetch_search), search_fields, false};

int fetch_parse(const char *text, size_t len, struct arena *a, struct fetch_msg *out, struct err *e)
{
	struct fetch_msg m = {0};
	int r = jbind_parse(&table, text, len, &m, a, "fetch packet", e);

	if (r == 0)
		*out = m;
	return r;
}

void fetch_print(const struct fetch_msg *m, struct buf *out)
{
	jbind_write(&table, m, out);
}

int fetch_parse_list(const char *text, size_t len, struct arena *a, struct fetch_list *out,
		     struct err *e)
{
	struct fetch_list l = {0};
	int r = jbind_parse(&list_table, text, len, &l, a, "list of images", e);

	if (r == 0)
		*out = l;
	return r;
}

void fetch_print_list(const struct fetch_list *l, struct buf *out)
{
	jbind_write(&list_table, l, out);
}

int fetch_parse_search(const char *text, size_t len, struct arena *a, struct fetch_search *out,
		       struct err *e)
{
	struct fetch_search l = {0};
	int r = jbind_parse(&search_table, text, len, &l, a, "answer to a search", e);

	if (r == 0)
		*out = l;
	return r;
}

void fetch_print_search(const struct fetch_search *l, struct buf *out)
{
	jbind_write(&search_table, l, out);
}

void fetch_from_err(struct fetch_msg *m, const struct err *e)
{
	m->op = "error";
	m->kind = e->kind;
	m->message = e->msg;
}

int fetch_to_err(const struct fetch_msg *m, struct err *e)
{
	enum err_kind kind =
	    m->kind > ERR_NONE && m->kind < ERR_KIND_MAX_ ? (enum err_kind)m->kind : ERR_SYSTEM;
	struct err got = ERR_INIT;
	int r = err_set(&got, kind, "%s", m->message ? m->message : "no reason given");

	for (char *p = got.msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (e)
		*e = got;
	return r;
}
