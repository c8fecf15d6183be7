/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/publish.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <strings.h>

#define SPEC_MAX                                                                                   \
	128 /* longer than any valid one: two brackets, an IPv6 address, four ports, /sctp */

const char *const publish_proto_names[] = {"tcp", "udp", "sctp", NULL};
_Static_assert(sizeof(publish_proto_names) / sizeof(*publish_proto_names) == PUBLISH_PROTO_MAX_ + 1,
	       "one name per protocol");

static int bad(const char *s, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "port '%.*s': %s, want [[ADDRESS:]HOST-PORT:]PORT[/PROTOCOL]",
		       SPEC_MAX, s, why);
}

/* 0 .. 65535 in decimal digits; returns the rest, NULL when there is none. */
static const char *number(const char *s, uint16_t *out)
{
	unsigned int v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (unsigned int)(*p - '0');
		if (v > 65535)
			return NULL;
	}
	if (p == s)
		return NULL;
	*out = (uint16_t)v;
	return p;
}

/* "80" or "8000-8005", nothing behind. */
static bool range(const char *s, uint16_t *first, uint16_t *last)
{
	const char *p = number(s, first);

	if (!p)
		return false;
	*last = *first;
	if (*p == '-')
		p = number(p + 1, last);
	return p && !*p && *last >= *first;
}

static bool protocol(const char *s, uint8_t *out)
{
	for (uint8_t i = 0; i < PUBLISH_PROTO_MAX_; i++)
		if (!strcasecmp(s, publish_proto_names[i])) {
			*out = i;
			return true;
		}
	return false;
}

static bool address(const char *s, struct publish *p)
{
	p->family = strchr(s, ':') ? AF_INET6 : AF_INET;
	return inet_pton(p->family, s, p->host_ip) == 1;
}

/* Cut "[v6]:" or "v4:" off the front of text when it is followed by two parts.  NULL: malformed. */
static char *cut_address(char *text, char **ip)
{
	char *colon, *end;

	*ip = NULL;
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || end[1] != ':')
			return NULL;
		*end = '\0';
		*ip = text + 1;
		return strchr(*ip, ':') ? end + 2 : NULL;
	}
	colon = strchr(text, ':');
	if (!colon || !strchr(colon + 1, ':'))
		return text;
	*colon = '\0';
	*ip = text;
	return colon + 1;
}

int publish_parse(const char *s, struct publish *out, struct err *e)
{
	struct publish p = {0};
	char text[SPEC_MAX], *rest, *ip, *slash, *colon;
	size_t n = strnlen(s, SPEC_MAX);

	if (n == 0 || n == SPEC_MAX)
		return bad(s, n ? "too long" : "empty", e);
	memcpy(text, s, n + 1);
	slash = strchr(text, '/');
	if (slash) {
		*slash = '\0';
		if (!protocol(slash + 1, &p.proto))
			return bad(s, "the protocol is tcp, udp or sctp", e);
	}
	rest = cut_address(text, &ip);
	if (!rest || (ip && !address(ip, &p)))
		return bad(s, "the host address is not an IP address", e);
	colon = strchr(rest, ':');
	if (!colon && ip)
		return bad(s, "a port of the instance is missing", e);
	if (colon) {
		*colon = '\0';
		if (*rest && !range(rest, &p.host_first, &p.host_last))
			return bad(s, "the host port is not 1 to 65535", e);
		if (p.host_last && !p.host_first)
			return bad(s, "the host port is not 1 to 65535", e);
		rest = colon + 1;
	}
	if (!range(rest, &p.port_first, &p.port_last) || !p.port_first)
		return bad(s, "the instance's port is not 1 to 65535", e);
	if (p.host_last && p.port_first != p.port_last &&
	    p.host_last - p.host_first != p.port_last - p.port_first)
		return bad(s, "the two ranges differ in length", e);
	*out = p;
	return 0;
}

static void write_range(uint16_t first, uint16_t last, struct buf *out)
{
	buf_printf(out, "%u", first);
	if (last != first)
		buf_printf(out, "-%u", last);
}

void publish_write(const struct publish *p, struct buf *out)
{
	char ip[INET6_ADDRSTRLEN] = "0.0.0.0";

	if (p->family)
		inet_ntop(p->family, p->host_ip, ip, sizeof(ip));
	buf_printf(out, p->family == AF_INET6 ? "[%s]:" : "%s:", ip);
	if (p->host_first)
		write_range(p->host_first, p->host_last, out);
	buf_puts(out, ":");
	write_range(p->port_first, p->port_last, out);
	buf_printf(out, "/%s", publish_proto_names[p->proto]);
}
