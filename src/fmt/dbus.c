/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dbus.h"
#include "base/buf.h"
#include "base/err.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define HEADER 16 /* the fixed part, with the length of the field array */

enum field {
	F_PATH = 1,
	F_INTERFACE,
	F_MEMBER,
	F_ERROR,
	F_REPLY_SERIAL,
	F_DESTINATION,
	F_SENDER,
	F_SIGNATURE,
};

/* ---- writing ---- */

void dbus_align(struct buf *b, size_t n)
{
	static const char zeros[8];

	buf_add(b, zeros, (n - b->len % n) % n);
}

void dbus_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void dbus_u32(struct buf *b, uint32_t v)
{
	uint32_t le = htole32(v);

	dbus_align(b, 4);
	buf_add(b, &le, 4);
}

void dbus_u64(struct buf *b, uint64_t v)
{
	uint64_t le = htole64(v);

	dbus_align(b, 8);
	buf_add(b, &le, 8);
}

void dbus_bool(struct buf *b, bool v)
{
	dbus_u32(b, v);
}

void dbus_string(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	dbus_u32(b, (uint32_t)n);
	buf_add(b, s, n + 1);
}

void dbus_signature(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	dbus_u8(b, (uint8_t)n);
	buf_add(b, s, n + 1);
}

size_t dbus_array(struct buf *b, size_t n)
{
	size_t at;

	dbus_u32(b, 0);
	at = b->len;
	/* The padding before the first element does not count; an empty array has it, too. */
	dbus_align(b, n);
	return at;
}

void dbus_array_end(struct buf *b, size_t at, size_t n)
{
	size_t first = (at + n - 1) / n * n;
	uint32_t le = htole32((uint32_t)(b->len - first));

	if (!b->failed)
		memcpy(b->p + at - 4, &le, 4);
}

static void put_field(struct buf *b, enum field code, const char *type, const char *value)
{
	if (!value || !*value)
		return;
	dbus_align(b, 8);
	dbus_u8(b, (uint8_t)code);
	dbus_signature(b, type);
	if (*type == 'g')
		dbus_signature(b, value);
	else
		dbus_string(b, value);
}

void dbus_call(struct buf *out, uint32_t serial, const struct dbus_target *t, const char *signature,
	       const struct buf *body)
{
	size_t at;

	buf_add(out, "l\1\0\1", 4);
	dbus_u32(out, body ? (uint32_t)body->len : 0);
	dbus_u32(out, serial);
	at = dbus_array(out, 8);
	put_field(out, F_PATH, "o", t->path);
	put_field(out, F_DESTINATION, "s", t->destination);
	put_field(out, F_INTERFACE, "s", t->interface);
	put_field(out, F_MEMBER, "s", t->member);
	put_field(out, F_SIGNATURE, "g", signature);
	dbus_array_end(out, at, 8);
	dbus_align(out, 8);
	if (body)
		buf_add(out, body->p, body->len);
}

/* ---- reading ---- */

static uint32_t load32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return le32toh(v);
}

static size_t round_up(size_t v, size_t n)
{
	return (v + n - 1) / n * n;
}

int64_t dbus_length(const unsigned char *data, size_t have)
{
	uint64_t total;

	if (have < HEADER)
		return 0;
	if (data[0] != 'l' || data[3] != 1)
		return -EBADMSG;
	total = round_up(HEADER + (uint64_t)load32(data + 12), 8) + load32(data + 4);
	return total > DBUS_MESSAGE_MAX ? -EBADMSG : (int64_t)total;
}

/* A string or path at *at of p[0..len): u32 length, bytes, NUL. */
static const char *string_at(const unsigned char *p, size_t len, size_t *at)
{
	size_t a = round_up(*at, 4), n;

	if (a > len || len - a < 5)
		return NULL;
	n = load32(p + a);
	if (n > len - a - 5 || p[a + 4 + n] != '\0' || memchr(p + a + 4, '\0', n))
		return NULL;
	*at = a + 4 + n + 1;
	return (const char *)p + a + 4;
}

static const char *signature_at(const unsigned char *p, size_t len, size_t *at)
{
	size_t a = *at, n;

	if (a >= len)
		return NULL;
	n = p[a];
	if (n + 2 > len - a || p[a + 1 + n] != '\0' || memchr(p + a + 1, '\0', n))
		return NULL;
	*at = a + 1 + n + 1;
	return (const char *)p + a + 1;
}

/* Fields that are not ours have one of the basic types; anything else is refused. */
static bool field_at(const unsigned char *p, size_t len, size_t *at, struct dbus_message *m)
{
	const char **const to[] = {NULL, &m->path,	  &m->interface, &m->member,   &m->error,
				   NULL, &m->destination, &m->sender,	 &m->signature};
	size_t a = round_up(*at, 8);
	const char *type, *s;
	uint8_t code;

	if (a >= len)
		return false;
	code = p[a++];
	type = signature_at(p, len, &a);
	if (!type || type[0] == '\0' || type[1] != '\0')
		return false;
	switch (*type) {
	case 's':
	case 'o':
		s = string_at(p, len, &a);
		break;
	case 'g':
		s = signature_at(p, len, &a);
		break;
	case 'u':
		a = round_up(a, 4);
		if (a > len || len - a < 4)
			return false;
		if (code == F_REPLY_SERIAL)
			m->reply_serial = load32(p + a);
		*at = a + 4;
		return true;
	default:
		return false;
	}
	if (!s)
		return false;
	if (code < sizeof(to) / sizeof(to[0]) && to[code] &&
	    (*type == 'g') == (code == F_SIGNATURE))
		*to[code] = s;
	*at = a;
	return true;
}

int dbus_parse(const unsigned char *data, size_t len, struct dbus_message *out, struct err *e)
{
	struct dbus_message m = {.path = "",
				 .interface = "",
				 .member = "",
				 .error = "",
				 .destination = "",
				 .sender = "",
				 .signature = ""};
	size_t at = HEADER, end;

	if (dbus_length(data, len) != (int64_t)len || len < HEADER)
		return err_set(e, ERR_CORRUPT, "D-Bus: a message of the wrong length");
	m.type = data[1];
	m.serial = load32(data + 8);
	end = HEADER + load32(data + 12);
	if (round_up(end, 8) > len)
		return err_set(e, ERR_CORRUPT, "D-Bus: header fields are longer than the message");
	while (at < end)
		if (!field_at(data, end, &at, &m))
			return err_set(e, ERR_CORRUPT, "D-Bus: a malformed header field");
	m.body = data + round_up(end, 8);
	m.body_len = len - round_up(end, 8);
	*out = m;
	return 0;
}

bool dbus_get_u32(const struct dbus_message *m, size_t *at, uint32_t *v)
{
	size_t a = round_up(*at, 4);

	if (a > m->body_len || m->body_len - a < 4)
		return false;
	*v = load32(m->body + a);
	*at = a + 4;
	return true;
}

bool dbus_get_string(const struct dbus_message *m, size_t *at, const char **s)
{
	const char *found = string_at(m->body, m->body_len, at);

	if (found)
		*s = found;
	return found != NULL;
}
