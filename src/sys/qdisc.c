/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/qdisc.h"
#include "base/auto.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#define ONE_MAX	  4096
#define BURST_MIN (68u << 10) /* one packet of the largest device, or of segmentation offload */
#define QUEUE_MIN (128u << 10)
#define ROOT	  0x10000U /* handle 1: */
#define INGRESS	  0xffff0000U

static size_t start(struct buf *b, uint16_t type, uint16_t flags, const struct tcmsg *t,
		    const char *kind)
{
	size_t m = nlmsg_start(b, type, (uint16_t)(flags | NLM_F_ACK), t, sizeof(*t));

	if (kind)
		nlmsg_str(b, TCA_KIND, kind);
	return m;
}

static int finish(struct nlmsg_sock *s, struct buf *b, size_t m)
{
	nlmsg_end(b, m);
	return nlmsg_talk(s, b, NULL, NULL);
}

/* Bytes in the time 1 / part of a second. */
static uint32_t share(uint64_t bytes, uint32_t part, uint32_t least)
{
	uint64_t v = bytes / part;

	return v < least ? least : v > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)v;
}

int qdisc_rate(struct nlmsg_sock *s, int index, uint64_t bytes)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct tcmsg t = {.tcm_ifindex = index, .tcm_handle = ROOT, .tcm_parent = TC_H_ROOT};
	uint32_t burst = share(bytes, 100, BURST_MIN);
	struct tc_tbf_qopt q = {
	    .rate = {.rate = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes,
		     .linklayer = TC_LINKLAYER_ETHERNET},
	    .limit = burst + share(bytes, 20, QUEUE_MIN),
	};
	size_t m = start(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &t, "tbf");
	size_t o = nlmsg_nest(&b, TCA_OPTIONS);

	nlmsg_attr(&b, TCA_TBF_PARMS, &q, sizeof(q));
	nlmsg_u32(&b, TCA_TBF_BURST, burst);
	if (bytes > UINT32_MAX)
		nlmsg_attr(&b, TCA_TBF_RATE64, &bytes, sizeof(bytes));
	nlmsg_nest_end(&b, o);
	return finish(s, &b, m);
}

static int forget(struct nlmsg_sock *s, const struct tcmsg *t)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	size_t m = start(&b, RTM_DELQDISC, 0, t, NULL);
	int r = finish(s, &b, m);

	/* The one that a device has of itself cannot be deleted: -ENOENT. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

int qdisc_no_rate(struct nlmsg_sock *s, int index)
{
	return forget(
	    s, &(struct tcmsg){.tcm_ifindex = index, .tcm_handle = ROOT, .tcm_parent = TC_H_ROOT});
}

int qdisc_block_add(struct nlmsg_sock *s, const char *name)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct ifinfomsg i = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	size_t m =
	    nlmsg_start(&b, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));
	size_t info;

	nlmsg_str(&b, IFLA_IFNAME, name);
	info = nlmsg_nest(&b, IFLA_LINKINFO);
	nlmsg_str(&b, IFLA_INFO_KIND, "ifb");
	nlmsg_nest_end(&b, info);
	return finish(s, &b, m);
}

/* Every packet, by a selector that looks at none of it. */
static int filter(struct nlmsg_sock *s, int index, int block)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct tcmsg t = {.tcm_ifindex = index,
			  .tcm_parent = INGRESS,
			  .tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL))};
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key;
	} all = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
	struct tc_mirred to = {
	    .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)block};
	size_t m = start(&b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &t, "u32");
	size_t o = nlmsg_nest(&b, TCA_OPTIONS), acts, one, ao;

	nlmsg_attr(&b, TCA_U32_SEL, &all, sizeof(all));
	acts = nlmsg_nest(&b, TCA_U32_ACT);
	one = nlmsg_nest(&b, 1);
	nlmsg_str(&b, TCA_ACT_KIND, "mirred");
	ao = nlmsg_nest(&b, TCA_ACT_OPTIONS);
	nlmsg_attr(&b, TCA_MIRRED_PARMS, &to, sizeof(to));
	nlmsg_nest_end(&b, ao);
	nlmsg_nest_end(&b, one);
	nlmsg_nest_end(&b, acts);
	nlmsg_nest_end(&b, o);
	return finish(s, &b, m);
}

int qdisc_redirect(struct nlmsg_sock *s, int index, int block)
{
	auto_buf struct buf b = BUF_INIT(ONE_MAX);
	struct tcmsg t = {.tcm_ifindex = index, .tcm_handle = INGRESS, .tcm_parent = TC_H_INGRESS};
	size_t m = start(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &t, "ingress");
	int r = finish(s, &b, m);

	if (r == -EEXIST)
		return 0;
	if (r < 0)
		return r;
	r = filter(s, index, block);
	if (r < 0)
		(void)qdisc_no_redirect(s, index);
	return r;
}

int qdisc_no_redirect(struct nlmsg_sock *s, int index)
{
	return forget(s, &(struct tcmsg){.tcm_ifindex = index,
					 .tcm_handle = INGRESS,
					 .tcm_parent = TC_H_INGRESS});
}
