/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/dns.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define TEXT_MAX  253 /* 255 bytes with lengths and the root */
/* Of the header's third and fourth byte. */
#define IS_ANSWER	 0x80
#define OPERATION	 0x78
#define RECURSION_WISHED 0x01
#define RECURSION_HAD	 0x80
#define AUTHORITATIVE	 0x04

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static char plain(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return (char)c;
	return '\0';
}

/* The labels at *at; it is moved behind them. */
static int read_name(const uint8_t *p, size_t n, size_t *at, struct dns_question *q)
{
	size_t len = 0;

	q->plain = true;
	for (;;) {
		size_t label;

		if (*at >= n)
			return DNS_BAD_FORMAT;
		label = p[(*at)++];
		if (!label)
			break;
		/* Also refuses a pointer: its upper bits make it too long. */
		if (label > LABEL_MAX || label > n - *at || len + (len > 0) + label > TEXT_MAX)
			return DNS_BAD_FORMAT;
		if (len)
			q->name[len++] = '.';
		for (size_t i = 0; i < label; i++) {
			char c = plain(p[*at + i]);

			q->plain &= c != '\0';
			q->name[len++] = c ? c : '?';
		}
		*at += label;
	}
	q->name[len] = '\0';
	q->plain &= len > 0;
	return 0;
}

int dns_question_read(const uint8_t *p, size_t n, struct dns_question *out)
{
	struct dns_question q = {0};
	size_t at = DNS_HEADER;
	int r;

	if (n < DNS_HEADER || n > DNS_QUESTION_MAX || p[2] & IS_ANSWER)
		return -EBADMSG;
	q.id = get16(p);
	if (p[2] & OPERATION)
		return DNS_NOT_DONE;
	if (get16(p + 4) != 1 || get16(p + 6))
		return DNS_BAD_FORMAT;
	r = read_name(p, n, &at, &q);
	if (r)
		return r;
	if (n - at < 4)
		return DNS_BAD_FORMAT;
	q.type = get16(p + at);
	q.class_ = get16(p + at + 2);
	q.end = at + 4;
	*out = q;
	return 0;
}

static size_t put_name(const char *name, uint8_t *out)
{
	size_t len = 0;

	while (*name) {
		size_t n = strcspn(name, ".");

		if (n > LABEL_MAX || len + n + 2 > DNS_NAME_SIZE)
			break;
		if (n) {
			out[len++] = (uint8_t)n;
			memcpy(out + len, name, n);
			len += n;
		}
		name += n + (name[n] == '.');
	}
	out[len++] = 0;
	return len;
}

static size_t put_record(const struct dns_record *v, uint32_t ttl_s, uint8_t *out)
{
	size_t data = v->type == DNS_A ? 4 : 16;

	put16(out, 0xc000 | DNS_HEADER); /* the question's name */
	put16(out + 2, v->type);
	put16(out + 4, 1);
	put16(out + 6, ttl_s >> 16);
	put16(out + 8, ttl_s & 0xffff);
	if (v->type == DNS_PTR)
		data = put_name(v->name, out + 12);
	else
		memcpy(out + 12, v->addr, data);
	put16(out + 10, (unsigned int)data);
	return 12 + data;
}

size_t dns_answer_write(const uint8_t *p, const struct dns_question *q, int rcode,
			const struct dns_record *v, size_t n, uint32_t ttl_s,
			uint8_t out[DNS_ANSWER_MAX])
{
	size_t at = DNS_HEADER, count = 0;

	memset(out, 0, DNS_HEADER);
	memcpy(out, p, 2);
	out[2] = (uint8_t)(IS_ANSWER | (p[2] & (OPERATION | RECURSION_WISHED)));
	out[3] = (uint8_t)(RECURSION_HAD | rcode);
	if (!q)
		return at;
	/* At most 271 bytes: labels, their lengths, type and class. */
	memcpy(out + at, p + at, q->end - at);
	at = q->end;
	put16(out + 4, 1);
	if (n)
		out[2] |= AUTHORITATIVE;
	/* A record has at most 12 bytes and a name. */
	for (; count < n && count < DNS_ANSWERS_MAX && at + 12 + DNS_NAME_SIZE <= DNS_ANSWER_MAX;
	     count++)
		at += put_record(&v[count], ttl_s, out + at);
	put16(out + 6, (unsigned int)count);
	return at;
}

bool dns_answers(const uint8_t *p, size_t n, uint16_t id, const uint8_t *asked,
		 const struct dns_question *q)
{
	if (n < DNS_HEADER || get16(p) != id || !(p[2] & IS_ANSWER))
		return false;
	/* A server that could not even read the question may leave it out. */
	if (get16(p + 4) == 0)
		return (p[3] & 0x0f) != DNS_OK;
	return get16(p + 4) == 1 && n >= q->end &&
	       memcmp(p + DNS_HEADER, asked + DNS_HEADER, q->end - DNS_HEADER) == 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int dns_reverse_name(const char *name, uint8_t addr[16])
{
	unsigned int a, b, c, d;
	int end = 0;

	if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &a, &b, &c, &d, &end) == 4 && end &&
	    !name[end] && a < 256 && b < 256 && c < 256 && d < 256) {
		addr[0] = (uint8_t)d;
		addr[1] = (uint8_t)c;
		addr[2] = (uint8_t)b;
		addr[3] = (uint8_t)a;
		return AF_INET;
	}
	if (strlen(name) != 64 + strlen("ip6.arpa") || !streq(name + 64, "ip6.arpa"))
		return 0;
	for (int i = 0; i < 16; i++) {
		int low = hex(name[(15 - i) * 4]), high = hex(name[(15 - i) * 4 + 2]);

		if (low < 0 || high < 0 || name[(15 - i) * 4 + 1] != '.' ||
		    name[(15 - i) * 4 + 3] != '.')
			return 0;
		addr[i] = (uint8_t)(high << 4 | low);
	}
	return AF_INET6;
}
