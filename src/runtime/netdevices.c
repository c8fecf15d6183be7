/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/netdevices.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "sys/fd.h"
#include "sys/netlink.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#define ADDRESSES_MAX 256 /* of one device */

struct move {
	struct nlmsg_sock here, there;
	int ns_fd;
	bool check_only;
	struct err *e;
};

struct addresses {
	struct netlink_ip v[ADDRESSES_MAX];
	size_t n;
};

/* dev_valid_name() of the kernel. */
static bool is_name(const char *s)
{
	if (!*s || strlen(s) >= IFNAMSIZ || streq(s, ".") || streq(s, ".."))
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || *s == '%' || (unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static int collect(const struct netlink_ip *ip, void *arg)
{
	struct addresses *a = arg;

	if (a->n == ADDRESSES_MAX)
		return -E2BIG;
	a->v[a->n++] = *ip;
	return 0;
}

static int settle(struct move *m, const char *name, const struct addresses *a)
{
	struct netlink_link l;
	int r = netlink_link_get(&m->there, name, &l);

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		r = netlink_addr_add(&m->there, l.index, &a->v[i]);
		if (r == -EEXIST)
			r = 0;
	}
	return r < 0 ? r : netlink_link_up(&m->there, l.index);
}

static int move_one(struct move *m, const char *host, const char *name)
{
	struct addresses *a = calloc(1, sizeof(*a));
	struct netlink_link l;
	int r;

	if (!a)
		abort();
	r = netlink_link_get(&m->here, host, &l);
	if (r == 0)
		r = netlink_addr_each(&m->here, l.index, collect, a);
	/* A device is renamed only while it is down. */
	if (r == 0)
		r = netlink_link_down(&m->here, l.index);
	if (r == 0)
		r = netlink_link_move(&m->here, l.index, m->ns_fd, streq(host, name) ? NULL : name);
	if (r == 0)
		r = settle(m, name, a);
	free(a);
	if (r == -ENODEV)
		return err_set(m->e, ERR_NOT_FOUND, "linux.netDevices: no network device '%s'",
			       host);
	if (r < 0) {
		errno = -r;
		return err_sys(m->e, "linux.netDevices: move '%s' to '%s'", host, name);
	}
	return 0;
}

static int each(const char *host, struct json *value, void *arg)
{
	const char *name = host;
	struct move *m = arg;
	struct json *given;

	if (!json_is_object(value))
		return err_set(m->e, ERR_USAGE, "linux.netDevices.%s: expected an object", host);
	given = json_member(value, "name");
	if (given)
		name = json_string(given);
	if (!is_name(host) || !name || !is_name(name))
		return err_set(m->e, ERR_USAGE, "linux.netDevices.%s: not the name of a device",
			       host);
	return m->check_only ? 0 : move_one(m, host, name);
}

static int walk(const char *json, struct move *m)
{
	struct json *j = NULL;
	int r = json_parse(json, strlen(json), "linux.netDevices", &j, m->e);

	if (r < 0)
		return r;
	r = json_is_object(j) ? json_each(j, each, m)
			      : err_set(m->e, ERR_USAGE, "linux.netDevices: expected an object");
	json_free(j);
	return r;
}

int netdevices_check(const char *json, struct err *e)
{
	struct move m = {.check_only = true, .e = e};

	return walk(json, &m);
}

/* A netlink socket belongs to the namespace it was opened in. */
static int open_there(struct move *m)
{
	auto_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (own < 0)
		return -errno;
	if (setns(m->ns_fd, CLONE_NEWNET) < 0)
		return -errno;
	r = nlmsg_open(&m->there, NETLINK_ROUTE);
	if (setns(own, CLONE_NEWNET) < 0)
		abort(); /* nothing may go on in the wrong namespace */
	return r;
}

int netdevices_move(const char *json, int ns_fd, struct err *e)
{
	struct move m = {.here = NLMSG_SOCK_INIT, .there = NLMSG_SOCK_INIT, .ns_fd = ns_fd, .e = e};
	int r = nlmsg_open(&m.here, NETLINK_ROUTE);

	if (r == 0)
		r = open_there(&m);
	if (r < 0) {
		errno = -r;
		r = err_sys(e, "linux.netDevices: reach the network namespaces");
	} else {
		r = walk(json, &m);
	}
	nlmsg_close(&m.here);
	nlmsg_close(&m.there);
	return r;
}
