/* SPDX-License-Identifier: Apache-2.0 */
#include "net/network.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "net/direct.h"
#include "sys/file.h"
#include "sys/path.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAX 65536
#define INDEX_MAX  1000 /* stores on one host; "c999v" leaves ten digits for the instance */

static const struct jbind_field network_fields[] = {
    JB(struct network, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, id, "id", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, driver, "driver", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, index, "index", JBIND_U32, .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct network, bridge, "bridge", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, subnet, "subnet", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, gateway, "gateway", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct network, subnet6, "subnet6", JBIND_STR),
    JB(struct network, gateway6, "gateway6", JBIND_STR),
    JB(struct network, mtu, "mtu", JBIND_U32),
    JB(struct network, range, "range", JBIND_STR),
    JB(struct network, aux, "aux", JBIND_STRS),
    JB(struct network, labels, "labels", JBIND_STRS),
    JB(struct network, options, "options", JBIND_STRS),
    JB(struct network, parent, "parent", JBIND_STR),
    JB(struct network, mode, "mode", JBIND_STR),
    JB(struct network, flag, "flag", JBIND_STR),
    JB(struct network, internal, "internal", JBIND_BOOL),
    JB(struct network, no_icc, "noIcc", JBIND_BOOL),
    JB(struct network, created_ns, "created", JBIND_INT),
    JB_END,
};
static const struct jbind network_table = {sizeof(struct network), network_fields, false};

bool network_name_valid(const char *name)
{
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && n <= NETWORK_NAME_MAX && !name[n] && !strchr("_.-", name[0]);
}

static int network_read(int dir, const char *file, struct arena *a, struct network *out,
			struct err *e)
{
	auto_free char *text = NULL;
	struct network n = {0};
	struct netlink_ip ip;
	ssize_t len = file_read(dir, file, RECORD_MAX, &text);
	int r;

	if (len < 0) {
		errno = (int)-len;
		return err_sys(e, "network record '%s'", file);
	}
	r = jbind_parse(&network_table, text, (size_t)len, &n, a, file, e);
	if (r < 0)
		return r;
	if (netlink_ip_parse(n.subnet, &ip) < 0 || ip.family != AF_INET || ip.len < 8 ||
	    ip.len > 30 || netlink_ip_parse(n.gateway, &ip) < 0 || strlen(n.bridge) >= IFNAMSIZ ||
	    strpbrk(n.bridge, "\"\\ /") ||
	    (!streq(n.driver, "bridge") && (!direct_is(&n) || direct_check(&n, NULL) < 0)) ||
	    n.index >= INDEX_MAX || strlen(n.id) != 12 ||
	    (n.range && netlink_ip_parse(n.range, &ip) < 0) ||
	    (n.subnet6 && (netlink_ip_parse(n.subnet6, &ip) < 0 || ip.family != AF_INET6 ||
			   !n.gateway6 || netlink_ip_parse(n.gateway6, &ip) < 0)))
		return err_set(e, ERR_CORRUPT, "network record '%s': not a usable network", file);
	*out = n;
	return 0;
}

/* ---- choosing ---- */

static bool overlap(const struct netlink_ip *a, const struct netlink_ip *b)
{
	uint8_t len = a->len < b->len ? a->len : b->len;
	uint8_t rest = (uint8_t)(len % 8 ? 0xff00 >> len % 8 : 0);

	return memcmp(a->addr, b->addr, len / 8) == 0 &&
	       (!rest || ((a->addr[len / 8] ^ b->addr[len / 8]) & rest) == 0);
}

static int route_clash(const struct netlink_route *r, void *arg)
{
	const struct netlink_ip *subnet = arg;

	/* A route for everything, also in two halves as tunnels write it, is no claim to a subnet.
	 */
	return r->dst.family == subnet->family && r->dst.len > 1 && overlap(&r->dst, subnet)
		   ? -EEXIST
		   : 0;
}

static int subnet_free(struct nlmsg_sock *route, const struct netlink_ip *subnet)
{
	struct netlink_ip copy = *subnet;

	return netlink_route_each(route, subnet->family, route_clash, &copy);
}

/* The k-th candidate: 172.30/16 down to 172.20/16, 10.200/16 to 10.231/16, 192.168.200/24 and up.
 */
static bool candidate(unsigned int k, struct netlink_ip *ip)
{
	*ip = (struct netlink_ip){.family = AF_INET, .len = 16};
	if (k < 11) {
		ip->addr[0] = 172;
		ip->addr[1] = (uint8_t)(30 - k);
	} else if (k < 11 + 32) {
		ip->addr[0] = 10;
		ip->addr[1] = (uint8_t)(200 + k - 11);
	} else if (k < 11 + 32 + 55) {
		ip->addr[0] = 192;
		ip->addr[1] = 168;
		ip->addr[2] = (uint8_t)(200 + k - 43);
		ip->len = 24;
	} else {
		return false;
	}
	return true;
}

/* Whose record claims the subnet, or NULL. */
static const char *claimed(const struct networks *taken, const struct netlink_ip *subnet)
{
	for (size_t i = 0; i < taken->n; i++) {
		struct netlink_ip other;

		const char *text =
		    subnet->family == AF_INET6 ? taken->v[i].subnet6 : taken->v[i].subnet;

		if (text && netlink_ip_parse(text, &other) == 0 && overlap(&other, subnet))
			return taken->v[i].name;
	}
	return NULL;
}

static int choose_index(struct nlmsg_sock *route, struct network *n, struct err *e)
{
	struct netlink_link l;
	char name[IFNAMSIZ];
	int r;

	for (n->index = 0; n->index < INDEX_MAX; n->index++) {
		snprintf(name, sizeof(name), "caisson%u", n->index);
		r = netlink_link_get(route, name, &l);
		if (r == -ENODEV)
			return 0;
		if (r < 0) {
			errno = -r;
			return err_sys(e, "look for device '%s'", name);
		}
	}
	return err_set(e, ERR_CONFLICT, "no device name caissonN is free");
}

static int choose_subnet(struct network *n, const struct networks *taken, struct nlmsg_sock *route,
			 struct arena *a, struct err *e)
{
	struct netlink_ip ip;
	int r;

	for (unsigned int k = 0;; k++) {
		if (!candidate(k, &ip))
			return err_set(e, ERR_CONFLICT,
				       "every candidate subnet overlaps a route or a network");
		if (claimed(taken, &ip))
			continue;
		r = subnet_free(route, &ip);
		if (r == 0)
			break;
		if (r != -EEXIST) {
			errno = -r;
			return err_sys(e, "read the host's routes");
		}
	}
	n->subnet = arena_printf(a, "%u.%u.%u.0/%u", ip.addr[0], ip.addr[1], ip.addr[2], ip.len);
	return 0;
}

static int check_subnet(const struct network *n, const char *subnet, const struct networks *taken,
			struct nlmsg_sock *route, struct err *e)
{
	struct netlink_ip ip;
	const char *who;
	int r;

	(void)netlink_ip_parse(subnet, &ip);
	who = claimed(taken, &ip);
	if (who)
		return err_set(e, ERR_CONFLICT, "network '%s': subnet %s overlaps that of '%s'",
			       n->name, subnet, who);
	/* On a device of the host's it is that one's, for which there is a route. */
	r = n->parent ? 0 : subnet_free(route, &ip);
	if (r == -EEXIST)
		return err_set(e, ERR_CONFLICT,
			       "network '%s': subnet %s overlaps a route of this host", n->name,
			       subnet);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "read the host's routes");
	}
	return 0;
}

/* Host number of an IPv4 address within the network. */
static uint32_t host_number(const struct network *n, const char *address)
{
	struct netlink_ip ip, net;
	uint32_t v;

	(void)netlink_ip_parse(address, &ip);
	(void)netlink_ip_parse(n->subnet, &net);
	memcpy(&v, ip.addr, sizeof(v));
	return ntohl(v) & ~(~0U << (32 - net.len));
}

static void put_host(struct netlink_ip *ip, uint32_t number)
{
	ip->len = 128;
	for (int i = 0; i < 4; i++)
		ip->addr[15 - i] |= (uint8_t)(number >> 8 * i);
}

/* A unique local prefix (RFC 4193) from the network's random id, unless one was asked for. */
static int choose_ipv6(struct network *n, const struct networks *taken, struct nlmsg_sock *route,
		       struct arena *a, struct err *e)
{
	char text[INET6_ADDRSTRLEN];
	struct netlink_ip ip;
	int r;

	if (!n->subnet6) {
		(void)netlink_ip_parse(
		    arena_printf(a, "fd%.2s:%.4s:%.4s::", n->id, n->id + 2, n->id + 6), &ip);
		inet_ntop(AF_INET6, ip.addr, text, sizeof(text));
		n->subnet6 = arena_printf(a, "%s/64", text);
	}
	r = check_subnet(n, n->subnet6, taken, route, e);
	if (r < 0 || n->gateway6)
		return r;
	(void)netlink_ip_parse(n->subnet6, &ip);
	put_host(&ip, host_number(n, n->gateway));
	inet_ntop(AF_INET6, ip.addr, text, sizeof(text));
	n->gateway6 = arena_dup(a, text);
	return 0;
}

bool network_address6(const struct network *n, const char *address, struct netlink_ip *out)
{
	char text[INET6_ADDRSTRLEN];
	bool taken;

	(void)netlink_ip_parse(n->subnet6, out);
	put_host(out, host_number(n, address));
	inet_ntop(AF_INET6, out->addr, text, sizeof(text));
	taken = streq(text, n->gateway6);
	for (size_t i = 0; !taken && i < n->aux.n; i++) {
		const char *eq = strchr(n->aux.v[i], '=');

		taken = eq && streq(eq + 1, text);
	}
	return !taken;
}

int network_choose(struct network *n, const struct networks *taken, struct nlmsg_sock *route,
		   struct arena *a, struct err *e)
{
	unsigned char raw[6];
	struct netlink_ip ip;
	int r = n->subnet ? check_subnet(n, n->subnet, taken, route, e)
			  : choose_subnet(n, taken, route, a, e);

	if (r < 0)
		return r;
	(void)netlink_ip_parse(n->subnet, &ip);
	if (!n->gateway)
		n->gateway = arena_printf(a, "%u.%u.%u.%u", ip.addr[0], ip.addr[1], ip.addr[2],
					  ip.addr[3] + 1);
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return err_sys(e, "getrandom");
	n->id = arena_printf(a, "%02x%02x%02x%02x%02x%02x", raw[0], raw[1], raw[2], raw[3], raw[4],
			     raw[5]);
	if (n->ipv6 || n->subnet6) {
		r = choose_ipv6(n, taken, route, a, e);
		if (r < 0)
			return r;
	}
	if (!n->bridge)
		n->bridge = n->parent ? n->parent : arena_printf(a, "c%un%.8s", n->index, n->id);
	if (direct_is(n))
		return direct_shares(n, taken, e);
	for (size_t i = 0; i < taken->n; i++)
		if (streq(taken->v[i].bridge, n->bridge))
			return err_set(e, ERR_CONFLICT,
				       "network '%s': device '%s' is the bridge of '%s'", n->name,
				       n->bridge, taken->v[i].name);
	return 0;
}

static int record_write(int dir, const struct network *n, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	char file[NETWORK_NAME_MAX + 8];
	int r;

	jbind_write(&network_table, n, &b);
	r = buf_fail(&b, "network record", e);
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.json", n->name);
	r = file_replace(dir, file, b.p, b.len, 0644, FILE_DURABLE);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "write network record '%s'", n->name);
	}
	return 0;
}

static int now(int64_t *ns, struct err *e)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return err_sys(e, "clock");
	*ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return 0;
}

static int make_default(int root_fd, int dir, struct nlmsg_sock *route, struct arena *a,
			struct network *out, struct err *e)
{
	struct network n = {.name = NETWORK_DEFAULT, .driver = "bridge"};
	struct networks taken;
	int r = network_list(root_fd, a, &taken, e);

	if (r == 0)
		r = choose_index(route, &n, e);
	if (r < 0)
		return r;
	n.bridge = arena_printf(a, "caisson%u", n.index);
	r = now(&n.created_ns, e);
	if (r == 0)
		r = network_choose(&n, &taken, route, a, e);
	if (r == 0)
		r = record_write(dir, &n, e);
	if (r == 0)
		*out = n;
	return r;
}

/* The directory of records, readable (file_replace() syncs it). */
static int records(int root_fd, struct err *e)
{
	int fd;

	if (mkdirat(root_fd, "networks", 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make directory 'networks'");
	fd = path_open(root_fd, "networks", O_RDONLY | O_DIRECTORY, 0, PATH_NO_LINKS);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "open directory 'networks'");
	}
	return fd;
}

int network_find(int root_fd, const char *name, struct nlmsg_sock *route, struct arena *a,
		 struct network *out, struct err *e)
{
	auto_fd int dir = -1;
	char file[NETWORK_NAME_MAX + 8];

	if (!network_name_valid(name))
		return err_set(e, ERR_USAGE, "'%.*s' is not a network name", NETWORK_NAME_MAX,
			       name);
	dir = records(root_fd, e);
	if (dir < 0)
		return dir;
	snprintf(file, sizeof(file), "%s.json", name);
	if (faccessat(dir, file, F_OK, 0) == 0)
		return network_read(dir, file, a, out, e);
	if (!streq(name, NETWORK_DEFAULT))
		return err_set(e, ERR_NOT_FOUND, "no network '%s'", name);
	return make_default(root_fd, dir, route, a, out, e);
}

int network_write(int root_fd, const struct network *n, struct err *e)
{
	auto_fd int dir = records(root_fd, e);

	return dir < 0 ? dir : record_write(dir, n, e);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct network *)x)->name, ((const struct network *)y)->name);
}

int network_list(int root_fd, struct arena *a, struct networks *out, struct err *e)
{
	int dir = records(root_fd, e), r = 0;
	struct networks l = {0};
	size_t room = 0;
	struct dirent *de;
	DIR *d;

	if (dir < 0)
		return dir;
	d = fdopendir(dir);
	if (!d) {
		r = err_sys(e, "read directory 'networks'");
		close(dir);
		return r;
	}
	while (r >= 0 && (de = readdir(d))) {
		size_t n = strlen(de->d_name);

		if (de->d_name[0] == '.' || n < 6 || !streq(de->d_name + n - 5, ".json"))
			continue;
		if (l.n == room) {
			struct network *v = arena_array(a, room ? room * 2 : 8, sizeof(*v));

			if (l.n)
				memcpy(v, l.v, l.n * sizeof(*v));
			l.v = v;
			room = room ? room * 2 : 8;
		}
		r = network_read(dir, de->d_name, a, &l.v[l.n], e);
		l.n += r >= 0;
	}
	closedir(d);
	if (r < 0)
		return r;
	/* The rules are recognised by their text, which shall not depend on a directory's order. */
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_name);
	*out = l;
	return 0;
}

/* ---- the bridge ---- */

void network_mac(const struct network *n, uint8_t mac[6])
{
	mac[0] = 0x02; /* locally administered, unicast */
	mac[1] = 0x42;
	for (int i = 0; i < 4; i++) {
		char two[3] = {n->id[2 * i], n->id[2 * i + 1], 0};

		mac[2 + i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

static int set(const char *bridge, const char *family, const char *key, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, bridge, key);
	return file_put(AT_FDCWD, path, value);
}

/* Address and switches of a bridge that is not up yet; then up. */
static int configure(const struct network *n, struct nlmsg_sock *route, int index, struct err *e)
{
	struct netlink_ip ip, net;
	int r;

	/* The host's own connections to 127.0.0.1:PORT leave through the bridge with a loopback
	 * source until they are masqueraded, and their answers come back the same way.  What
	 * instances send to 127/8 themselves is dropped by our table (CVE-2020-8558). */
	r = set(n->bridge, "ipv4", "route_localnet", "1");
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': route_localnet", n->name);
	}
	/* The host shall not talk link-local IPv6 with instances.  May be absent. */
	(void)set(n->bridge, "ipv6", "addr_gen_mode", "1");
	(void)set(n->bridge, "ipv6", "accept_ra", "0");
	(void)set(n->bridge, "ipv6", "disable_ipv6", n->subnet6 ? "0" : "1");
	(void)netlink_ip_parse(n->gateway, &ip);
	(void)netlink_ip_parse(n->subnet, &net);
	ip.len = net.len;
	r = netlink_addr_add(route, index, &ip);
	if ((r == 0 || r == -EEXIST) && n->subnet6) {
		(void)netlink_ip_parse(n->gateway6, &ip);
		(void)netlink_ip_parse(n->subnet6, &net);
		ip.len = net.len;
		r = netlink_addr_add(route, index, &ip);
	}
	if (r == -EOPNOTSUPP || r == -EACCES)
		return err_set(e, ERR_UNSUPPORTED, "network '%s': IPv6 is off on this host",
			       n->name);
	if (r == 0 || r == -EEXIST)
		r = netlink_link_up(route, index);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': configure bridge '%s'", n->name, n->bridge);
	}
	return 0;
}

static int bridge_make(const struct network *n, struct nlmsg_sock *route, struct err *e)
{
	struct netlink_ip subnet;
	uint8_t mac[6];
	int r;

	(void)netlink_ip_parse(n->subnet, &subnet);
	r = subnet_free(route, &subnet);
	if (r == -EEXIST)
		return err_set(e, ERR_CONFLICT,
			       "network '%s': subnet %s overlaps a route of this host", n->name,
			       n->subnet);
	network_mac(n, mac);
	if (r == 0)
		r = netlink_bridge_add(
		    route, &(struct netlink_bridge){.name = n->bridge, .mac = mac, .mtu = n->mtu});
	if (r == -EPERM)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "network '%s': a bridge needs root; use --network host or --network none",
		    n->name);
	if (r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, "network '%s': this kernel has no bridges",
			       n->name);
	if (r < 0 && r != -EEXIST) {
		errno = -r;
		return err_sys(e, "network '%s': make bridge '%s'", n->name, n->bridge);
	}
	return 0;
}

static int forwarding(struct nlmsg_sock *route, struct err *e)
{
	int r = netlink_forwarding(route, AF_INET);

	if (r == 1)
		return 0;
	r = file_put(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1");
	if (r < 0) {
		errno = -r;
		return err_sys(e, "turn on net.ipv4.ip_forward");
	}
	return 0;
}

/* A host that forwards takes no more router advertisements, unless it is told to in so many words:
 * its own way out shall not be lost because of us. */
static void keep_advertisements(void)
{
	auto_fd int dir = open("/proc/sys/net/ipv6/conf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *text = NULL;
		char path[300];

		snprintf(path, sizeof(path), "%s/accept_ra", de->d_name);
		if (de->d_name[0] != '.' && file_read(dir, path, 16, &text) > 0 && text[0] == '1')
			(void)file_put(dir, path, "2");
	}
	if (d)
		closedir(d);
}

static int forwarding6(const struct network *n, struct nlmsg_sock *route, struct err *e)
{
	int r = n->subnet6 ? netlink_forwarding(route, AF_INET6) : 1;

	if (r == 1)
		return 0;
	keep_advertisements();
	r = file_put(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "1");
	if (r < 0) {
		errno = -r;
		return err_sys(e, "turn on net.ipv6.conf.all.forwarding");
	}
	/* It turned advertisements on again for our bridges, maybe. */
	(void)set(n->bridge, "ipv6", "accept_ra", "0");
	return 0;
}

int network_up(const struct network *n, struct nlmsg_sock *route, int *index, struct err *e)
{
	struct netlink_link l;
	uint8_t mac[6];
	int r;

	if (direct_is(n))
		return direct_up(n, route, index, NULL, e);
	r = netlink_link_get(route, n->bridge, &l);
	if (r == -ENODEV) {
		r = bridge_make(n, route, e);
		if (r < 0)
			return r;
		r = netlink_link_get(route, n->bridge, &l);
	}
	if (r < 0) {
		errno = -r;
		return err_sys(e, "network '%s': bridge '%s'", n->name, n->bridge);
	}
	network_mac(n, mac);
	if (!streq(l.kind, "bridge") || memcmp(mac, l.mac, sizeof(mac)) != 0)
		return err_set(e, ERR_CONFLICT, "network '%s': device '%s' exists and is not ours",
			       n->name, n->bridge);
	if (!(l.flags & IFF_UP)) {
		r = configure(n, route, l.index, e);
		if (r < 0)
			return r;
	}
	r = forwarding(route, e);
	if (r == 0)
		r = forwarding6(n, route, e);
	if (r < 0)
		return r;
	*index = l.index;
	return 0;
}

int network_forget(int root_fd, const struct network *n, struct nlmsg_sock *route, struct err *e)
{
	auto_fd int dir = records(root_fd, e);
	char file[NETWORK_NAME_MAX + 8];
	struct netlink_link l;
	uint8_t mac[6];
	int r;

	if (dir < 0)
		return dir;
	/* The device first: while the record is there somebody knows that it is ours. */
	network_mac(n, mac);
	r = n->parent ? -ENODEV : netlink_link_get(route, n->bridge, &l);
	if (r == 0 && (streq(l.kind, "bridge") || direct_is(n)) &&
	    memcmp(mac, l.mac, sizeof(mac)) == 0)
		r = netlink_link_del(route, l.index);
	if (r < 0 && r != -ENODEV) {
		errno = -r;
		return err_sys(e, "network '%s': remove bridge '%s'", n->name, n->bridge);
	}
	snprintf(file, sizeof(file), "%s.json", n->name);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove network record '%s'", n->name);
	if (fsync(dir) < 0)
		return err_sys(e, "sync the directory of networks");
	return 0;
}

bool network_reserves_mac(const struct network *n, const uint8_t mac[6])
{
	struct netlink_ip subnet, ip = {.family = AF_INET, .len = 32};
	uint8_t own[6];

	network_mac(n, own);
	memcpy(ip.addr, mac + 2, 4);
	(void)netlink_ip_parse(n->subnet, &subnet);
	return memcmp(own, mac, sizeof(own)) == 0 ||
	       (memcmp(own, mac, 2) == 0 && overlap(&subnet, &ip));
}
