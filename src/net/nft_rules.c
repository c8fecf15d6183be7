/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules hold, each line tested by tests/net/matrix_test.py:
 *
 *  1. An instance reaches the outside through masquerading; answers come back.
 *  2. A published port is translated by one lookup (first by address and port, then by port alone),
 * for packets from outside, from instances and from the host itself, 127.0.0.1 included.
 *  3. Into a bridge goes only what answers, what was published, and what comes from the same
 * bridge. So unpublished ports cannot be reached by routing to the bridge, nor from other networks.
 *  4. What an instance sends to 127/8 is dropped: route_localnet is on for bridges (CVE-2020-8558).
 *     What others send to 127/8 is never translated, should somebody have switched it on elsewhere.
 *  5. A source address of ours is believed from our bridges only, and there only from the port and
 *     the MAC address it was given to, in IPv4 and ARP; everything else from a port is dropped
 * (router advertisements, VLAN tags, spanning tree).  The check comes before the bridge
 * learns. A port without an entry sends nothing: what is left over when an instance is detached is
 * mute.
 *     IPv6 only on networks that have it, from the address that was given, and of neighbour
 *     discovery questions only: the host knows where each instance is (net/endpoint.c) and
 * instances reach each other through the gateway, so there is nothing to answer and nothing to lie
 * about.
 *     What a bridge lets in is of its own subnet besides, whatever else was made a port of it.
 *  6. An internal network sends to its own subnet only: no packet of it is routed elsewhere, not to
 *     the host's other addresses, not through a published port.
 *     Its gateway answers names all the same.
 *  7. Without icc instances of one network do not reach each other: their ports are isolated in the
 *     bridge (net/attach.c), and what is routed finds no pair in @same.
 *
 * What a packet costs (bench/net.py; perf, per request of HTTP, both directions): half of what was
 * paid for a published port was look-ups in sets of names and intervals, so what every packet meets
 * is constants and one verdict map, and what belongs to a connection is let through before anything
 * is looked up.  "Let through" is by us: the operator's chains have hooks of their own.  The check
 * of addresses (5) cannot be had so: it comes before connections are known, because a packet that
 * merely looks like part of one is not believed either.
 */
#include "net/nft_rules.h"
#include "base/buf.h"
#include "base/str.h"
#include "fmt/publish.h"
#include "net/attachment.h"
#include "net/nameproc.h"
#include "net/network.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_internal(const struct network *n)
{
	return n->internal;
}

static bool has_icc(const struct network *n)
{
	return !n->no_icc;
}

/* A set of the bridges that fit, or of pairs of each with itself; nft has no empty list. */
static void some_bridges(const struct networks *nets, const char *name,
			 bool (*fits)(const struct network *), bool pairs, struct buf *b)
{
	const char *sep = " elements = {";

	buf_printf(b, "\tset %s { type ifname%s;", name, pairs ? " . ifname" : "");
	for (size_t i = 0; i < nets->n; i++) {
		if (!fits(&nets->v[i]))
			continue;
		buf_printf(b, "%s \"%s\"", sep, nets->v[i].bridge);
		if (pairs)
			buf_printf(b, " . \"%s\"", nets->v[i].bridge);
		sep = ",";
	}
	buf_puts(b, *sep == ',' ? " } }\n" : " }\n");
}

/* Where names are answered: by each gateway to its own network. */
static void name_servers(const struct networks *nets, struct buf *b)
{
	const char *sep = " elements = {";

	buf_puts(b, "\tset gateways { type ifname . ipv4_addr;");
	for (size_t i = 0; i < nets->n; i++) {
		if (streq(nets->v[i].name, NETWORK_DEFAULT))
			continue;
		buf_printf(b, "%s \"%s\" . %s", sep, nets->v[i].bridge, nets->v[i].gateway);
		sep = ",";
	}
	buf_puts(b, *sep == ',' ? " } }\n" : " }\n");
}

static void subnets6(const struct networks *nets, struct buf *b)
{
	const char *sep = " elements = {";

	buf_puts(b, "\tset subnets6 { type ipv6_addr; flags interval;");
	for (size_t i = 0; i < nets->n; i++) {
		if (!nets->v[i].subnet6)
			continue;
		buf_printf(b, "%s %s", sep, nets->v[i].subnet6);
		sep = ",";
	}
	buf_puts(b, *sep == ',' ? " } }\n" : " }\n");
}

static void bridges(const struct networks *nets, struct buf *b)
{
	buf_puts(b, "\tset bridges { type ifname; elements = {");
	for (size_t i = 0; i < nets->n; i++)
		buf_printf(b, "%s \"%s\"", i ? "," : "", nets->v[i].bridge);
	buf_puts(b, " } }\n");
	name_servers(nets, b);
	some_bridges(nets, "internal", is_internal, false, b);
	some_bridges(nets, "same", has_icc, true, b);
	buf_puts(b, "\tset subnets { type ipv4_addr; flags interval; elements = {");
	for (size_t i = 0; i < nets->n; i++)
		buf_printf(b, "%s %s", i ? "," : "", nets->v[i].subnet);
	buf_puts(b, " } }\n");
	subnets6(nets, b);
}

static void published(const struct attachment_list *all, bool any, struct buf *b)
{
	const char *sep = "\n\t\telements = {";

	buf_printf(b,
		   "\tmap %s {\n\t\ttype inet_proto . %sinet_service : ipv4_addr . inet_service\n",
		   any ? "published_any" : "published", any ? "" : "ipv4_addr . ");
	for (size_t i = 0; i < all->n; i++) {
		const struct attachment *at = &all->v[i];

		for (size_t k = 0; k < at->ports.n; k++) {
			const struct attachment_port *p = &at->ports.v[k];

			if (any != (p->host_ip[0] == '0'))
				continue;
			buf_printf(b, "%s %s . ", sep, publish_proto_names[p->proto]);
			if (!any)
				buf_printf(b, "%s . ", p->host_ip);
			buf_printf(b, "%" PRIu32 " : %s . %" PRIu32, p->host_port, at->address,
				   p->port);
			sep = ",";
		}
	}
	buf_puts(b, *sep == ',' ? " }\n\t}\n" : "\t}\n");
}

#define TEXT_OF(x)   #x
#define NUMBER_OF(x) TEXT_OF(x)
#define NAMES_AT     NUMBER_OF(NAMEPROC_PORT)

/* Every packet of the host passes here: one look-up for those from a bridge, two for the others. */
static void raw_in(const struct networks *nets, struct buf *b)
{
	buf_puts(b, "\tchain raw_in {\n"
		    "\t\ttype filter hook prerouting priority -300; policy accept;\n"
		    "\t\tiifname vmap { \"lo\" : accept");
	for (size_t i = 0; i < nets->n; i++)
		buf_printf(b, ", \"%s\" : goto from_%zu", nets->v[i].bridge, i);
	buf_puts(b, " }\n"
		    "\t\tip saddr @subnets drop\n"
		    "\t\tip6 saddr @subnets6 drop\n"
		    "\t}\n");
	for (size_t i = 0; i < nets->n; i++) {
		const struct network *n = &nets->v[i];

		buf_printf(b,
			   "\tchain from_%zu {\n"
			   "\t\tip daddr 127.0.0.0/8 drop\n"
			   "\t\tip saddr != %s drop\n",
			   i, n->subnet);
		if (n->subnet6)
			buf_printf(b, "\t\tip6 saddr != %s drop\n", n->subnet6);
		else
			buf_puts(b, "\t\tmeta nfproto ipv6 drop\n");
		if (n->internal)
			buf_puts(b, "\t\tip daddr != @subnets drop\n"
				    "\t\tip6 daddr != @subnets6 ip6 daddr != ff00::/8 drop\n");
		buf_puts(b, "\t}\n");
	}
}

static const char inet_chains[] =
    "	chain nat_in {\n"
    "		type nat hook prerouting priority -100; policy accept;\n"
    "		iifname != \"lo\" ip daddr 127.0.0.0/8 return\n"
    "		iifname . ip daddr @gateways meta l4proto { tcp, udp } th dport 53 redirect "
    "to :" NAMES_AT "\n"
    "		fib daddr type local jump translate\n"
    "	}\n"
    "	chain nat_local {\n"
    "		type nat hook output priority -100; policy accept;\n"
    "		fib daddr type local jump translate\n"
    "	}\n"
    "	chain translate {\n"
    "		dnat ip to meta l4proto . ip daddr . th dport map @published\n"
    "		dnat ip to meta l4proto . th dport map @published_any\n"
    "	}\n"
    "	chain nat_out {\n"
    "		type nat hook postrouting priority 100; policy accept;\n"
    "		oifname \"lo\" return\n"
    "		oifname @bridges ip saddr 127.0.0.0/8 masquerade\n"
    "		oifname @bridges ip saddr @subnets ct status dnat masquerade\n"
    "		oifname != @bridges ip saddr @subnets masquerade\n"
    "		oifname != @bridges ip6 saddr @subnets6 masquerade\n"
    "	}\n"
    "	chain forward {\n"
    "		type filter hook forward priority 0; policy accept;\n"
    "		ct state established,related accept\n"
    "		iifname @internal iifname . oifname != @same drop\n"
    "		oifname @bridges goto enter\n"
    "	}\n"
    "	chain out {\n"
    "		type filter hook output priority 0; policy accept;\n"
    "		icmpv6 type nd-redirect oifname @bridges drop\n"
    "	}\n"
    "	chain enter {\n"
    "		ct status dnat accept\n"
    "		iifname . oifname @same accept\n"
    "		drop\n"
    "	}\n";

static const char bridge_chain[] = /* behind "iifname != PREFIX accept" */
    "		iifname . ether saddr . ip saddr @ports accept\n"
    "		iifname . arp saddr ether . arp saddr ip @ports iifname . ether saddr . arp saddr "
    "ip @ports accept\n"
    "		icmpv6 type { nd-neighbor-advert, nd-router-solicit, nd-router-advert, "
    "nd-redirect, mld-listener-query, mld-listener-report, mld-listener-reduction, "
    "mld2-listener-report } drop\n"
    "		iifname . ether saddr . ip6 saddr @ports6 accept\n"
    "		drop\n"
    "	}\n";

/* Everything of a network shows in the text, so a changed network is a changed mark. */
static void fixed(const struct networks *nets, struct buf *b)
{
	bridges(nets, b);
	raw_in(nets, b);
	buf_puts(b, inet_chains);
	buf_puts(b, bridge_chain);
}

void nft_rules_mark(const struct networks *nets, char mark[NFT_RULES_MARK_MAX])
{
	struct buf b = BUF_INIT(1 << 20);
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: tells versions apart, guards nothing */

	fixed(nets, &b);
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ (unsigned char)b.p[i]) * 0x100000001b3;
	buf_free(&b);
	snprintf(mark, NFT_RULES_MARK_MAX, "rules_%016" PRIx64, h);
}

static void ports6(const struct attachment_list *all, struct buf *b)
{
	const char *sep = " elements = {";

	buf_puts(b, "\tset ports6 { type ifname . ether_addr . ipv6_addr;");
	for (size_t i = 0; i < all->n; i++) {
		if (!all->v[i].address6)
			continue;
		buf_printf(b, "%s \"%s\" . %s . %s", sep, all->v[i].device, all->v[i].mac,
			   all->v[i].address6);
		sep = ",";
	}
	buf_puts(b, *sep == ',' ? " } }\n" : " }\n");
}

void nft_rules_write(const struct networks *nets, const struct attachment_list *all, struct buf *b)
{
	char mark[NFT_RULES_MARK_MAX];
	uint32_t index = nets->v[0].index;
	const char *sep = " elements = {";

	nft_rules_mark(nets, mark);
	/* Adding first, so that deleting what may not be there is no error: all is one transaction.
	 */
	buf_printf(b, "add table inet caisson%u\ndelete table inet caisson%u\n", index, index);
	buf_printf(b, "add table bridge caisson%u\ndelete table bridge caisson%u\n", index, index);
	buf_printf(b, "table inet caisson%u {\n\tchain %s { }\n", index, mark);
	bridges(nets, b);
	published(all, false, b);
	published(all, true, b);
	raw_in(nets, b);
	buf_puts(b, inet_chains);
	buf_printf(b, "}\ntable bridge caisson%u {\n", index);
	buf_puts(b, "\tset ports { type ifname . ether_addr . ipv4_addr;");
	for (size_t i = 0; i < all->n; i++, sep = ",")
		buf_printf(b, "%s \"%s\" . %s . %s", sep, all->v[i].device, all->v[i].mac,
			   all->v[i].address);
	buf_puts(b, all->n ? " } }\n" : " }\n");
	ports6(all, b);
	buf_printf(b,
		   "\tchain ingress {\n"
		   "\t\ttype filter hook prerouting priority -300; policy accept;\n"
		   "\t\tiifname != \"c%uv*\" accept\n"
		   "%s",
		   index, bridge_chain);
	buf_puts(b, "}\n");
}
