/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/journal_export.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/timestamp.h"
#include "fmt/utf8.h"

#include <endian.h>
#include <string.h>

struct field {
	const char *name, *value;
	size_t name_len, len;
};

/* 1: a field; 0: not whole yet; 2: the end of the entry. */
static int next_field(const char *p, size_t n, struct field *f, size_t *used, struct err *e)
{
	const char *nl = memchr(p, '\n', n), *eq;
	uint64_t len;
	size_t line;

	if (!nl)
		return 0;
	line = (size_t)(nl - p);
	*used = line + 1;
	if (!line)
		return 2;
	eq = memchr(p, '=', line);
	if (eq == p)
		return err_set(e, ERR_CORRUPT, "journal: a field without a name");
	if (eq) {
		*f = (struct field){p, eq + 1, (size_t)(eq - p), line - (size_t)(eq - p) - 1};
		return 1;
	}
	if (n - *used < sizeof(len))
		return 0;
	memcpy(&len, p + *used, sizeof(len));
	len = le64toh(len);
	*used += sizeof(len);
	if (len > JOURNAL_EXPORT_ENTRY_MAX)
		return err_set(e, ERR_LIMIT, "journal: a field of more than %u bytes",
			       JOURNAL_EXPORT_ENTRY_MAX);
	if (n - *used <= len)
		return 0;
	*f = (struct field){p, p + *used, line, (size_t)len};
	*used += (size_t)len + 1;
	return p[*used - 1] == '\n' ? 1
				    : err_set(e, ERR_CORRUPT, "journal: a field without its end");
}

static bool is(const struct field *f, const char *name)
{
	return f->name_len == strlen(name) && memcmp(f->name, name, f->name_len) == 0;
}

static bool begins(const struct field *f, const char *with)
{
	return f->name_len >= strlen(with) && memcmp(f->name, with, strlen(with)) == 0;
}

/* Small numbers and times: as a string.  False: too long to be one. */
static bool text(const struct field *f, char *out, size_t size)
{
	if (f->len >= size || memchr(f->value, '\0', f->len))
		return false;
	memcpy(out, f->value, f->len);
	out[f->len] = '\0';
	return true;
}

static void attribute(const struct field *f, struct buf *attrs)
{
	static const char *const known[] = {"_",	"CONTAINER_", "SYSLOG_",
					    "PRIORITY", "MESSAGE",    "IMAGE_NAME"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (begins(f, known[i]))
			return;
	buf_puts(attrs, attrs->len ? ",\"" : "{\"");
	utf8_json(attrs, f->name, f->name_len);
	buf_puts(attrs, "\":\"");
	utf8_json(attrs, f->value, f->len);
	buf_puts(attrs, "\"");
}

static void tag(const struct field *f, struct buf *attrs)
{
	const struct field named = {"tag", f->value, 3, f->len};

	attribute(&named, attrs);
}

struct times {
	int64_t written, received; /* 0: not said */
};

static void take(const struct field *f, struct journal_entry *out, struct times *t,
		 struct buf *attrs)
{
	char v[64];

	if (is(f, "MESSAGE")) {
		out->message = f->value;
		out->message_len = f->len;
	} else if (is(f, "__CURSOR")) {
		out->cursor = f->value;
		out->cursor_len = f->len;
	} else if (is(f, "PRIORITY")) {
		out->err = f->len == 1 && f->value[0] >= '0' && f->value[0] <= '3';
	} else if (is(f, "CONTAINER_PARTIAL_MESSAGE")) {
		out->partial = f->len == 4 && memcmp(f->value, "true", 4) == 0;
	} else if (is(f, "SYSLOG_TIMESTAMP")) {
		if (!text(f, v, sizeof(v)) || !timestamp_parse(v, &t->written))
			t->written = 0;
	} else if (is(f, "__REALTIME_TIMESTAMP")) {
		for (size_t i = 0; i < f->len && i < 16 && f->value[i] >= '0' && f->value[i] <= '9';
		     i++)
			t->received = t->received * 10 + (f->value[i] - '0');
		t->received = t->received <= INT64_MAX / 1000 ? t->received * 1000 : 0;
	} else if (attrs && is(f, "CONTAINER_TAG")) {
		tag(f, attrs);
	} else if (attrs) {
		attribute(f, attrs);
	}
}

int journal_export_next(const char *p, size_t n, struct journal_entry *out, struct buf *attrs,
			size_t *used, struct err *e)
{
	struct journal_entry entry = {0};
	struct times t = {0};
	size_t at = 0, one;
	int r;

	if (attrs)
		attrs->len = 0;
	for (;;) {
		struct field f;

		r = next_field(p + at, n - at, &f, &one, e);
		if (r <= 0)
			break;
		at += one;
		if (r == 2)
			break;
		take(&f, &entry, &t, attrs);
	}
	if (r == 0 && n > JOURNAL_EXPORT_ENTRY_MAX)
		return err_set(e, ERR_LIMIT, "journal: an entry of more than %u bytes",
			       JOURNAL_EXPORT_ENTRY_MAX);
	if (r <= 0)
		return r;
	if (attrs && attrs->len)
		buf_puts(attrs, "}");
	entry.ns = t.written ? t.written : t.received;
	*out = entry;
	*used = at;
	return 1;
}
