/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/netspec.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/join.h"
#include "engine/request.h"
#include "net/attach.h"
#include "net/cninet.h"
#include "net/network.h"

#include <arpa/inet.h>

#define ALIAS_MAX   253 /* of a name in the domain name system */
#define ALIASES_MAX 64

static int once(const char *key, const char *value, const char **to, struct err *e)
{
	if (!*value || *to)
		return err_set(e, ERR_USAGE, "--network: %s= wants one value", key);
	*to = value;
	return 0;
}

static int take_field(const char *field, struct arena *a, struct attach_endpoint *p, struct err *e)
{
	const char *value;

	if ((value = str_after(field, "name=")))
		return once("name", value, &p->network, e);
	if ((value = str_after(field, "ip=")))
		return once("ip", value, &p->ip, e);
	if ((value = str_after(field, "ip6=")))
		return once("ip6", value, &p->ip6, e);
	if ((value = str_after(field, "mac-address=")))
		return once("mac-address", value, &p->mac, e);
	if ((value = str_after(field, "alias="))) {
		arena_strs_add(a, &p->aliases, value);
		return 0;
	}
	if (str_after(field, "link-local-ip=") || str_after(field, "driver-opt=") ||
	    str_after(field, "gw-priority="))
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "--network %.60s: networks here have name=, ip=, ip6=, mac-address= and "
		    "alias=",
		    field);
	return err_set(e, ERR_USAGE, "--network does not know '%.60s'", field);
}

int netspec_parse(const char *text, struct arena *a, struct attach_endpoint *out, struct err *e)
{
	struct attach_endpoint p = {.network = NULL};
	int r = 0;

	if (!strchr(text, '=')) {
		*out = (struct attach_endpoint){.network = text};
		return 0;
	}
	while (r == 0 && *text) {
		size_t n = strcspn(text, ",");

		r = take_field(arena_dupn(a, text, n), a, &p, e);
		text += n + (text[n] == ',');
	}
	if (r == 0 && !p.network)
		r = err_set(e, ERR_USAGE, "--network: name= is missing");
	if (r == 0)
		*out = p;
	return r;
}

const char *netspec_write(const struct attach_endpoint *p, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	buf_printf(&b, "name=%s", p->network);
	if (p->ip)
		buf_printf(&b, ",ip=%s", p->ip);
	if (p->ip6)
		buf_printf(&b, ",ip6=%s", p->ip6);
	if (p->mac)
		buf_printf(&b, ",mac-address=%s", p->mac);
	for (size_t i = 0; i < p->aliases.n; i++)
		buf_printf(&b, ",alias=%s", p->aliases.v[i]);
	return arena_dup(a, b.p);
}

int netspec_take(const struct strs *said, struct request *q, struct arena *a, struct err *e)
{
	struct attach_endpoint p;
	int r;

	if (!said->n)
		return 0;
	r = netspec_parse(said->v[0], a, &p, e);
	if (r < 0)
		return r;
	if ((p.ip && q->ip) || (p.ip6 && q->ip6) || (p.mac && q->mac) ||
	    (p.aliases.n && q->aliases.n))
		return err_set(e, ERR_USAGE, "conflicting options: --%s and --network %.60s",
			       p.ip && q->ip	 ? "ip"
			       : p.ip6 && q->ip6 ? "ip6"
			       : p.mac && q->mac ? "mac-address"
						 : "network-alias",
			       said->v[0]);
	q->network = p.network;
	q->ip = p.ip ? p.ip : q->ip;
	q->ip6 = p.ip6 ? p.ip6 : q->ip6;
	q->mac = p.mac ? p.mac : q->mac;
	q->aliases = p.aliases.n ? p.aliases : q->aliases;
	for (size_t i = 1; i < said->n; i++) {
		r = netspec_parse(said->v[i], a, &p, e);
		if (r < 0)
			return r;
		arena_strs_add(a, &q->networks, netspec_write(&p, a));
	}
	return 0;
}

int netspec_all(const struct request *q, struct arena *a, struct attach_endpoint **v, size_t *n,
		struct err *e)
{
	struct attach_endpoint *l = arena_array(a, q->networks.n + 2, sizeof(*l));
	size_t count = 0;

	if (!q->unplugged)
		l[count++] =
		    (struct attach_endpoint){.network = q->network ? q->network : NETWORK_DEFAULT,
					     .ip = q->ip,
					     .ip6 = q->ip6,
					     .mac = q->mac,
					     .aliases = q->aliases};
	for (size_t i = 0; i < q->networks.n; i++) {
		int r = netspec_parse(q->networks.v[i], a, &l[count++], e);

		if (r < 0)
			return r;
	}
	if (count > ATTACH_NICS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d networks", ATTACH_NICS_MAX);
	*v = l;
	*n = count;
	return 0;
}

void netspec_set(struct request *q, const struct attach_endpoint *v, size_t n, struct arena *a)
{
	q->unplugged = !n;
	q->networks = (struct strs){0};
	q->ip = n ? v[0].ip : NULL;
	q->ip6 = n ? v[0].ip6 : NULL;
	q->mac = n ? v[0].mac : NULL;
	q->aliases = n ? v[0].aliases : (struct strs){0};
	if (n)
		q->network = v[0].network;
	for (size_t i = 1; i < n; i++)
		arena_strs_add(a, &q->networks, netspec_write(&v[i], a));
}

static int check_alias(const char *s, struct err *e)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (!n || s[n] || n > ALIAS_MAX || strchr(".-", s[0]))
		return err_set(e, ERR_USAGE,
			       "--network-alias '%.60s' is no name: want up to %d letters, digits, "
			       "'_', '.', '-'",
			       s, ALIAS_MAX);
	return 0;
}

/* The default network is renumbered when its subnet is needed: nobody can count on an address. */
static int check_one(const struct attach_endpoint *p, bool alone, struct err *e)
{
	bool none = streq(p->network, "host") || streq(p->network, "none") ||
		    join_other(p->network) || cninet_name(p->network);
	struct in6_addr ip6;
	struct in_addr ip;
	int r = 0;

	if (!alone && none)
		return err_set(e, ERR_USAGE, "--network %.60s excludes other networks", p->network);
	if (p->ip && (none || streq(p->network, NETWORK_DEFAULT)))
		return err_set(e, ERR_USAGE,
			       "--ip needs --network with one made by `network create`, not %s",
			       p->network);
	if (p->ip && inet_pton(AF_INET, p->ip, &ip) != 1)
		return err_set(e, ERR_USAGE, "--ip '%.60s' is not an IPv4 address", p->ip);
	if (p->ip6 && (none || streq(p->network, NETWORK_DEFAULT)))
		return err_set(e, ERR_USAGE,
			       "--ip6 needs --network with one made by `network create`, not %s",
			       p->network);
	if (p->ip6 && inet_pton(AF_INET6, p->ip6, &ip6) != 1)
		return err_set(e, ERR_USAGE, "--ip6 '%.60s' is not an IPv6 address", p->ip6);
	if (p->mac && none)
		return err_set(e, ERR_USAGE, "--mac-address has no meaning with --network %s",
			       p->network);
	if (p->aliases.n && none)
		return err_set(e, ERR_USAGE, "--network-alias has no meaning with --network %.60s",
			       p->network);
	if (p->aliases.n > ALIASES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d aliases on network '%.60s'", ALIASES_MAX,
			       p->network);
	for (size_t i = 0; r == 0 && i < p->aliases.n; i++)
		r = check_alias(p->aliases.v[i], e);
	return r;
}

static int check_rate(const struct request *q, struct err *e)
{
	const char *mode = q->network ? q->network : NETWORK_DEFAULT;
	struct rate rate;

	if (streq(mode, "host") || streq(mode, "none") || join_other(mode) || cninet_name(mode))
		return err_set(e, ERR_USAGE, "--network-rate has no meaning with --network %.60s",
			       mode);
	return rate_parse(q->network_rate, &rate, e);
}

int netspec_check(const struct request *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct attach_endpoint *v;
	size_t n;
	int r = netspec_all(q, &a, &v, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_one(&v[i], n == 1, e);
	return r == 0 && q->network_rate ? check_rate(q, e) : r;
}

const char *netspec_names(const struct request *q, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct attach_endpoint *v;
	size_t n;

	/* Who joined another's network has none itself, as in docker. */
	if (join_other(q->network) || netspec_all(q, a, &v, &n, NULL) < 0)
		return "";
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", v[i].network);
	return arena_dup(a, b.p);
}
