/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - a JSON document from somebody else, read strictly, and text of ours written onto a buf.
 *
 * Reading: json-c in strict mode, with a depth limit and RFC 8259's tokens; anything after the
 * value, an invalid UTF-8 byte, a NUL (even escaped), or a key given twice in one object is an
 * error, because two readers may then disagree about what the document says (a manifest checked by
 * one and used by another).  Structs are filled by fmt/jbind.h; the getters here are for the few
 * places that look at a single member.
 */
#ifndef FMT_JSON_H
#define FMT_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct json; /* a value; NULL stands for JSON null */

#define JSON_DEPTH_MAX 64

/* Parse exactly one value.  what names the document in errors ("manifest", "config.json").
 * Free the result with json_free().  Errors: ERR_CORRUPT with the byte offset. */
int json_parse(const char *text, size_t len, const char *what, struct json **out, struct err *e);
void json_free(struct json *j);

/* Borrowed; NULL when j is not an object or has no such member. */
struct json *json_member(const struct json *j, const char *key);
bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
size_t json_length(const struct json *j); /* of an array or object; else 0 */
struct json *json_at(const struct json *j, size_t i);
/* The string, or NULL when j is not one (or holds a NUL byte, which no C string can carry). */
const char *json_string(const struct json *j);
/* Whether j is the word true. */
bool json_true(const struct json *j);
/* Whether j is a number; then *out. */
bool json_number(const struct json *j, double *out);
/* Call fn for every member of an object until it returns < 0; that is returned. */
int json_each(const struct json *j, int (*fn)(const char *key, struct json *value, void *arg),
	      void *arg);
/* Compact text of any value. */
void json_dump(const struct json *j, struct buf *out);

/* A quoted, escaped JSON string.  NULL writes null.  Bytes that are not UTF-8 become U+FFFD, since
 * a document that holds them could not be read back. */
void json_quote(struct buf *out, const char *s);

#define auto_json __attribute__((cleanup(json_free_ptr)))
static inline void json_free_ptr(struct json **j)
{
	json_free(*j);
}

#endif
