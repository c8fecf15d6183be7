/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/settings.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "guest/boot.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_DIR	"/run/caisson/files"
#define CARRIER_WAIT_MS 500

int settings_time(int64_t ns, struct err *e)
{
	struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	return clock_settime(CLOCK_REALTIME, &t) < 0 ? err_sys(e, "set the clock") : 0;
}

/* Credited and reseeded at once: after a clone of a running guest two machines must not share one
 * generator's state (the kernel would otherwise reseed up to a minute later). */
int settings_entropy(const void *data, size_t len, struct err *e)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[4096];
	} pool;
	auto_fd int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_sys(e, "/dev/urandom");
	if (len > sizeof(pool.bytes))
		return err_set(e, ERR_LIMIT, "%zu bytes of entropy", len);
	pool.info.entropy_count = (int)len * 8;
	pool.info.buf_size = (int)len;
	memcpy(pool.bytes, data, len);
	if (ioctl(fd, RNDADDENTROPY, &pool.info) < 0 || ioctl(fd, RNDRESEEDCRNG, NULL) < 0)
		r = err_sys(e, "add entropy");
	explicit_bzero(&pool, sizeof(pool));
	return r;
}

int settings_cpus(int64_t quota, int64_t period, struct err *e)
{
	long have = sysconf(_SC_NPROCESSORS_CONF);
	int64_t want = quota > 0 ? (quota + period - 1) / period : have;

	/* The first one stays: it takes the interrupts. */
	for (long i = 1; i < have; i++) {
		char path[64];
		int r;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/online", i);
		r = file_put(AT_FDCWD, path, i < want ? "1" : "0");
		if (r < 0) {
			errno = -r;
			return err_sys(e, "take CPU %ld of the guest %s", i,
				       i < want ? "online" : "offline");
		}
	}
	return 0;
}

struct by_mac {
	uint8_t mac[6];
	struct netlink_link link;
	int found;
};

/* In a machine that goes on from a template the interfaces have no address of anybody's yet, but
 * their order. */
static int match_blank(const struct netlink_link *l, void *arg)
{
	struct by_mac *b = arg;
	uint8_t blank[6];

	netlink_mac_parse(PLAN_NIC_BLANK_MAC "00", blank);
	if (memcmp(l->mac, blank, 5) == 0 && (!b->found || l->mac[5] < b->link.mac[5])) {
		b->link = *l;
		b->found = 1;
	}
	return 0;
}

static int match_mac(const struct netlink_link *l, void *arg)
{
	struct by_mac *b = arg;

	if (!b->found && memcmp(l->mac, b->mac, sizeof(b->mac)) == 0) {
		b->link = *l;
		b->found = 1;
	}
	return 0;
}

static int add_address(struct nlmsg_sock *s, int index, const char *text)
{
	struct netlink_ip ip;
	int r;

	if (!text)
		return 0;
	r = netlink_ip_parse(text, &ip);
	if (r == 0)
		r = netlink_addr_add(s, index, &ip);
	return r == -EEXIST ? 0 : r;
}

static int add_gateway(struct nlmsg_sock *s, int index, const char *text)
{
	struct netlink_route route = {.index = index};
	int r;

	if (!text)
		return 0;
	r = netlink_ip_parse(text, &route.gateway);
	if (r == 0) {
		route.dst.family = 0;
		r = netlink_route_add(s, &route);
	}
	return r == -EEXIST ? 0 : r;
}

/* Everything through the gateway, which is the only neighbour on the link. */
static int add_routes6(struct nlmsg_sock *s, int index, const struct plan_nic *nic)
{
	struct netlink_route link = {.index = index}, net = {.index = index};
	int r;

	if (!nic->subnet6)
		return add_gateway(s, index, nic->gateway6);
	r = nic->gateway6 && nic->subnet6 ? netlink_ip_parse(nic->gateway6, &link.dst) : -EINVAL;

	if (r == 0)
		r = netlink_ip_parse(nic->subnet6, &net.dst);
	if (r < 0)
		return r;
	net.gateway = link.dst;
	r = netlink_route_add(s, &link);
	if (r == 0 || r == -EEXIST)
		r = netlink_route_add(s, &net);
	if (r < 0 && r != -EEXIST)
		return r;
	return nic->gateway ? add_gateway(s, index, nic->gateway6) : 0;
}

static int rename_link(const char *from, const char *to)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq rq = {0};

	if (fd < 0)
		return -errno;
	if (strlen(to) >= IFNAMSIZ)
		return -EINVAL;
	memcpy(rq.ifr_name, from, strnlen(from, IFNAMSIZ - 1));
	memcpy(rq.ifr_newname, to, strlen(to));
	return ioctl(fd, SIOCSIFNAME, &rq) < 0 ? -errno : 0;
}

/* With several cards the kernel may have given our name to another one. */
static int take_name(struct nlmsg_sock *s, const char *from, const char *to)
{
	struct netlink_link other;
	char aside[IFNAMSIZ];

	if (netlink_link_get(s, to, &other) == 0) {
		int r;

		snprintf(aside, sizeof(aside), "later%d", other.index);
		r = rename_link(to, aside);
		if (r < 0)
			return r;
	}
	return rename_link(from, to);
}

/* The driver reports its carrier from a work item a moment after the interface is up; until then
 * the kernel drops what a fast process sends.  A tap that nobody has plugged in stays without: that
 * is no reason not to start. */
static int wait_carrier(struct nlmsg_sock *s, const char *name)
{
	struct timespec step = {.tv_nsec = 1000000};
	struct netlink_link l;
	int r = 0;

	for (int ms = 0; ms < CARRIER_WAIT_MS; ms++) {
		r = netlink_link_get(s, name, &l);
		if (r < 0 || l.flags & IFF_RUNNING)
			break;
		nanosleep(&step, NULL);
	}
	return r;
}

/* Addresses and routes are those of the plan; a kernel without IPv6 has no such file. */
static void refuse_routers(const char *name)
{
	char path[64 + IFNAMSIZ];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	(void)file_put(AT_FDCWD, path, "0");
}

static int address(struct nlmsg_sock *s, int index, const struct plan_nic *nic)
{
	int r = nic->mtu > 0 ? netlink_link_mtu(s, index, (uint32_t)nic->mtu) : 0;

	if (r == 0)
		r = add_address(s, index, nic->address);
	if (r == 0)
		r = add_address(s, index, nic->address6);
	if (r == 0)
		refuse_routers(nic->name);
	if (r == 0)
		r = netlink_link_up(s, index);
	if (r == 0)
		r = wait_carrier(s, nic->name);
	if (r == 0)
		r = add_gateway(s, index, nic->gateway);
	return r == 0 && nic->address6 ? add_routes6(s, index, nic) : r;
}

static int configure(struct nlmsg_sock *s, const struct plan_nic *nic)
{
	struct by_mac b = {0};
	int r = nic->mac ? netlink_mac_parse(nic->mac, b.mac) : -EINVAL;

	if (r == 0)
		r = netlink_link_each(s, match_mac, &b);
	if (r == 0 && !b.found) {
		r = netlink_link_each(s, match_blank, &b);
		if (r == 0 && b.found)
			r = netlink_link_mac(s, b.link.index, b.mac);
	}
	if (r == 0 && !b.found)
		r = -ENODEV;
	if (r == 0 && !streq(b.link.name, nic->name))
		r = take_name(s, b.link.name, nic->name);
	return r < 0 ? r : address(s, b.link.index, nic);
}

struct old_addresses {
	struct netlink_ip keep, keep6, v[64];
	size_t n;
};

static bool same_ip(const struct netlink_ip *a, const struct netlink_ip *b)
{
	return a->family == b->family && a->len == b->len &&
	       memcmp(a->addr, b->addr, a->family == AF_INET ? 4 : 16) == 0;
}

static int see_address(const struct netlink_ip *ip, void *arg)
{
	struct old_addresses *o = arg;

	if (!same_ip(ip, &o->keep) && !same_ip(ip, &o->keep6) && o->n < 64)
		o->v[o->n++] = *ip;
	return 0;
}

/* Of a link that is down the kernel forgets routes and neighbours. */
static int change(struct nlmsg_sock *s, const struct plan_nic *nic)
{
	struct old_addresses old = {.n = 0};
	struct netlink_link l;
	uint8_t mac[6];
	int r = nic->mac ? netlink_mac_parse(nic->mac, mac) : -EINVAL;

	if (r == 0)
		r = netlink_link_get(s, nic->name, &l);
	if (r == 0 && nic->address)
		r = netlink_ip_parse(nic->address, &old.keep);
	if (r == 0 && nic->address6)
		r = netlink_ip_parse(nic->address6, &old.keep6);
	if (r == 0)
		r = netlink_addr_each(s, l.index, see_address, &old);
	if (r == 0 && (old.n || memcmp(l.mac, mac, sizeof(mac)) != 0)) {
		r = netlink_link_down(s, l.index);
		if (r == 0)
			r = netlink_link_mac(s, l.index, mac);
	}
	for (size_t i = 0; r == 0 && i < old.n; i++) {
		r = netlink_addr_del(s, l.index, &old.v[i]);
		if (r == -EADDRNOTAVAIL) /* it went with the link */
			r = 0;
	}
	return r < 0 ? r : address(s, l.index, nic);
}

int settings_net_again(const struct plan_nic *nic, struct err *e)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;
	int r = nlmsg_open(&s, NETLINK_ROUTE);

	if (r == 0)
		r = change(&s, nic);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "interface %s", nic->name);
	}
	return 0;
}

int settings_net(const struct plan_nic *nic, struct err *e)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;
	int r = boot_modules("net", e);

	if (r < 0)
		return r;
	r = nlmsg_open(&s, NETLINK_ROUTE);
	if (r == 0)
		r = configure(&s, nic);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "interface %s", nic->name);
	}
	return 0;
}

int settings_file(const char *name, const void *data, size_t len, struct err *e)
{
	auto_fd int dir = -1, fd = -1;
	int r;

	if (mkdir(FILES_DIR, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir " FILES_DIR);
	dir = open(FILES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, FILES_DIR);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "file %s", name);
	r = fd_write_all(fd, data, len);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "file %s", name);
	}
	return 0;
}
