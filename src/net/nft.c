/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/attachment.h"
#include "net/network.h"
#include "net/nft_rules.h"
#include "sys/fd.h"
#include "sys/nlmsg.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RULES_MAX (16U << 20) /* text: 100 bytes for each published port of the store */
#define SAID_MAX  65536	      /* of what nft prints */
/* Elements in one message: the list is one attribute, whose length has 16 bits. */
#define ELEMENTS_MAX 400

/* ---- elements over netlink ---- */

/* A key or value: fields of a concatenation, each padded to four bytes as the kernel's registers
 * are. */
struct element {
	unsigned char b[64];
	size_t n;
};

static void field(struct element *el, const void *data, size_t len)
{
	memcpy(el->b + el->n, data, len);
	el->n += (len + 3) & ~(size_t)3;
}

static void field_ip(struct element *el, const char *text)
{
	struct in_addr in = {0};

	(void)inet_pton(AF_INET, text, &in);
	field(el, &in, sizeof(in));
}

static void field_ip6(struct element *el, const char *text)
{
	struct in6_addr in = {0};

	(void)inet_pton(AF_INET6, text, &in);
	field(el, &in, sizeof(in));
}

static void field_port(struct element *el, uint32_t port)
{
	uint16_t be = htons((uint16_t)port);

	field(el, &be, sizeof(be));
}

static size_t command(struct buf *b, int family, int what, uint16_t flags)
{
	struct nfgenmsg g = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};

	return nlmsg_start(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | what), flags, &g, sizeof(g));
}

static void border(struct buf *b, uint16_t type)
{
	struct nfgenmsg g = {.nfgen_family = AF_UNSPEC,
			     .version = NFNETLINK_V0,
			     .res_id = htons(NFNL_SUBSYS_NFTABLES)};
	size_t m = nlmsg_start(b, type, 0, &g, sizeof(g));

	nlmsg_end(b, m);
}

static void value(struct buf *b, uint16_t type, const struct element *el)
{
	size_t nest = nlmsg_nest(b, type);

	nlmsg_attr(b, NFTA_DATA_VALUE, el->b, el->n);
	nlmsg_nest_end(b, nest);
}

static void put(struct buf *b, const struct element *key, const struct element *data)
{
	size_t one = nlmsg_nest(b, NFTA_LIST_ELEM);

	value(b, NFTA_SET_ELEM_KEY, key);
	if (data)
		value(b, NFTA_SET_ELEM_DATA, data);
	nlmsg_nest_end(b, one);
}

/* One message adds or deletes elements of one set; filled by put() between these two. */
struct elements {
	size_t message, list;
};

static struct elements elements_begin(struct buf *b, int family, int what, const char *table,
				      const char *set)
{
	struct elements x;

	x.message =
	    command(b, family, what, NLM_F_ACK | (what == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0));
	nlmsg_str(b, NFTA_SET_ELEM_LIST_TABLE, table);
	nlmsg_str(b, NFTA_SET_ELEM_LIST_SET, set);
	x.list = nlmsg_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	return x;
}

static void elements_end(struct buf *b, struct elements x)
{
	nlmsg_nest_end(b, x.list);
	nlmsg_end(b, x.message);
}

static void port_element(struct buf *b, const struct attachment *at,
			 const struct attachment_port *p, bool any)
{
	static const unsigned char protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct element key = {0}, data = {0};

	field(&key, &protocols[p->proto], 1);
	if (!any)
		field_ip(&key, p->host_ip);
	field_port(&key, p->host_port);
	field_ip(&data, at->address);
	field_port(&data, p->port);
	put(b, &key, &data);
}

/* Ports first .. first + n - 1 of at, those for every address or the others. */
static void ports_message(struct buf *b, const struct attachment *at, int what, bool any,
			  size_t first, size_t n)
{
	size_t start = b->len, count = 0;
	struct elements x =
	    elements_begin(b, NFPROTO_INET, what, at->table, any ? "published_any" : "published");

	for (size_t i = first; i < at->ports.n && i < first + n; i++)
		if (any == streq(at->ports.v[i].host_ip, "0.0.0.0")) {
			port_element(b, at, &at->ports.v[i], any);
			count++;
		}
	elements_end(b, x);
	if (!count)
		b->p[b->len = start] = '\0'; /* an empty list is an error to the kernel */
}

static void source_message(struct buf *b, const struct attachment *at, int what, bool six)
{
	struct elements x =
	    elements_begin(b, NFPROTO_BRIDGE, what, at->table, six ? "ports6" : "ports");
	char name[IFNAMSIZ] = {0};
	struct element key = {0};
	uint8_t mac[6] = {0};

	snprintf(name, sizeof(name), "%s", at->device);
	(void)netlink_mac_parse(at->mac, mac);
	field(&key, name, sizeof(name));
	field(&key, mac, sizeof(mac));
	if (six)
		field_ip6(&key, at->address6);
	else
		field_ip(&key, at->address);
	put(b, &key, NULL);
	elements_end(b, x);
}

static int batch(struct nlmsg_sock *nf, struct buf *b)
{
	border(b, NFNL_MSG_BATCH_END);
	return nlmsg_talk(nf, b, NULL, NULL);
}

/* All elements of at in one transaction. */
static int change(struct nlmsg_sock *nf, const struct attachment *at, int what)
{
	auto_buf struct buf b = BUF_INIT(NLMSG_BATCH_MAX);

	border(&b, NFNL_MSG_BATCH_BEGIN);
	source_message(&b, at, what, false);
	if (at->address6)
		source_message(&b, at, what, true);
	for (size_t i = 0; i < at->ports.n; i += ELEMENTS_MAX) {
		ports_message(&b, at, what, false, i, ELEMENTS_MAX);
		ports_message(&b, at, what, true, i, ELEMENTS_MAX);
	}
	return batch(nf, &b);
}

int nft_add(struct nlmsg_sock *nf, const struct attachment *at, struct err *e)
{
	int r = at->direct ? 0 : change(nf, at, NFT_MSG_NEWSETELEM);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "nftables table '%s': add elements", at->table);
	}
	return 0;
}

/* Deleting what is not there fails the whole transaction, so each one goes for itself. */
static int delete_each(struct nlmsg_sock *nf, const struct attachment *at)
{
	int first = 0;

	for (size_t i = 0; i <= at->ports.n + (at->address6 != NULL); i++) {
		auto_buf struct buf b = BUF_INIT(NLMSG_BATCH_MAX);
		int r;

		border(&b, NFNL_MSG_BATCH_BEGIN);
		if (i >= at->ports.n)
			source_message(&b, at, NFT_MSG_DELSETELEM, i > at->ports.n);
		else
			ports_message(&b, at, NFT_MSG_DELSETELEM,
				      streq(at->ports.v[i].host_ip, "0.0.0.0"), i, 1);
		r = batch(nf, &b);
		if (r < 0 && r != -ENOENT && !first)
			first = r;
	}
	return first;
}

int nft_delete(struct nlmsg_sock *nf, const struct attachment *at, struct err *e)
{
	int r = at->direct ? 0 : change(nf, at, NFT_MSG_DELSETELEM);

	if (r == -ENOENT)
		r = delete_each(nf, at);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "nftables table '%s': delete elements", at->table);
	}
	return 0;
}

/* ---- rules through the nft program ---- */

static int no_kernel(int r, struct err *e)
{
	if (r == -EPERM)
		return err_set(e, ERR_UNSUPPORTED,
			       "bridge networks need root; use --network host or --network none");
	if (r == -EOPNOTSUPP || r == -EPROTONOSUPPORT || r == -EINVAL)
		return err_set(e, ERR_UNSUPPORTED, "this kernel has no nftables");
	errno = -r;
	return err_sys(e, "nftables: look for our rules");
}

int nft_loaded(struct nlmsg_sock *nf, const struct networks *nets, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4096);
	char mark[NFT_RULES_MARK_MAX], table[IFNAMSIZ + 8];
	size_t m = command(&b, NFPROTO_INET, NFT_MSG_GETCHAIN, NLM_F_ACK);
	int r;

	nft_rules_mark(nets, mark);
	snprintf(table, sizeof(table), "caisson%u", nets->v[0].index);
	nlmsg_str(&b, NFTA_CHAIN_TABLE, table);
	nlmsg_str(&b, NFTA_CHAIN_NAME, mark);
	nlmsg_end(&b, m);
	r = nlmsg_talk(nf, &b, NULL, NULL);
	if (r < 0 && r != -ENOENT)
		return no_kernel(r, e);
	return r == 0;
}

static const char *nft_program(void)
{
	static const char *const paths[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
					    "/usr/local/sbin/nft"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/* First line of what nft said, without control characters; it goes into one line of ours. */
static void first_line(int fd, char *line, size_t size)
{
	auto_free char *text = NULL;
	size_t n = 0;

	line[0] = '\0';
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_slurp(fd, SAID_MAX, &text) < 0)
		return;
	for (const char *p = text; *p && *p != '\n' && n + 1 < size; p++)
		line[n++] = (unsigned char)*p < ' ' ? ' ' : *p;
	line[n] = '\0';
}

static int run(const char *path, int in, int out, int *status)
{
	char *const argv[] = {(char[]){"nft"}, (char[]){"-f"}, (char[]){"-"}, NULL};
	char *const env[] = {NULL};
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, out, 2);
	r = -posix_spawn(&pid, path, &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (r < 0)
		return r;
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int nft_load(struct nlmsg_sock *nf, const struct networks *nets, const struct attachment_list *all,
	     struct err *e)
{
	auto_buf struct buf text = BUF_INIT(RULES_MAX);
	const char *path = nft_program();
	auto_fd int in = -1, out = -1;
	int r = nft_loaded(nf, nets, e), status = 0;

	if (r)
		return r < 0 ? r : 0;
	if (!path)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "bridge networks need the program nft: install the package nftables");
	nft_rules_write(nets, all, &text);
	r = buf_fail(&text, "nftables rules", e);
	if (r < 0)
		return r;
	in = fd_sealed("nft-rules", text.p, text.len);
	out = memfd_create("nft-said", MFD_CLOEXEC);
	if (in < 0 || out < 0)
		return err_sys(e, "memfd");
	if (lseek(in, 0, SEEK_SET) < 0)
		return err_sys(e, "memfd");
	r = run(path, in, out, &status);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "run %s", path);
	}
	if (status) {
		char line[256];

		first_line(out, line, sizeof(line));
		return err_set(e, ERR_SYSTEM, "load nftables rules: %s", line[0] ? line : path);
	}
	return 1;
}
