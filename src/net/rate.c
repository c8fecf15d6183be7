/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rate.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "net/aside.h"
#include "net/attachment.h"
#include "sys/fd.h"
#include "sys/netlink.h"
#include "sys/qdisc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int take(const char *text, uint64_t *to, const char *whole, struct err *e)
{
	uint64_t v;

	if (opt_parse_bytes(text, &v) < 0 || (v && v < RATE_MIN) || v > RATE_MAX)
		return err_set(e, ERR_USAGE,
			       "--network-rate '%.60s': want bytes a second from %d on such as "
			       "10m, or 0, for both ways or as in=SIZE,out=SIZE",
			       whole, RATE_MIN);
	*to = v;
	return 0;
}

int rate_parse(const char *text, struct rate *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct rate rate = {0};
	const char *at = text;
	int r = 0;

	if (!strpbrk(text, "=,")) {
		r = take(text, &rate.in, text, e);
		rate.out = rate.in;
		at = "";
	}
	while (r == 0 && *at) {
		size_t n = strcspn(at, ",");
		const char *field = arena_dupn(&a, at, n), *in = str_after(field, "in="),
			   *value = in ? in : str_after(field, "out=");

		r = take(value ? value : "", in ? &rate.in : &rate.out, text, e);
		at += n + (at[n] == ',');
	}
	if (r == 0)
		*out = rate;
	return r;
}

/* The port's name with another letter: "c0v..." and "c0r...". */
const char *rate_device(const struct attachment *at, struct arena *a)
{
	char *name = arena_dup(a, at->device), *letter = strchr(name, 'v');

	if (letter)
		*letter = 'r';
	return name;
}

static int failed(const struct attachment *at, int r, const char *what, struct err *e)
{
	if (r == -EOPNOTSUPP || r == -ENOENT)
		return err_set(e, ERR_UNSUPPORTED, "--network-rate: this kernel has no %s", what);
	errno = -r;
	return err_sys(e, "--network-rate: network '%s': %s", at->network, what);
}

static int sending(struct nlmsg_sock *route, const struct attachment *at, int port, uint64_t bytes,
		   struct err *e)
{
	struct netlink_link block;
	int r;

	if (!bytes) {
		r = qdisc_no_redirect(route, port);
		rate_forget(route, at);
		return r < 0 ? failed(at, r, "ingress discipline", e) : 0;
	}
	r = qdisc_block_add(route, at->limiter);
	if (r < 0 && r != -EEXIST)
		return failed(at, r, "ifb devices", e);
	r = netlink_link_get(route, at->limiter, &block);
	if (r < 0)
		return failed(at, r, "ifb device", e);
	r = qdisc_rate(route, block.index, bytes);
	if (r < 0)
		return failed(at, r, "token bucket discipline (tbf)", e);
	r = qdisc_redirect(route, port, block.index);
	return r < 0 ? failed(at, r, "ingress discipline, u32 filter or mirred action", e) : 0;
}

int rate_set(struct nlmsg_sock *route, const struct attachment *at, const struct rate *rate,
	     struct err *e)
{
	struct netlink_link port;
	int r = netlink_link_get(route, at->device, &port);

	if (r < 0)
		return failed(at, r == -ENODEV ? -ENXIO : r, "its device", e);
	r = rate->in ? qdisc_rate(route, port.index, rate->in) : qdisc_no_rate(route, port.index);
	if (r < 0)
		return failed(at, r, "token bucket discipline (tbf)", e);
	return rate->out || at->limiter ? sending(route, at, port.index, rate->out, e) : 0;
}

void rate_forget(struct nlmsg_sock *route, const struct attachment *at)
{
	struct netlink_link block;

	if (at->limiter && netlink_link_get(route, at->limiter, &block) == 0 &&
	    streq(block.kind, "ifb"))
		(void)netlink_link_del(route, block.index);
}

/* ---- of what runs ---- */

static int change_one(int net_fd, struct nlmsg_sock *route, struct attachment *at,
		      const struct rate *rate, struct arena *a, struct err *e)
{
	int r = 0;

	if (at->direct)
		return err_set(e, ERR_UNSUPPORTED,
			       "--network-rate: on network '%s' there is no device of the host's "
			       "that only this instance sends through",
			       at->network);
	if (rate->out && !at->limiter) {
		at->limiter = rate_device(at, a);
		r = attachment_write(net_fd, at, e);
	}
	return r < 0 ? r : rate_set(route, at, rate, e);
}

static int change_here(int run_fd, const char *id, const struct rate *rate, struct err *e)
{
	auto_nlmsg struct nlmsg_sock route = NLMSG_SOCK_INIT;
	auto_fd int net = attachment_dir(run_fd, e), lock = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct attachment_list all = {0};
	int r;

	if (net < 0)
		return net;
	lock = attachment_lock(net, e);
	r = lock < 0 ? lock : attachment_of(net, id, &a, &all, e);
	if (r >= 0) {
		r = nlmsg_open(&route, NETLINK_ROUTE);
		if (r < 0) {
			errno = -r;
			r = err_sys(e, "netlink");
		}
	}
	for (size_t i = 0; r >= 0 && i < all.n; i++)
		r = change_one(net, &route, &all.v[i], rate, &a, e);
	return r < 0 ? r : 0;
}

struct job {
	int run_fd;
	const char *id;
	const struct rate *rate;
};

static int change_inside(void *arg, int talk, struct aside_made *out, struct err *e)
{
	const struct job *j = arg;

	return change_here(j->run_fd, j->id, j->rate, e);
}

int rate_change(int run_fd, const char *id, const struct rate *rate, struct err *e)
{
	struct job j = {run_fd, id, rate};

	return aside_needed(run_fd) ? aside_run(run_fd, change_inside, &j, NULL, e)
				    : change_here(run_fd, id, rate, e);
}
