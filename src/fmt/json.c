/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/json.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

/* struct json is json-c's object under a name of ours, so that no other file includes json-c. */
static struct json_object *jo(const struct json *j)
{
	union {
		const struct json *in;
		struct json_object *out;
	} u = {.in = j};

	return u.out;
}

static size_t count_members(struct json_object *o)
{
	size_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, val)
		{
			(void)key;
			n += 1 + count_members(val);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
	}
	return n;
}

/* Every member has one ':' outside strings.  json-c keeps the last of equal keys, so a document in
 * which a key is given twice has more of them than members that were kept. */
static size_t count_colons(const char *s, size_t len)
{
	bool in_string = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			in_string = !in_string;
		else if (!in_string && s[i] == ':')
			n++;
	}
	return n;
}

int json_parse(const char *text, size_t len, const char *what, struct json **out, struct err *e)
{
	struct json_tokener *t;
	struct json_object *o;
	enum json_tokener_error why;
	size_t end;

	if (len > INT_MAX)
		return err_set(e, ERR_LIMIT, "%s is larger than %d bytes", what, INT_MAX);
	t = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!t)
		abort();
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(t, text, (int)len);
	/* A bare number or literal ends only where the text does. */
	if (json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, "", -1);
	why = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (why != json_tokener_success)
		return err_set(e, ERR_CORRUPT, "%s is not JSON: %s at byte %zu", what,
			       json_tokener_error_desc(why), end);
	end = end < len ? end + strspn(text + end, " \t\r\n") : len;
	if (end < len) {
		json_object_put(o);
		return err_set(e, ERR_CORRUPT, "%s: text after the JSON value at byte %zu", what,
			       end);
	}
	if (count_members(o) != count_colons(text, len)) {
		json_object_put(o);
		return err_set(e, ERR_CORRUPT, "%s gives a key twice in one object", what);
	}
	*out = (struct json *)o;
	return 0;
}

void json_free(struct json *j)
{
	if (j)
		json_object_put(jo(j));
}

struct json *json_member(const struct json *j, const char *key)
{
	struct json_object *v = NULL;

	if (json_is_object(j))
		json_object_object_get_ex(jo(j), key, &v);
	return (struct json *)v;
}

bool json_is_object(const struct json *j)
{
	return json_object_is_type(jo(j), json_type_object);
}

bool json_is_array(const struct json *j)
{
	return json_object_is_type(jo(j), json_type_array);
}

size_t json_length(const struct json *j)
{
	if (json_is_array(j))
		return json_object_array_length(jo(j));
	return json_is_object(j) ? (size_t)json_object_object_length(jo(j)) : 0;
}

struct json *json_at(const struct json *j, size_t i)
{
	if (!json_is_array(j))
		return NULL;
	return (struct json *)json_object_array_get_idx(jo(j), i);
}

const char *json_string(const struct json *j)
{
	const char *s;

	if (!json_object_is_type(jo(j), json_type_string))
		return NULL;
	s = json_object_get_string(jo(j));
	return strlen(s) == (size_t)json_object_get_string_len(jo(j)) ? s : NULL;
}

int json_each(const struct json *j, int (*fn)(const char *key, struct json *value, void *arg),
	      void *arg)
{
	if (!json_is_object(j))
		return 0;
	json_object_object_foreach(jo(j), key, val)
	{
		int r = fn(key, (struct json *)val, arg);

		if (r < 0)
			return r;
	}
	return 0;
}

void json_dump(const struct json *j, struct buf *out)
{
	if (!j)
		buf_puts(out, "null");
	else
		buf_puts(out, json_object_to_json_string_ext(
				  jo(j), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

void json_quote(struct buf *out, const char *s)
{
	const char *from;

	if (!s) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "\"");
	for (from = s; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buf_add(out, from, (size_t)(s - from));
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_printf(out, "\\u%04x", c);
		from = s + 1;
	}
	buf_add(out, from, (size_t)(s - from));
	buf_puts(out, "\"");
}
