/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft - our tables in the kernel's packet filter: `inet caisson<index>` (addresses and ports are
 * translated, networks are kept apart) and `bridge caisson<index>` (who may send what from which
 * port of a bridge).  Theory and rules: the text in net/nft_rules.c.
 *
 * Rules are loaded once, by the nft program, when they are not there or not the ones we would
 * write; an instance adds and removes elements of sets and maps, over netlink, in one transaction
 * for both tables.  Nobody else's table is touched, and our chains accept only for themselves: a
 * drop in any other table is final whatever ours say.
 */
#ifndef NET_NFT_H
#define NET_NFT_H

struct attachment;
struct attachment_list;
struct err;
struct networks;
struct nlmsg_sock;

/* Load the rules for these networks with the elements of all these attachments, unless they are
 * loaded already.  The caller holds the lock of run-root/net.  Returns 1 when it loaded them, 0
 * when they were there.  Errors: ERR_UNSUPPORTED no nft program, no kernel support or no
 * permission; ERR_SYSTEM with what nft said. */
int nft_load(struct nlmsg_sock *nf, const struct networks *nets, const struct attachment_list *all,
	     struct err *e);
/* Whether rules for exactly these networks are there: 1, 0, or an error as above. */
int nft_loaded(struct nlmsg_sock *nf, const struct networks *nets, struct err *e);

/* The elements of one attachment; adding twice and deleting what is gone are fine. */
int nft_add(struct nlmsg_sock *nf, const struct attachment *at, struct err *e);
int nft_delete(struct nlmsg_sock *nf, const struct attachment *at, struct err *e);

#endif
