/* SPDX-License-Identifier: Apache-2.0 */
/* In network namespaces of its own; what packets do is tested by tests/net/matrix_test.py. */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "fmt/publish.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "sys/file.h"
#include "sys/netlink.h"
#include "sys/path.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

struct host {
	char dir[64];
	int root, run;
	struct nlmsg_sock route;
	struct arena a;
};

static bool host_open(struct host *h)
{
	struct netlink_link lo;

	*h = (struct host){
	    .dir = "/tmp/caisson-net-XXXXXX", .root = -1, .run = -1, .route = {.fd = -1}};
	if (unshare(CLONE_NEWNET) < 0 || nlmsg_open(&h->route, NETLINK_ROUTE) < 0 ||
	    netlink_link_get(&h->route, "lo", &lo) < 0 ||
	    netlink_link_up(&h->route, lo.index) < 0 || !mkdtemp(h->dir))
		return false;
	h->root = open(h->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(h->root, "run", 0755);
	h->run = openat(h->root, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return h->run >= 0;
}

static void host_close(struct host *h)
{
	nlmsg_close(&h->route);
	if (h->run >= 0)
		close(h->run);
	if (h->root >= 0)
		close(h->root);
	if (*h->dir)
		path_remove(AT_FDCWD, h->dir);
	arena_free(&h->a);
}

static const char *id_of(struct host *h, int n)
{
	return arena_printf(&h->a, "%016x%048x", n * 0x1000193, n);
}

static int attach(struct host *h, int n, int isolation, const char *publish,
		  struct attach_result *out, struct err *e)
{
	struct publish p;
	struct attach_request q = {
	    .root_fd = h->root,
	    .run_fd = h->run,
	    .id = id_of(h, n),
	    .name = "x",
	    .hostname = "box",
	    .isolation = isolation,
	    .endpoints = &(struct attach_endpoint){.network = "bridge"},
	    .n_endpoints = 1,
	    .publish = &p,
	};

	if (publish) {
		int r = publish_parse(publish, &p, e);

		if (r < 0)
			return r;
		q.n_publish = 1;
	}
	return attach_instance(&q, &h->a, out, e);
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, 0) == 0;
}

static int count_links(const struct netlink_link *l, void *arg)
{
	int *n = arg;

	(*n)++;
	return 0;
}

static int links(struct host *h)
{
	int n = 0;

	return netlink_link_each(&h->route, count_links, &n) < 0 ? -1 : n;
}

/* Put text into run/net/leases/bridge/name. */
static int put_lease(struct host *h, const char *name, const char *text)
{
	auto_fd int dir = openat(h->run, "net/leases/bridge", O_RDONLY | O_DIRECTORY);

	return dir < 0 ? -errno : file_replace(dir, name, text, strlen(text), 0644, FILE_LAZY);
}

#define HOST(h)                                                                                    \
	auto_with(host_close) struct host h;                                                       \
	if (!host_open(&h))                                                                        \
	SKIP("needs root")

TEST(container_and_vm_on_the_default_bridge)
{
	struct attach_result c, v;
	struct err e = ERR_INIT;
	struct netlink_link l;

	HOST(h);
	if (attach(&h, 1, PLAN_CONTAINER, "127.0.0.1:8080:80", &c, &e) < 0)
		CHECK_STR(e.msg, "");
	CHECK(c.netns_fd >= 0 && !c.n_taps);
	CHECK_STR(c.nics.v[0].address, "172.30.0.2/16");
	CHECK_STR(c.nics.v[0].mac, "02:42:ac:1e:00:02");
	CHECK_STR(c.nics.v[0].gateway, "172.30.0.1");
	CHECK_INT(c.nics.v[0].mtu, 1500);
	CHECK_STR(c.hostname, "box\n");
	CHECK(strstr(c.hosts, "\n172.30.0.2\tbox\n"));
	CHECK(strstr(c.resolv_conf, "nameserver "));
	CHECK_INT(c.n_published, 1);
	CHECK_INT(c.n_port_fds, 1);
	CHECK(exists(h.run, "net/leases/bridge/172.30.0.2"));
	CHECK(exists(h.run, "net/ports/tcp-8080/127.0.0.1"));

	CHECK_INT(attach(&h, 2, PLAN_VM, NULL, &v, &e), 0);
	CHECK(v.n_taps == 1 && v.netns_fd < 0);
	CHECK_STR(v.nics.v[0].address, "172.30.0.3/16");
	CHECK_INT(netlink_link_get(&h.route, v.nics.v[0].tap, &l), 0);
	CHECK_STR(l.kind, "tun");
	CHECK_INT(links(&h), 4); /* lo, caisson0, veth, tap */

	attach_done(&c);
	attach_done(&v);
	CHECK_INT(attach_remove(h.run, id_of(&h, 1), &e), 0);
	CHECK_INT(attach_remove(h.run, id_of(&h, 1), &e), 0);
	CHECK_INT(attach_remove(h.run, id_of(&h, 2), &e), 0);
	CHECK(!exists(h.run, "net/leases/bridge/172.30.0.2"));
	CHECK(!exists(h.run, "net/ports/tcp-8080"));
	for (int i = 0; i < 300 && links(&h) != 2; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	CHECK_INT(links(&h), 2);
}

/* An ARP request for the gateway through the tap, from sender_mac and the last byte of the sender's
 * address; whether the host answers.  Frames carry the virtio-net header of 10 bytes. */
static bool asked(int tap, const uint8_t sender_mac[6], uint8_t last)
{
	uint8_t f[10 + 42] = {0}, in[2048];

	memset(f + 10, 0xff, 6);
	memcpy(f + 16, sender_mac, 6);
	memcpy(f + 22, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(f + 32, sender_mac, 6);
	memcpy(f + 38, (const uint8_t[]){172, 30, 0, last}, 4);
	memcpy(f + 48, (const uint8_t[]){172, 30, 0, 1}, 4);
	while (read(tap, in, sizeof(in)) > 0)
		;
	if (write(tap, f, sizeof(f)) != sizeof(f))
		return false;
	for (;;) {
		struct pollfd p = {.fd = tap, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, 500) <= 0)
			return false;
		n = read(tap, in, sizeof(in));
		if (n >= 52 && in[22] == 8 && in[23] == 6 && in[31] == 2)
			return true;
	}
}

TEST(a_vm_speaks_for_itself_only)
{
	struct attach_result v;
	struct plan_nic *nic;
	uint8_t mac[6], other[6] = {2, 0x42, 1, 2, 3, 4};

	HOST(h);
	CHECK_INT(attach(&h, 1, PLAN_VM, NULL, &v, NULL), 0);
	nic = &v.nics.v[0];
	netlink_mac_parse(nic->mac, mac);
	CHECK(asked(v.tap_fds[0], mac, 2));
	CHECK(!asked(v.tap_fds[0], mac, 3));
	CHECK(!asked(v.tap_fds[0], other, 2));
	CHECK(asked(v.tap_fds[0], mac, 2));
	attach_done(&v);
}

TEST(ports_conflict_by_address)
{
	struct attach_result a, b;
	struct err e = ERR_INIT;

	HOST(h);
	CHECK_INT(attach(&h, 1, PLAN_CONTAINER, "127.0.0.1:8080:80", &a, &e), 0);
	attach_done(&a); /* nobody holds the socket: our own record must know */
	CHECK(attach(&h, 2, PLAN_CONTAINER, "8080:80", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_CONFLICT);
	CHECK_STR(e.msg, "port 0.0.0.0:8080/tcp is already in use");
	CHECK(attach(&h, 2, PLAN_CONTAINER, "127.0.0.1:8080:80", &b, &e) < 0);
	CHECK_INT(attach(&h, 2, PLAN_CONTAINER, "8080:80/udp", &b, &e), 0);
	attach_done(&b);
	CHECK_INT(attach(&h, 3, PLAN_CONTAINER, "8079-8081:80", &b, &e), 0);
	CHECK_INT(b.published[0].host_first, 8079);
	attach_done(&b);
	CHECK_INT(attach(&h, 4, PLAN_CONTAINER, "127.0.0.1:8080-8081:80", &b, &e), 0);
	CHECK_INT(b.published[0].host_first, 8081);
	attach_done(&b);
	CHECK(attach(&h, 5, PLAN_CONTAINER, "127.0.0.1:8080-8081:80", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_CONFLICT);
	CHECK(attach(&h, 5, PLAN_CONTAINER, "192.0.2.77:80:80", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_USAGE);
	CHECK(attach(&h, 5, PLAN_CONTAINER, "[::1]:80:80", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_UNSUPPORTED);
	/* What failed took no address and left no link: four instances, bridge, lo. */
	CHECK_INT(attach(&h, 5, PLAN_CONTAINER, "127.0.0.1::1000-1009", &b, &e), 0);
	CHECK_INT(b.n_published, 10);
	CHECK(b.published[0].host_first != 0);
	CHECK(!exists(h.run, "net/attached/none"));
	attach_done(&b);
}

TEST(a_listener_of_the_host_is_a_conflict)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8080)};
	auto_fd int s = -1;
	struct attach_result b;
	struct err e = ERR_INIT;

	HOST(h);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CHECK_INT(listen(s, 1), 0);
	CHECK(attach(&h, 1, PLAN_CONTAINER, "8080:80", &b, &e) < 0);
	CHECK_STR(e.msg, "port 0.0.0.0:8080/tcp is already in use");
	CHECK(!exists(h.run, "net/leases/bridge/172.30.0.2"));
	CHECK(!exists(h.run, "net/ports/tcp-8080"));
}

TEST(held_ports_cannot_be_taken_by_others)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8080)};
	auto_fd int s = -1;
	struct attach_result b;
	int on = 1;

	HOST(h);
	CHECK_INT(attach(&h, 1, PLAN_CONTAINER, "8080:80", &b, NULL), 0);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_INT(bind(s, (struct sockaddr *)&sa, sizeof(sa)), -1);
	attach_done(&b);
	CHECK_INT(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

TEST(taken_subnets_and_names_are_avoided)
{
	struct attach_result a;
	struct netlink_link l;
	struct netlink_ip ip;

	HOST(h);
	CHECK_INT(netlink_bridge_add(&h.route, &(struct netlink_bridge){.name = "caisson0"}), 0);
	CHECK_INT(netlink_link_get(&h.route, "caisson0", &l), 0);
	CHECK_INT(netlink_link_up(&h.route, l.index), 0);
	netlink_ip_parse("172.30.5.1/24", &ip);
	CHECK_INT(netlink_addr_add(&h.route, l.index, &ip), 0);
	netlink_ip_parse("172.28.0.1/15", &ip);
	CHECK_INT(netlink_addr_add(&h.route, l.index, &ip), 0);
	CHECK_INT(attach(&h, 1, PLAN_CONTAINER, NULL, &a, NULL), 0);
	CHECK_STR(a.nics.v[0].address, "172.27.0.2/16");
	CHECK_INT(netlink_link_get(&h.route, "caisson1", &l), 0);
	attach_done(&a);
}

TEST(addresses_come_back_late)
{
	struct attach_result a;

	HOST(h);
	for (int i = 1; i <= 3; i++) {
		CHECK_INT(attach(&h, i, PLAN_VM, NULL, &a, NULL), 0);
		CHECK_STR(a.nics.v[0].address, arena_printf(&h.a, "172.30.0.%d/16", i + 1));
		attach_done(&a);
		CHECK_INT(attach_remove(h.run, id_of(&h, i), NULL), 0);
	}
	/* At the end of the subnet the search begins again. */
	CHECK_INT(put_lease(&h, ".next", "65534"), 0);
	CHECK_INT(attach(&h, 4, PLAN_VM, NULL, &a, NULL), 0);
	CHECK_STR(a.nics.v[0].address, "172.30.255.254/16");
	attach_done(&a);
	CHECK_INT(attach(&h, 5, PLAN_VM, NULL, &a, NULL), 0);
	CHECK_STR(a.nics.v[0].address, "172.30.0.2/16");
	attach_done(&a);
}

static bool only_even(const char *id, void *arg)
{
	return (strtoul(id + 60, NULL, 16) & 1) == 0;
}

TEST(sweep_removes_the_dead_only)
{
	struct attach_result a[4];

	HOST(h);
	for (int i = 0; i < 4; i++)
		CHECK_INT(attach(&h, i, PLAN_VM, i ? NULL : "9000:9000", &a[i], NULL), 0);
	/* A lease of one that was killed before its record. */
	CHECK_INT(put_lease(&h, "172.30.9.9", ""), 0);
	CHECK_INT(attach_sweep(h.run, only_even, NULL, NULL), 2);
	CHECK(exists(h.run, "net/leases/bridge/172.30.0.2"));
	CHECK(!exists(h.run, "net/leases/bridge/172.30.0.3"));
	CHECK(!exists(h.run, "net/leases/bridge/172.30.9.9"));
	CHECK(exists(h.run, "net/ports/tcp-9000/0.0.0.0"));
	CHECK_INT(links(&h), 4); /* the taps of the dead are gone though held here */
	CHECK_INT(attach_sweep(h.run, only_even, NULL, NULL), 0);
	/* Every record has its lease, and one lease has no record. */
	CHECK_INT(put_lease(&h, "172.30.9.8", id_of(&h, 1)), 0);
	CHECK_INT(attach_sweep(h.run, only_even, NULL, NULL), 0);
	CHECK(!exists(h.run, "net/leases/bridge/172.30.9.8"));
	for (int i = 0; i < 4; i++)
		attach_done(&a[i]);
}

TEST(a_second_start_heals_the_first)
{
	struct attach_result a, b;

	HOST(h);
	CHECK_INT(attach(&h, 1, PLAN_VM, "9000:9000", &a, NULL), 0);
	for (size_t i = 0; i < a.n_port_fds; i++)
		close(a.port_fds[i]);
	a.n_port_fds = 0;
	CHECK_INT(attach(&h, 1, PLAN_VM, "9000:9000", &b, NULL), 0);
	CHECK_STR(b.nics.v[0].address, "172.30.0.3/16");
	CHECK(!exists(h.run, "net/leases/bridge/172.30.0.2"));
	attach_done(&a);
	attach_done(&b);
}

TEST(none_and_host)
{
	struct attach_result r;
	struct err e = ERR_INIT;
	struct attach_endpoint on = {.network = "none"};
	struct attach_request q = {.endpoints = &on, .n_endpoints = 1, .hostname = "box"};

	HOST(h);
	q.id = id_of(&h, 1);
	q.root_fd = h.root;
	q.run_fd = h.run;
	CHECK_INT(attach_instance(&q, &h.a, &r, &e), 0);
	CHECK(r.netns_fd >= 0);
	CHECK_INT(r.nics.n, 0);
	CHECK(strstr(r.hosts, "127.0.1.1\tbox\n"));
	attach_done(&r);
	on.network = "host";
	CHECK_INT(attach_instance(&q, &h.a, &r, &e), 0);
	CHECK_INT(r.netns_fd, -1);
	q.isolation = PLAN_VM;
	CHECK(attach_instance(&q, &h.a, &r, &e) < 0);
	CHECK_INT(e.kind, ERR_UNSUPPORTED);
	on.network = "missing";
	CHECK_INT(attach_instance(&q, &h.a, &r, &e), -ENOENT);
	CHECK_STR(e.msg, "no network 'missing'");
	on.network = "../../etc/x";
	CHECK_INT(attach_instance(&q, &h.a, &r, &e), -EINVAL);
	CHECK_INT(links(&h), 1);
	on.network = "none";
	q.extra_hosts.v = (const char *[]){"db:10.0.0.1\nevil"};
	q.extra_hosts.n = 1;
	CHECK_INT(attach_instance(&q, &h.a, &r, &e), -EINVAL);
}

TEST(lost_rules_come_back_with_every_element)
{
	struct attach_result a, b;
	pid_t pid;
	int status;

	HOST(h);
	CHECK_INT(attach(&h, 1, PLAN_CONTAINER, "127.0.0.1:8080:80", &a, NULL), 0);
	pid = fork();
	if (pid == 0) {
		execl("/usr/sbin/nft", "nft", "flush", "ruleset", NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_INT(attach(&h, 2, PLAN_CONTAINER, "8081:80", &b, NULL), 0);
	/* Deleting fails when an element is missing in a table that is there, unless it is
	 * tolerated; so look with the program. */
	pid = fork();
	if (pid == 0) {
		execl("/usr/sbin/nft", "nft", "get", "element", "inet", "caisson0", "published",
		      "{ tcp . 127.0.0.1 . 8080 }", NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	attach_done(&a);
	attach_done(&b);
	CHECK_INT(attach_remove(h.run, id_of(&h, 1), NULL), 0);
	CHECK_INT(attach_remove(h.run, id_of(&h, 2), NULL), 0);
}

TEST_MAIN(T(container_and_vm_on_the_default_bridge), T(a_vm_speaks_for_itself_only),
	  T(ports_conflict_by_address), T(a_listener_of_the_host_is_a_conflict),
	  T(held_ports_cannot_be_taken_by_others), T(taken_subnets_and_names_are_avoided),
	  T(addresses_come_back_late), T(sweep_removes_the_dead_only),
	  T(a_second_start_heals_the_first), T(none_and_host),
	  T(lost_rules_come_back_with_every_element))
