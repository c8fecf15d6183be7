/* SPDX-License-Identifier: Apache-2.0 */
/* nft_rules - the text of our rule set, for `nft -f -`. */
#ifndef NET_NFT_RULES_H
#define NET_NFT_RULES_H

struct attachment_list;
struct buf;
struct networks;

/* The mark's size: "rules_" and 16 hex digits. */
#define NFT_RULES_MARK_MAX 24

/* The tables with their rules and the elements of all; they replace those that are loaded.  mark:
 * name of the empty chain by which the rules are recognised, made from their text alone. */
void nft_rules_write(const struct networks *nets, const struct attachment_list *all,
		     struct buf *out);
void nft_rules_mark(const struct networks *nets, char mark[NFT_RULES_MARK_MAX]);

#endif
