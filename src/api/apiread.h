/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apiread - JSON that a client sent, into structs of ours by table.
 *
 * A member that is in no table is refused by name, at every depth, unless it says nothing (null,
 * false, 0, "", or only such inside): clients send every member they know.
 * Errors: ERR_USAGE malformed, ERR_UNSUPPORTED what is not possible here.
 */
#ifndef API_APIREAD_H
#define API_APIREAD_H

#include "fmt/jbind.h"
#include "fmt/json.h"

struct arena;
struct err;
struct strs;

bool apiread_nothing(const struct json *j);

int apiread_parse(const char *text, size_t len, struct json **out, struct err *e);
/* j by t; null members count as absent.  where: "" or "HostConfig.", before a member's name. */
int apiread_table(const struct jbind *t, struct json *j, void *out, struct arena *a,
		  const char *where, struct err *e);
/* Both: a whole body. */
int apiread_body(const struct jbind *t, const char *text, size_t len, void *out, struct arena *a,
		 struct err *e);
/* Each member of an object that was kept as text (JBIND_RAW); NULL and null have none. */
int apiread_each(const char *json, const char *what,
		 int (*fn)(const char *key, struct json *v, void *arg), void *arg, struct err *e);
/* KEY=VALUE each. */
void apiread_pairs(const struct jbind_map *m, struct arena *a, struct strs *out);

#endif
