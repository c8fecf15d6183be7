/* SPDX-License-Identifier: Apache-2.0 */
#include "net/etc_files.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/resolv_conf.h"
#include "net/attach.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <fcntl.h>

#define FILE_MAX (256U << 10) /* of a file we write */

static void host_config(const char *path, struct arena *a, struct resolv_conf *c)
{
	auto_free char *text = NULL;

	/* A host without the file resolves through 127.0.0.1: the same as no servers. */
	*c = (struct resolv_conf){0};
	if (file_read(AT_FDCWD, path, RESOLV_CONF_SIZE_MAX, &text) >= 0)
		resolv_conf_parse(text, a, c);
}

static void keep_reachable(const struct strs *from, struct arena *a, struct strs *to)
{
	for (size_t i = 0; i < from->n; i++)
		if (!resolv_conf_local(from->v[i]))
			arena_strs_add(a, to, from->v[i]);
}

static int check_words(const struct strs *l, const char *what, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!*l->v[i] || strpbrk(l->v[i], " \t\r\n#;"))
			return err_set(e, ERR_USAGE, "'%s' is not a %s", l->v[i], what);
	return 0;
}

static int check_servers(const struct strs *l, struct err *e)
{
	struct netlink_ip ip;

	for (size_t i = 0; i < l->n; i++)
		if (strchr(l->v[i], '/') || netlink_ip_parse(l->v[i], &ip) < 0)
			return err_set(e, ERR_USAGE, "name server '%s' is not an IP address",
				       l->v[i]);
	return 0;
}

static void reachable_servers(const struct strs *of_host, const char *resolver, struct arena *a,
			      struct strs *out)
{
	struct resolv_conf upstream;

	keep_reachable(of_host, a, out);
	if (!out->n && resolver)
		arena_strs_add(a, out, resolver);
	if (!out->n) {
		host_config("/run/systemd/resolve/resolv.conf", a, &upstream);
		keep_reachable(&upstream.servers, a, out);
	}
	if (!out->n) {
		arena_strs_add(a, out, "8.8.8.8");
		arena_strs_add(a, out, "8.8.4.4");
	}
}

int etc_files_upstream(const struct attach_request *q, struct arena *a, struct strs *out,
		       struct err *e)
{
	struct resolv_conf host;
	int r = check_servers(&q->dns, e);

	if (r < 0)
		return r;
	*out = q->dns;
	if (q->dns.n)
		return 0;
	host_config("/etc/resolv.conf", a, &host);
	/* In a user's engine, its own loopback is not the host's. */
	if (q->resolver)
		reachable_servers(&host.servers, q->resolver, a, out);
	else
		*out = host.servers;
	if (!out->n)
		arena_strs_add(a, out, "127.0.0.1");
	return 0;
}

/* As docker: a name without dots is one of the network, and not tried with each domain first. */
static void own_server(struct resolv_conf *c, const char *own, struct arena *a)
{
	bool said = false;

	c->servers = (struct strs){0};
	arena_strs_add(a, &c->servers, own);
	for (size_t i = 0; i < c->options.n; i++)
		said |= str_after(c->options.v[i], "ndots:") != NULL;
	if (!said) {
		struct strs all = {0};

		for (size_t i = 0; i < c->options.n; i++)
			arena_strs_add(a, &all, c->options.v[i]);
		arena_strs_add(a, &all, "ndots:0");
		c->options = all;
	}
}

int etc_files_resolv_conf(const struct attach_request *q, bool host_net, const char *own,
			  struct arena *a, const char **text, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX);
	struct resolv_conf host, c = {q->dns, q->dns_search, q->dns_options};
	int r = check_servers(&q->dns, e);

	if (r == 0)
		r = check_words(&q->dns_search, "search domain", e);
	if (r == 0)
		r = check_words(&q->dns_options, "resolver option", e);
	if (r < 0)
		return r;
	host_config("/etc/resolv.conf", a, &host);
	if (!c.servers.n && host_net)
		c.servers = host.servers;
	else if (!c.servers.n)
		reachable_servers(&host.servers, q->resolver, a, &c.servers);
	if (!c.search.n)
		c.search = host.search;
	if (!c.options.n)
		c.options = host.options;
	/* "." alone asks for no search list (Docker's convention). */
	if (c.search.n == 1 && streq(c.search.v[0], "."))
		c.search = (struct strs){0};
	if (own)
		own_server(&c, own, a);
	resolv_conf_write(&c, &b);
	r = buf_fail(&b, "resolv.conf", e);
	if (r == 0)
		*text = arena_dup(a, b.p);
	return r;
}

static int extra_host(const char *s, const char *gateway, struct buf *b, struct err *e)
{
	const char *colon = strchr(s, ':'), *address = colon ? colon + 1 : NULL;
	struct netlink_ip ip;

	if (!colon || colon == s || strpbrk(s, " \t\r\n#"))
		return err_set(e, ERR_USAGE, "extra host '%s': want NAME:ADDRESS", s);
	if (streq(address, "host-gateway")) {
		if (!gateway)
			return err_set(e, ERR_USAGE, "extra host '%s': this network has no gateway",
				       s);
		address = gateway;
	} else if (strchr(address, '/') || netlink_ip_parse(address, &ip) < 0) {
		return err_set(e, ERR_USAGE, "extra host '%s': '%s' is not an IP address", s,
			       address);
	}
	buf_printf(b, "%s\t%.*s\n", address, (int)(colon - s), s);
	return 0;
}

static void self(const struct attach_request *q, const char *address, struct buf *b)
{
	const char *dot = strchr(q->hostname, '.');

	buf_printf(b, "%s\t%s", address, q->hostname);
	if (dot)
		buf_printf(b, " %.*s", (int)(dot - q->hostname), q->hostname);
	buf_puts(b, "\n");
}

int etc_files_hosts(const struct attach_request *q, const struct strs *addresses,
		    const char *gateway, struct arena *a, const char **text, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX);
	int r = 0;

	buf_puts(&b, "127.0.0.1\tlocalhost\n"
		     "::1\tlocalhost ip6-localhost ip6-loopback\n"
		     "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
		     "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
	for (size_t i = 0; r == 0 && i < q->extra_hosts.n; i++)
		r = extra_host(q->extra_hosts.v[i], gateway, &b, e);
	if (r < 0)
		return r;
	if (q->hostname && *q->hostname) {
		if (strpbrk(q->hostname, " \t\r\n#"))
			return err_set(e, ERR_USAGE, "'%s' is not a host name", q->hostname);
		for (size_t i = 0; addresses && i < addresses->n; i++)
			self(q, addresses->v[i], &b);
		if (!addresses || !addresses->n)
			self(q, "127.0.1.1", &b);
	}
	r = buf_fail(&b, "hosts", e);
	if (r == 0)
		*text = arena_dup(a, b.p);
	return r;
}
