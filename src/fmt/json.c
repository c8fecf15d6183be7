/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/json.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/utf8.h"

#include <ctype.h>
#include <errno.h>
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

/* The number of bytes of the number at s, or 0 if it is none as RFC 8259 has them. */
static size_t number_len(const char *s, size_t len)
{
	size_t i = len && s[0] == '-', first = i, digits;

	while (i < len && isdigit((unsigned char)s[i]))
		i++;
	if (i == first || (s[first] == '0' && i > first + 1))
		return 0;
	if (i < len && s[i] == '.') {
		digits = ++i;
		while (i < len && isdigit((unsigned char)s[i]))
			i++;
		if (i == digits)
			return 0;
	}
	if (i < len && (s[i] == 'e' || s[i] == 'E')) {
		i += 1 + (i + 1 < len && (s[i + 1] == '+' || s[i + 1] == '-'));
		digits = i;
		while (i < len && isdigit((unsigned char)s[i]))
			i++;
		if (i == digits)
			return 0;
	}
	return i;
}

/* The number of bytes of the string at s, quotes included, or 0 if it is none.  A NUL, even written
 * as an escape, is refused: json-c cuts member names there. */
static size_t string_len(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 1; i < len; i += n) {
		n = utf8_sequence(s + i, len - i);
		if (s[i] == '"')
			return i + 1;
		if (!n || (unsigned char)s[i] < 0x20)
			return 0;
		if (s[i] != '\\')
			continue;
		n = 2;
		if (len - i < 2 || !s[i + 1] || !strchr("\"\\/bfnrtu", s[i + 1]) ||
		    (len - i > 5 && memcmp(s + i + 1, "u0000", 5) == 0))
			return 0;
	}
	return 0;
}

static size_t token_len(const char *s, size_t len)
{
	static const char *const literals[] = {"true", "false", "null"};

	if (*s && strchr("{}[],: \t\r\n", *s))
		return 1;
	if (*s == '"')
		return string_len(s, len);
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(literals[i]);

		if (len >= n && memcmp(s, literals[i], n) == 0)
			return n;
	}
	return number_len(s, len);
}

/* json-c decides what the tokens mean together; that they are tokens of RFC 8259 is looked at here,
 * because its strict mode still takes NaN, single quotes, leading zeros and overlong UTF-8.  Also
 * counts the members: each has one ':' outside strings, and json-c keeps only the last of equal
 * keys, so a document in which a key is given twice has more of them than were kept. */
static int check_tokens(const char *s, size_t len, size_t *members, size_t *at)
{
	size_t n;

	*members = 0;
	for (size_t i = 0; i < len; i += n) {
		*at = i;
		*members += s[i] == ':';
		n = token_len(s + i, len - i);
		if (!n)
			return -EBADMSG;
	}
	return 0;
}

int json_parse(const char *text, size_t len, const char *what, struct json **out, struct err *e)
{
	struct json_tokener *t;
	struct json_object *o;
	enum json_tokener_error why;
	size_t end, members;

	if (len > INT_MAX)
		return err_set(e, ERR_LIMIT, "%s is larger than %d bytes", what, INT_MAX);
	if (check_tokens(text, len, &members, &end) < 0)
		return err_set(e, ERR_CORRUPT, "%s is not JSON: unexpected text at byte %zu", what,
			       end);
	t = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!t)
		abort();
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(t, text, (int)len);
	end = json_tokener_get_parse_end(t);
	/* A bare number ends only where the text does. */
	if (json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, "", -1);
	why = json_tokener_get_error(t);
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
	if (count_members(o) != members) {
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

bool json_true(const struct json *j)
{
	return json_object_is_type(jo(j), json_type_boolean) && json_object_get_boolean(jo(j));
}

bool json_number(const struct json *j, double *out)
{
	if (!json_object_is_type(jo(j), json_type_double) &&
	    !json_object_is_type(jo(j), json_type_int))
		return false;
	*out = json_object_get_double(jo(j));
	return true;
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
	if (!s) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "\"");
	utf8_json(out, s, strlen(s));
	buf_puts(out, "\"");
}
