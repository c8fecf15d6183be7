/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/http_request.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* RFC 9110: token. */
#define TOKEN	   "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define METHOD_MAX 32

/* A line of the head, without its CRLF. */
struct line {
	const char *p;
	size_t len;
};

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_USAGE, "the request's %s is malformed", what);
}

/* The length of the head with its empty line; 0 when that did not come yet. */
static size_t head_length(const char *p, size_t len)
{
	const char *end = memmem(p, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - p) + 4 : 0;
}

/* Cut the next line off; a CR or LF elsewhere, or a NUL, is nothing we read. */
static int next_line(struct line *rest, struct line *out, struct err *e)
{
	const char *end = memmem(rest->p, rest->len, "\r\n", 2);
	size_t n = (size_t)(end - rest->p);

	if (memchr(rest->p, '\r', n) || memchr(rest->p, '\n', n) || memchr(rest->p, '\0', n))
		return malformed(e, "head");
	*out = (struct line){rest->p, n};
	*rest = (struct line){end + 2, rest->len - n - 2};
	return 0;
}

/* ---- the request line ---- */

static int parse_version(const char *p, size_t len, struct http_request *out, struct err *e)
{
	if (len != 8 || memcmp(p, "HTTP/", 5) != 0 || !isdigit((unsigned char)p[5]) ||
	    p[6] != '.' || !isdigit((unsigned char)p[7]))
		return malformed(e, "first line");
	if (p[5] != '1')
		return err_set(e, ERR_UNSUPPORTED, "only HTTP/1.1 is spoken here");
	out->minor = p[7] == '0' ? 0 : 1;
	return 0;
}

/* "/path?query", or "http://host/path?query" as sent to a proxy; the host is Host's to say. */
static int parse_target(const char *p, size_t len, struct arena *a, struct http_request *out,
			struct err *e)
{
	const char *q;
	char *t;

	if (len > HTTP_REQUEST_TARGET_MAX)
		return err_set(e, ERR_LIMIT, "the request's target has more than %u bytes",
			       HTTP_REQUEST_TARGET_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f || p[i] == '#')
			return malformed(e, "target");
	t = arena_dupn(a, p, len);
	if (strncasecmp(t, "http://", 7) == 0) {
		t += 7 + strcspn(t + 7, "/?");
		if (*t == '?')
			return malformed(e, "target");
		t = *t ? t : arena_dup(a, "/");
	}
	if (*t != '/')
		return malformed(e, "target");
	q = strchr(t, '?');
	out->query = q ? q + 1 : "";
	out->path = q ? arena_dupn(a, t, (size_t)(q - t)) : t;
	return 0;
}

static int parse_first(const struct line *l, struct arena *a, struct http_request *out,
		       struct err *e)
{
	const char *end = l->p + l->len;
	const char *one = memchr(l->p, ' ', l->len);
	const char *two = one ? memchr(one + 1, ' ', (size_t)(end - one - 1)) : NULL;
	int r;

	if (!two)
		return malformed(e, "first line");
	out->method = arena_dupn(a, l->p, (size_t)(one - l->p));
	if (!*out->method || strlen(out->method) > METHOD_MAX ||
	    out->method[strspn(out->method, TOKEN)])
		return malformed(e, "method");
	r = parse_version(two + 1, (size_t)(end - two - 1), out, e);
	return r < 0 ? r : parse_target(one + 1, (size_t)(two - one - 1), a, out, e);
}

/* ---- fields ---- */

static int parse_field(const struct line *l, struct arena *a, struct http_field *out, struct err *e)
{
	const char *colon = memchr(l->p, ':', l->len);
	const char *v, *end = l->p + l->len;

	/* No name, a blank before the colon, or a folded line: all fail as names. */
	out->name = colon ? arena_dupn(a, l->p, (size_t)(colon - l->p)) : "";
	if (!*out->name || out->name[strspn(out->name, TOKEN)])
		return malformed(e, "head");
	for (v = colon + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (const char *c = v; c < end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return malformed(e, "head");
	out->value = arena_dupn(a, v, (size_t)(end - v));
	return 0;
}

static int parse_fields(struct line *rest, struct arena *a, struct http_request *out, struct err *e)
{
	struct line l;
	int r;

	out->fields = arena_array(a, HTTP_REQUEST_FIELDS_MAX, sizeof(*out->fields));
	for (;;) {
		r = next_line(rest, &l, e);
		if (r < 0 || !l.len)
			return r;
		if (out->nfields == HTTP_REQUEST_FIELDS_MAX)
			return err_set(e, ERR_LIMIT, "the request has more than %d header fields",
				       HTTP_REQUEST_FIELDS_MAX);
		r = parse_field(&l, a, &out->fields[out->nfields], e);
		if (r < 0)
			return r;
		out->nfields++;
	}
}

static const struct http_field *nth(const struct http_request *r, const char *name, size_t which)
{
	for (size_t i = 0; i < r->nfields; i++)
		if (strcasecmp(r->fields[i].name, name) == 0 && which-- == 0)
			return &r->fields[i];
	return NULL;
}

const char *http_request_field(const struct http_request *r, const char *name)
{
	const struct http_field *f = nth(r, name, 0);

	return f ? f->value : NULL;
}

/* Is the word one of a comma-separated list, in any of the fields of that name? */
static bool lists(const struct http_request *r, const char *name, const char *word)
{
	const struct http_field *f;
	size_t n = strlen(word);

	for (size_t i = 0; (f = nth(r, name, i)); i++)
		for (const char *p = f->value; *p; p += strcspn(p, ",")) {
			p += strspn(p, ", \t");
			if (strncasecmp(p, word, n) == 0 && strchr(", \t", p[n]))
				return true;
		}
	return false;
}

/* Digits only, no more than fit: "+1", "1,1" and " 1 1" are how lengths are disputed. */
static int digits(const char *s, uint64_t *out)
{
	uint64_t n = 0;

	if (!*s || strlen(s) > 18)
		return -1;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return -1;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	*out = n;
	return 0;
}

static int parse_framing(struct http_request *r, struct err *e)
{
	const struct http_field *length = nth(r, "Content-Length", 0);
	const struct http_field *coding = nth(r, "Transfer-Encoding", 0);

	if (nth(r, "Content-Length", 1) || nth(r, "Transfer-Encoding", 1) || (length && coding) ||
	    (coding && r->minor == 0))
		return malformed(e, "length");
	if (coding && strcasecmp(coding->value, "chunked") != 0)
		return err_set(e, ERR_UNSUPPORTED, "of transfer encodings only chunked is known");
	if (length && digits(length->value, &r->length) < 0)
		return malformed(e, "length");
	r->body = coding		? HTTP_BODY_CHUNKED
		  : length && r->length ? HTTP_BODY_LENGTH
					: HTTP_BODY_NONE;
	return 0;
}

static int parse_connection(struct http_request *r, struct err *e)
{
	const char *expect = http_request_field(r, "Expect");

	if (nth(r, "Host", 1) || (r->minor >= 1 && !nth(r, "Host", 0)))
		return err_set(e, ERR_USAGE, "the request does not have one Host");
	r->host = http_request_field(r, "Host");
	r->keep_alive =
	    r->minor >= 1 ? !lists(r, "Connection", "close") : lists(r, "Connection", "keep-alive");
	r->upgrade = r->minor >= 1 && lists(r, "Connection", "upgrade")
			 ? http_request_field(r, "Upgrade")
			 : NULL;
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return err_set(e, ERR_UNSUPPORTED, "the request expects what is not known here");
	r->expect_continue = expect && r->minor >= 1;
	return 0;
}

ssize_t http_request_parse(const char *p, size_t len, struct arena *a, struct http_request *out,
			   struct err *e)
{
	size_t n = head_length(p, len < HTTP_REQUEST_HEAD_MAX ? len : HTTP_REQUEST_HEAD_MAX);
	struct line rest = {p, n}, first;
	struct http_request got = {0};
	int r;

	if (!n && len >= HTTP_REQUEST_HEAD_MAX)
		return err_set(e, ERR_LIMIT, "the request's head has more than %u bytes",
			       HTTP_REQUEST_HEAD_MAX);
	/* Who speaks TLS waits for an answer to its first record: it is told at once. */
	if (len && (!p[0] || !strchr(TOKEN, p[0])))
		return malformed(e, "method");
	if (!n)
		return 0;
	r = next_line(&rest, &first, e);
	if (r >= 0)
		r = parse_first(&first, a, &got, e);
	if (r >= 0)
		r = parse_fields(&rest, a, &got, e);
	if (r >= 0)
		r = parse_framing(&got, e);
	if (r >= 0)
		r = parse_connection(&got, e);
	if (r < 0)
		return r;
	*out = got;
	return (ssize_t)n;
}

/* ---- what is in a target ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *http_request_decode(const char *s, size_t len, bool query, struct arena *a)
{
	char *out = arena_alloc(a, len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int hi, lo;

		if (s[i] != '%') {
			out[n++] = query && s[i] == '+' ? ' ' : s[i];
			continue;
		}
		hi = len - i > 2 ? hex(s[i + 1]) : -1;
		lo = len - i > 2 ? hex(s[i + 2]) : -1;
		if (hi < 0 || lo < 0 || !(hi | lo))
			return NULL;
		out[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	out[n] = '\0';
	return out;
}

/* The next "name=value" of a query from *p on; false at its end. */
static bool next_pair(const char **p, struct arena *a, const char **name, const char **value)
{
	size_t n, eq;
	const char *at = *p;

	if (!*at)
		return false;
	n = strcspn(at, "&");
	eq = strcspn(at, "=&");
	*name = http_request_decode(at, eq, true, a);
	*value = eq < n ? http_request_decode(at + eq + 1, n - eq - 1, true, a) : "";
	*p = at + n + (at[n] == '&');
	return true;
}

void http_request_queries(const struct http_request *r, const char *name, struct arena *a,
			  struct strs *out)
{
	const char *p = r->query, *key, *value;

	*out = (struct strs){0};
	while (next_pair(&p, a, &key, &value))
		if (key && value && streq(key, name))
			arena_strs_add(a, out, value);
}

const char *http_request_query(const struct http_request *r, const char *name, struct arena *a)
{
	struct strs all;

	http_request_queries(r, name, a, &all);
	return all.n ? all.v[0] : NULL;
}

enum http_range http_request_range(const struct http_request *r, uint64_t size, uint64_t *first,
				   uint64_t *last)
{
	const char *v = http_request_field(r, "Range"), *dash;
	char from[24] = "", to[24] = "";
	uint64_t a = 0, b = 0;

	v = v ? str_after(v, "bytes=") : NULL;
	dash = v ? strchr(v, '-') : NULL;
	if (!dash || (size_t)(dash - v) >= sizeof(from) || strlen(dash + 1) >= sizeof(to))
		return HTTP_RANGE_NONE;
	memcpy(from, v, (size_t)(dash - v));
	memcpy(to, dash + 1, strlen(dash + 1));
	if ((*from && digits(from, &a) < 0) || (*to && digits(to, &b) < 0) || (!*from && !*to))
		return HTTP_RANGE_NONE;
	if (!*from) { /* the last b bytes */
		a = b < size ? size - b : 0;
		if (!b || !size)
			return HTTP_RANGE_BEYOND;
		b = size - 1;
	} else if (!*to || b >= size) {
		if (*to && b < a)
			return HTTP_RANGE_NONE;
		b = size ? size - 1 : 0;
	}
	if (a >= size)
		return HTTP_RANGE_BEYOND;
	if (b < a)
		return HTTP_RANGE_NONE;
	*first = a;
	*last = b;
	return HTTP_RANGE_PART;
}
