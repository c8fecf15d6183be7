/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/file.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>

/* A namespace of our own and a route socket in it; the process moves there for good. */
static int enter(struct nlmsg_sock *s)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	return nlmsg_open(s, NETLINK_ROUTE);
}

TEST(addresses_parse_or_are_refused)
{
	struct netlink_ip ip;
	uint8_t mac[6];

	CHECK_INT(netlink_ip_parse("172.30.0.2/16", &ip), 0);
	CHECK_INT(ip.family, AF_INET);
	CHECK_INT(ip.len, 16);
	CHECK_INT(ip.addr[3], 2);
	CHECK_INT(netlink_ip_parse("fd00::2", &ip), 0);
	CHECK_INT(ip.len, 128);
	CHECK_INT(netlink_ip_parse("1.2.3.4/33", &ip), -EINVAL);
	CHECK_INT(netlink_ip_parse("1.2.3.4/", &ip), -EINVAL);
	CHECK_INT(netlink_ip_parse("1.2.3.4/-1", &ip), -EINVAL);
	CHECK_INT(netlink_ip_parse("1.2.3", &ip), -EINVAL);
	CHECK_INT(netlink_ip_parse("", &ip), -EINVAL);
	CHECK_INT(netlink_mac_parse("02:42:ac:1e:00:02", mac), 0);
	CHECK_INT(mac[2], 0xac);
	CHECK_INT(netlink_mac_parse("02:42:ac:1e:00", mac), -EINVAL);
	CHECK_INT(netlink_mac_parse("02:42:ac:1e:00:02x", mac), -EINVAL);
}

TEST(bridge_and_veth_into_another_namespace)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT, inner = NLMSG_SOCK_INIT;
	struct netlink_link l, eth;
	struct netlink_ip ip;
	uint8_t mac[6];
	auto_fd int home = -1, ns = -1;

	if (enter(&s) < 0)
		SKIP("needs root");
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK_INT(nlmsg_open(&inner, NETLINK_ROUTE), 0);
	CHECK_INT(setns(home, CLONE_NEWNET), 0);

	netlink_mac_parse("02:42:0a:63:00:01", mac);
	CHECK_INT(netlink_bridge_add(&s, &(struct netlink_bridge){.name = "br", .mac = mac}), 0);
	CHECK_INT(netlink_bridge_add(&s, &(struct netlink_bridge){.name = "br"}), -EEXIST);
	CHECK_INT(netlink_link_get(&s, "br", &l), 0);
	CHECK_STR(l.kind, "bridge");
	CHECK(memcmp(l.mac, mac, 6) == 0);
	CHECK_INT(netlink_link_alias(&s, l.index, "caisson:test"), 0);
	mac[5] = 2;
	CHECK_INT(netlink_veth_add(&s, &(struct netlink_veth){.name = "v0",
							      .master = l.index,
							      .mtu = 1400,
							      .peer_ns = ns,
							      .peer_name = "eth0",
							      .peer_mac = mac}),
		  0);
	CHECK_INT(netlink_link_get(&inner, "eth0", &eth), 0);
	CHECK(memcmp(eth.mac, mac, 6) == 0);
	CHECK_INT(eth.mtu, 1400);
	CHECK_INT(netlink_link_up(&inner, eth.index), 0);
	netlink_ip_parse("10.99.0.2/16", &ip);
	CHECK_INT(netlink_addr_add(&inner, eth.index, &ip), 0);
	CHECK_INT(netlink_addr_add(&inner, eth.index, &ip), -EEXIST);
	netlink_ip_parse("10.99.0.1", &ip);
	CHECK_INT(netlink_route_add(&inner, &(struct netlink_route){.gateway = ip}), 0);
	CHECK_INT(netlink_neigh_add(&inner, eth.index, &ip, mac), 0);
	CHECK_INT(netlink_link_get(&s, "v0", &eth), 0);
	CHECK_INT(eth.master, l.index);
	CHECK_INT(netlink_port_set(&s, eth.index, NETLINK_PORT_ISOLATED | NETLINK_PORT_GUARD), 0);
	CHECK_INT(netlink_link_del(&s, l.index), 0);
	CHECK_INT(netlink_link_get(&s, "br", &l), -ENODEV);
	CHECK_INT(netlink_link_get(&s, "a-name-that-is-too-long", &l), -ENODEV);
}

static int count_defaults(const struct netlink_route *r, void *arg)
{
	int *n = arg;

	*n += r->dst.family == 0 && r->gateway.family == AF_INET && r->gateway.addr[3] == 9;
	return 0;
}

TEST(routes_are_listed)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;
	struct netlink_ip ip;
	struct netlink_link l;
	int n = 0;

	if (enter(&s) < 0)
		SKIP("needs root");
	CHECK_INT(netlink_bridge_add(&s, &(struct netlink_bridge){.name = "br"}), 0);
	CHECK_INT(netlink_link_get(&s, "br", &l), 0);
	CHECK_INT(netlink_link_up(&s, l.index), 0);
	netlink_ip_parse("10.99.0.1/24", &ip);
	CHECK_INT(netlink_addr_add(&s, l.index, &ip), 0);
	netlink_ip_parse("10.99.0.9", &ip);
	CHECK_INT(netlink_route_add(&s, &(struct netlink_route){.gateway = ip}), 0);
	CHECK_INT(netlink_route_each(&s, AF_INET, count_defaults, &n), 0);
	CHECK_INT(n, 1);
}

TEST(forwarding_is_what_the_sysctl_says)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;

	if (enter(&s) < 0)
		SKIP("needs root");
	for (int on = 0; on < 3; on++) {
		CHECK_INT(file_put(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", on & 1 ? "1" : "0"),
			  0);
		CHECK_INT(netlink_forwarding(&s, AF_INET), on & 1);
	}
}

TEST(tap_vanishes_with_its_descriptor)
{
	auto_nlmsg struct nlmsg_sock s = NLMSG_SOCK_INIT;
	struct netlink_link l;
	int fd;

	if (enter(&s) < 0)
		SKIP("needs root");
	fd = netlink_tap_open("t0");
	if (fd == -ENOENT)
		SKIP("no /dev/net/tun");
	CHECK(fd >= 0);
	CHECK_INT(netlink_tap_open("t0"), -EBUSY);
	CHECK_INT(netlink_link_get(&s, "t0", &l), 0);
	CHECK_STR(l.kind, "tun");
	CHECK_INT(netlink_link_mac(&s, l.index, (const uint8_t[6]){2, 0, 0, 0, 0, 1}), 0);
	CHECK_INT(netlink_link_mtu(&s, l.index, 1400), 0);
	CHECK_INT(netlink_link_up(&s, l.index), 0);
	close(fd);
	CHECK_INT(netlink_link_get(&s, "t0", &l), -ENODEV);
}

TEST_MAIN(T(addresses_parse_or_are_refused), T(bridge_and_veth_into_another_namespace),
	  T(routes_are_listed), T(forwarding_is_what_the_sysctl_says),
	  T(tap_vanishes_with_its_descriptor))
