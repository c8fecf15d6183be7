/* SPDX-License-Identifier: Apache-2.0 */
#include "net/attachment.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "fmt/publish.h"
#include "net/aside.h"
#include "net/network.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/netlink.h"
#include "sys/path.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RECORD_MAX (1U << 20) /* 4096 ports of about 80 bytes, and room */

static const struct jbind_field port_fields[] = {
    JB(struct attachment_port, proto, "protocol", JBIND_ENUM, .names = publish_proto_names,
       .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct attachment_port, host_ip, "hostAddress", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment_port, host_port, "hostPort", JBIND_U32, .flags = JBIND_REQUIRED),
    JB(struct attachment_port, port, "port", JBIND_U32, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind port_table = {sizeof(struct attachment_port), port_fields, false};

static const struct jbind_field attachment_fields[] = {
    JB(struct attachment, id, "id", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, slot, "slot", JBIND_U32),
    JB(struct attachment, direct, "direct", JBIND_BOOL),
    JB(struct attachment, main, "main", JBIND_BOOL),
    JB(struct attachment, network, "network", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, table, "table", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, device, "device", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, bridge, "bridge", JBIND_STR),
    JB(struct attachment, mac, "mac", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, address, "address", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct attachment, ports, "ports", JBIND_LIST, .sub = &port_table),
    JB(struct attachment, gateway, "gateway", JBIND_STR),
    JB(struct attachment, address6, "address6", JBIND_STR),
    JB(struct attachment, gateway6, "gateway6", JBIND_STR),
    JB(struct attachment, names, "names", JBIND_STRS),
    JB(struct attachment, resolves, "resolves", JBIND_BOOL),
    JB(struct attachment, limiter, "limiter", JBIND_STR),
    JB(struct attachment, dns, "dns", JBIND_STRS),
    JB_END,
};
static const struct jbind attachment_table = {sizeof(struct attachment), attachment_fields, false};

static int fail(int r, struct err *e, const char *what)
{
	errno = -r;
	return err_sys(e, "run-root/net: %s", what);
}

int attachment_dir(int run_fd, struct err *e)
{
	int fd = path_mkdirs(run_fd, "net", 0755, PATH_NO_LINKS);

	return fd < 0 ? fail(fd, e, "make directory") : fd;
}

int attachment_lock(int net_fd, struct err *e)
{
	auto_fd int fd = openat(net_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "run-root/net: lock");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, "run-root/net: lock");
	return take_fd(&fd);
}

bool attachment_id_valid(const char *id)
{
	return strspn(id, "0123456789abcdef") == ATTACHMENT_ID && !id[ATTACHMENT_ID];
}

/* Make dir_fd/name with the id in it.  -EEXIST when somebody has it. */
static int claim(int dir_fd, const char *name, const char *id)
{
	auto_fd int fd =
	    openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

	int r = fd < 0 ? -errno : fd_write_all(fd, id, strlen(id));

	if (fd >= 0 && r < 0)
		unlinkat(dir_fd, name, 0);
	return r;
}

/* ---- addresses ---- */

static uint32_t cursor(int dir, uint32_t first)
{
	auto_free char *text = NULL;
	uint32_t v;

	if (file_read(dir, ".next", 16, &text) <= 0)
		return first;
	v = (uint32_t)strtoul(text, NULL, 10);
	return v < first ? first : v;
}

static uint32_t number(const struct netlink_ip *ip)
{
	uint32_t v;

	memcpy(&v, ip->addr, sizeof(v));
	return ntohl(v);
}

/* Addresses of a network as numbers of hosts in its subnet: base + first .. base + last. */
struct span {
	uint32_t base, first, last;
};

static struct span span_of(const struct network *n)
{
	struct netlink_ip ip;
	struct span s;
	uint32_t all;

	(void)netlink_ip_parse(n->subnet, &ip);
	all = 1U << (32 - ip.len);
	s = (struct span){number(&ip) & ~(all - 1), 1, all - 2}; /* not network, broadcast */
	if (n->range && netlink_ip_parse(n->range, &ip) == 0) {
		uint32_t first = number(&ip) - s.base, last = first + (1U << (32 - ip.len)) - 1;

		s.first = first > s.first ? first : s.first;
		s.last = last < s.last ? last : s.last;
	}
	return s;
}

/* The network's own: its gateway, or one that was set aside. */
static bool set_aside(const struct network *n, const char *address)
{
	bool taken = streq(n->gateway, address);

	for (size_t i = 0; !taken && i < n->aux.n; i++) {
		const char *eq = strchr(n->aux.v[i], '=');

		taken = eq && streq(eq + 1, address);
	}
	return taken;
}

static bool owned(int dir, const char *name, const char *id)
{
	auto_free char *owner = NULL;

	return file_read(dir, name, ATTACHMENT_ID, &owner) >= 0 && streq(owner, id);
}

static int lease_wanted(int dir, const struct network *n, const char *wanted, const char *id,
			struct err *e)
{
	struct network whole = *n;
	struct netlink_ip ip;
	struct span s;
	int r;

	whole.range = NULL; /* it only says where addresses are chosen from */
	s = span_of(&whole);
	if (strchr(wanted, '/') || netlink_ip_parse(wanted, &ip) < 0 || ip.family != AF_INET)
		return err_set(e, ERR_USAGE, "--ip '%.60s' is not an IPv4 address", wanted);
	if (number(&ip) < s.base + s.first || number(&ip) > s.base + s.last)
		return err_set(e, ERR_USAGE, "--ip %s is no address of network '%s' (%s)", wanted,
			       n->name, n->subnet);
	if (set_aside(n, wanted))
		return err_set(e, ERR_CONFLICT, "--ip %s is set aside by network '%s' itself",
			       wanted, n->name);
	r = claim(dir, wanted, id);
	if (r == -EEXIST && owned(dir, wanted, id))
		return 0; /* a connect of it was killed */
	if (r == -EEXIST)
		return err_set(e, ERR_CONFLICT,
			       "--ip %s: another instance of network '%s' has this address", wanted,
			       n->name);
	return r < 0 ? fail(r, e, "lease an address") : 0;
}

static bool free6(int dir, const struct network *n, const char *address)
{
	char text[INET6_ADDRSTRLEN];
	struct netlink_ip ip;

	if (!network_address6(n, address, &ip))
		return false;
	inet_ntop(AF_INET6, ip.addr, text, sizeof(text));
	return faccessat(dir, text, F_OK, 0) < 0;
}

static int lease_next(int dir, const struct network *n, const char *id, struct arena *a,
		      const char **address, struct err *e)
{
	struct span s = span_of(n);
	uint32_t at = cursor(dir, s.first);
	char name[INET_ADDRSTRLEN], text[16];

	for (uint32_t i = s.first; i <= s.last; i++, at++) {
		struct in_addr in;
		int r, len;

		if (at > s.last)
			at = s.first;
		in.s_addr = htonl(s.base + at);
		inet_ntop(AF_INET, &in, name, sizeof(name));
		if (set_aside(n, name) || (n->subnet6 && !free6(dir, n, name)))
			continue;
		r = claim(dir, name, id);
		if (r == -EEXIST)
			continue;
		if (r == 0) {
			len = snprintf(text, sizeof(text), "%u", at + 1);
			r = file_replace(dir, ".next", text, (size_t)len, 0644, FILE_LAZY);
			if (r < 0)
				unlinkat(dir, name, 0);
		}
		if (r < 0)
			return fail(r, e, "lease an address");
		*address = arena_dup(a, name);
		return 0;
	}
	return err_set(e, ERR_CONFLICT, "network '%s': every address of %s is in use", n->name,
		       n->range ? n->range : n->subnet);
}

int attachment_lease(int net_fd, const struct network *n, const char *wanted, const char *id,
		     struct arena *a, const char **address, struct err *e)
{
	auto_fd int dir = -1;
	char path[128];
	int r;

	snprintf(path, sizeof(path), "leases/%s", n->name);
	dir = path_mkdirs(net_fd, path, 0755, PATH_NO_LINKS);
	if (dir < 0)
		return fail(dir, e, "leases");
	if (!wanted)
		return lease_next(dir, n, id, a, address, e);
	r = lease_wanted(dir, n, wanted, id, e);
	if (r == 0)
		*address = arena_dup(a, wanted);
	return r;
}

static bool leased(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, 0) == 0;
}

/* Who has the IPv4 address of this number has the IPv6 address, too, without a file of its own. */
static bool stands_for_another(int dir, const struct network *n, const struct netlink_ip *six,
			       const char *address)
{
	struct span s = span_of(&(struct network){.subnet = n->subnet});
	char four[INET_ADDRSTRLEN];
	struct netlink_ip other;
	uint32_t low, v4;
	struct in_addr in;

	memcpy(&low, six->addr + 12, sizeof(low));
	v4 = ntohl(low) & (s.last + 1); /* .last is all ones but for the last bit */
	if (v4 < s.first || v4 > s.last)
		return false;
	in.s_addr = htonl(s.base + v4);
	inet_ntop(AF_INET, &in, four, sizeof(four));
	if (streq(four, address) || !leased(dir, four) || !network_address6(n, four, &other))
		return false;
	return memcmp(other.addr, six->addr, sizeof(other.addr)) == 0;
}

static int lease6_wanted(int dir, const struct network *n, const char *wanted, const char *id,
			 const char *address, char text[INET6_ADDRSTRLEN], struct err *e)
{
	struct netlink_ip ip, net, own;
	int r;

	if (strchr(wanted, '/') || netlink_ip_parse(wanted, &ip) < 0 || ip.family != AF_INET6)
		return err_set(e, ERR_USAGE, "--ip6 '%.60s' is not an IPv6 address", wanted);
	(void)netlink_ip_parse(n->subnet6, &net);
	for (unsigned int bit = 0; bit < net.len; bit++)
		if ((ip.addr[bit / 8] ^ net.addr[bit / 8]) & 0x80 >> bit % 8)
			return err_set(e, ERR_USAGE, "--ip6 %s is no address of network '%s' (%s)",
				       wanted, n->name, n->subnet6);
	inet_ntop(AF_INET6, ip.addr, text, INET6_ADDRSTRLEN);
	if (streq(text, n->gateway6) || memcmp(ip.addr, net.addr, sizeof(ip.addr)) == 0)
		return err_set(e, ERR_CONFLICT, "--ip6 %s is set aside by network '%s' itself",
			       wanted, n->name);
	if (network_address6(n, address, &own) && memcmp(own.addr, ip.addr, sizeof(own.addr)) == 0)
		return 0;
	r = stands_for_another(dir, n, &ip, address) ? -EEXIST : claim(dir, text, id);
	if (r == -EEXIST && !owned(dir, text, id))
		return err_set(e, ERR_CONFLICT,
			       "--ip6 %s: another instance of network '%s' has this address",
			       wanted, n->name);
	return r < 0 && r != -EEXIST ? fail(r, e, "lease an address") : 0;
}

int attachment_lease6(int net_fd, const struct network *n, const char *wanted, const char *id,
		      const char *address, struct arena *a, const char **address6, struct err *e)
{
	auto_fd int dir = -1;
	char path[128], text[INET6_ADDRSTRLEN];
	struct netlink_ip ip;
	int r;

	*address6 = NULL;
	if (!n->subnet6)
		return wanted ? err_set(e, ERR_USAGE, "--ip6 %.60s: network '%s' has no IPv6",
					wanted, n->name)
			      : 0;
	snprintf(path, sizeof(path), "leases/%s", n->name);
	dir = path_mkdirs(net_fd, path, 0755, PATH_NO_LINKS);
	if (dir < 0)
		return fail(dir, e, "leases");
	if (!wanted) {
		if (!network_address6(n, address, &ip))
			return err_set(e, ERR_CONFLICT,
				       "network '%s': the IPv6 address that goes with %s is set "
				       "aside; ask for one with --ip6",
				       n->name, address);
		inet_ntop(AF_INET6, ip.addr, text, sizeof(text));
		r = leased(dir, text) ? err_set(e, ERR_CONFLICT,
						"network '%s': the IPv6 address that goes with %s "
						"was asked for by another instance",
						n->name, address)
				      : 0;
	} else {
		r = lease6_wanted(dir, n, wanted, id, address, text, e);
	}
	if (r == 0)
		*address6 = arena_dup(a, text);
	return r;
}

/* ---- ports ---- */

/* A socket bound to the port, or -errno: whoever listens there would lose his callers to us. */
int attachment_bind(int proto, struct in_addr ip, uint16_t *port)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM};
	static const int protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = ip, .sin_port = htons(*port)};
	socklen_t len = sizeof(sa);
	auto_fd int fd = socket(AF_INET, types[proto] | SOCK_CLOEXEC, protocols[proto]);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int on = 1;

		/* Closed connections of a former listener (TIME_WAIT) are no conflict. */
		if (errno != EADDRINUSE || proto == PUBLISH_UDP || !*port ||
		    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
			return -errno;
	}
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	*port = ntohs(sa.sin_port);
	return take_fd(&fd);
}

/* Whether another instance has the port on this address, or either has it on every address. */
static int port_taken(int dir, const char *ip)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int taken = 0;

	if (!d) {
		taken = -errno;
		fd_close(fd);
		return taken;
	}
	while (!taken && (de = readdir(d)))
		taken =
		    de->d_name[0] != '.' &&
		    (streq(ip, "0.0.0.0") || streq(de->d_name, "0.0.0.0") || streq(de->d_name, ip));
	closedir(d);
	return taken;
}

static void port_dir(const struct attachment_port *p, char path[64])
{
	snprintf(path, 64, "ports/%s-%u", publish_proto_names[p->proto], p->host_port);
}

static int port_record(int net_fd, const struct attachment_port *p, const char *id)
{
	auto_fd int dir = -1;
	char path[64];
	int r;

	port_dir(p, path);
	dir = path_mkdirs(net_fd, path, 0755, PATH_NO_LINKS);
	if (dir < 0)
		return dir;
	r = port_taken(dir, p->host_ip);
	if (r)
		return r < 0 ? r : -EADDRINUSE;
	return claim(dir, p->host_ip, id);
}

static void port_forget(int net_fd, const struct attachment_port *p, const char *id)
{
	auto_free char *owner = NULL;
	char dir[64], path[96];

	port_dir(p, dir);
	snprintf(path, sizeof(path), "%s/%s", dir, p->host_ip);
	if (file_read(net_fd, path, ATTACHMENT_ID, &owner) < 0 || !streq(owner, id))
		return;
	(void)unlinkat(net_fd, path, 0);
	(void)unlinkat(net_fd, dir, AT_REMOVEDIR); /* stays while another address uses the port */
}

/* One host port; p->host_port 0: any.  *held: the bound socket, or -1 for one that cannot be (SCTP
 * without the module: nobody else can listen either). */
static int reserve_one(int net_fd, int talk, struct attachment_port *p, const char *id, int *held)
{
	bool any = p->host_port == 0;
	struct in_addr ip;

	(void)inet_pton(AF_INET, p->host_ip, &ip);
	for (int attempt = 0;; attempt++) {
		uint16_t port = any ? 0 : (uint16_t)p->host_port;
		auto_fd int fd = talk < 0 ? attachment_bind(p->proto, ip, &port)
					  : aside_bind(talk, p->proto, ip, &port);
		int r;

		if (fd < 0 && (fd != -EPROTONOSUPPORT || any))
			return fd;
		if (any)
			p->host_port = port;
		r = port_record(net_fd, p, id);
		if (r == 0) {
			*held = fd < 0 ? -1 : take_fd(&fd);
			return 0;
		}
		if (any)
			p->host_port = 0;
		/* The kernel may offer a port whose instance does not hold its socket any more. */
		if (!any || r != -EADDRINUSE || attempt == 64)
			return r;
	}
}

static int reserve_error(const struct attachment_port *p, int r, struct err *e)
{
	if (r == -EADDRINUSE || r == -EEXIST)
		return err_set(e, ERR_CONFLICT, "port %s:%u/%s is already in use", p->host_ip,
			       p->host_port, publish_proto_names[p->proto]);
	if (r == -EADDRNOTAVAIL)
		return err_set(e, ERR_USAGE, "publish port %u: %s is not an address of this host",
			       p->host_port, p->host_ip);
	errno = -r;
	return err_sys(e, "publish port %s:%u/%s", p->host_ip, p->host_port,
		       publish_proto_names[p->proto]);
}

int attachment_reserve(int net_fd, int talk, const struct publish *q, const char *id,
		       struct arena *a, struct attachment_ports *ports, int *fds, size_t *n_fds,
		       struct err *e)
{
	char ip[INET_ADDRSTRLEN] = "0.0.0.0";
	bool pick = q->host_first && q->port_first == q->port_last;
	const char *host_ip;

	if (q->family == AF_INET)
		inet_ntop(AF_INET, q->host_ip, ip, sizeof(ip));
	host_ip = arena_dup(a, ip);
	for (uint32_t k = 0; q->port_first + k <= q->port_last; k++) {
		struct attachment_port p = {
		    q->proto, host_ip, q->host_first ? q->host_first + k : 0, q->port_first + k};
		int fd = -1, r = reserve_one(net_fd, talk, &p, id, &fd);

		/* A range for a single port: the first that is free. */
		while (pick && r == -EADDRINUSE && p.host_port < q->host_last) {
			p.host_port++;
			r = reserve_one(net_fd, talk, &p, id, &fd);
		}
		if (r < 0)
			return reserve_error(&p, r, e);
		ports->v[ports->n++] = p;
		if (fd >= 0 && fds)
			fds[(*n_fds)++] = fd;
		else
			fd_close(fd);
	}
	return 0;
}

/* ---- records ---- */

static void record_path(const char *id, uint32_t slot, char path[128])
{
	if (slot)
		snprintf(path, 128, "attached/%.64s-%u.json", id, slot);
	else
		snprintf(path, 128, "attached/%.64s.json", id);
}

int attachment_slot(const char *name, char id[ATTACHMENT_ID + 1])
{
	char want[128];

	if (strlen(name) <= ATTACHMENT_ID)
		return -1;
	memcpy(id, name, ATTACHMENT_ID);
	id[ATTACHMENT_ID] = '\0';
	for (uint32_t slot = 0; slot < ATTACHMENT_SLOTS; slot++) {
		record_path(id, slot, want);
		if (streq(want + strlen("attached/"), name))
			return (int)slot;
	}
	return -1;
}

int attachment_write(int net_fd, const struct attachment *at, struct err *e)
{
	auto_fd int dir = path_mkdirs(net_fd, "attached", 0755, PATH_NO_LINKS);
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	char path[128];
	int r;

	if (dir < 0)
		return fail(dir, e, "attached");
	record_path(at->id, at->slot, path);
	jbind_write(&attachment_table, at, &b);
	r = buf_fail(&b, "attachment record", e);
	if (r < 0)
		return r;
	r = file_replace(dir, path + strlen("attached/"), b.p, b.len, 0644, FILE_LAZY);
	/* Read by caisson-names as nobody, whatever the umask is; the directory above is closed. */
	if (r == 0 && at->resolves && fchmodat(dir, path + strlen("attached/"), 0644, 0) < 0)
		r = -errno;
	return r < 0 ? fail(r, e, "write record") : 0;
}

/* path: from dir_fd on. */
static int read_record(int dir_fd, const char *path, const char *id, uint32_t slot, struct arena *a,
		       struct attachment *out, struct err *e)
{
	auto_free char *text = NULL;
	struct attachment at = {0};
	ssize_t n = file_read(dir_fd, path, RECORD_MAX, &text);
	int r;

	if (n < 0)
		return fail((int)n, e, "read record");
	r = jbind_parse(&attachment_table, text, (size_t)n, &at, a, path, e);
	if (r < 0)
		return r;
	if (!streq(at.id, id) || at.slot != slot)
		return err_set(e, ERR_CORRUPT, "%s: belongs to another instance", path);
	*out = at;
	return 0;
}

int attachment_read(int net_fd, const char *id, uint32_t slot, struct arena *a,
		    struct attachment *out, struct err *e)
{
	char path[128];

	record_path(id, slot, path);
	return read_record(net_fd, path, id, slot, a, out, e);
}

int attachment_read_file(int attached_fd, const char *file, struct arena *a, struct attachment *out,
			 struct err *e)
{
	char id[ATTACHMENT_ID + 1];
	int slot = attachment_slot(file, id);

	if (slot < 0)
		return err_set(e, ERR_USAGE, "'%.100s' is no record", file);
	return read_record(attached_fd, file, id, (uint32_t)slot, a, out, e);
}

int attachment_of(int net_fd, const char *id, struct arena *a, struct attachment_list *out,
		  struct err *e)
{
	struct attachment_list l = {arena_array(a, ATTACHMENT_SLOTS, sizeof(*l.v)), 0};

	for (uint32_t slot = 0; slot < ATTACHMENT_SLOTS; slot++) {
		struct err why = ERR_INIT;
		int r = attachment_read(net_fd, id, slot, a, &l.v[l.n], &why);

		if (r == -ENOENT)
			continue;
		if (r < 0) {
			if (e)
				*e = why;
			return r;
		}
		l.n++;
	}
	*out = l;
	return 0;
}

int attachment_rename(int net_fd, const char *id, const char *name, struct err *e)
{
	auto_fd int lock = attachment_lock(net_fd, e);
	auto_arena struct arena a = ARENA_INIT;
	struct attachment_list l;
	int r = lock < 0 ? lock : attachment_of(net_fd, id, &a, &l, e);

	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		if (!l.v[i].names.n)
			continue;
		l.v[i].names.v[0] = name;
		r = attachment_write(net_fd, &l.v[i], e);
	}
	return r < 0 ? r : 0;
}

static int free_address(int net_fd, const struct attachment *at, const char *address, struct err *e)
{
	auto_free char *owner = NULL;
	char path[192];

	snprintf(path, sizeof(path), "leases/%s/%s", at->network, address);
	if (file_read(net_fd, path, ATTACHMENT_ID, &owner) >= 0 && streq(owner, at->id) &&
	    unlinkat(net_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "run-root/net: free address %s", address);
	return 0;
}

int attachment_release(int net_fd, const struct attachment *at, struct err *e)
{
	char path[192];
	int r = 0;

	for (size_t i = 0; i < at->ports.n; i++)
		port_forget(net_fd, &at->ports.v[i], at->id);
	if (at->address6)
		r = free_address(net_fd, at, at->address6, e);
	if (r == 0 && at->address)
		r = free_address(net_fd, at, at->address, e);
	if (r < 0)
		return r;
	record_path(at->id, at->slot, path);
	if (unlinkat(net_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "run-root/net: remove record");
	return 0;
}

/* Call each for the names in net_fd/path, but for "." and "..". */
static int walk(int net_fd, const char *path, int (*each)(int, const char *, void *), void *arg)
{
	int fd = openat(net_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (r >= 0 && (de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = each(fd, de->d_name, arg);
	closedir(d);
	return r < 0 ? r : 0;
}

struct collect {
	int net_fd;
	struct arena *a;
	struct attachment_list *out;
	size_t room;
	bool (*alive)(const char *, void *); /* whose records are counted, not read; or NULL */
	void *arg;
	size_t living;
};

static int collect_one(int dir, const char *name, void *arg)
{
	struct collect *c = arg;
	struct attachment at;
	char id[ATTACHMENT_ID + 1];
	int slot = attachment_slot(name, id);

	if (slot < 0)
		return 0;
	if (c->alive && c->alive(id, c->arg)) {
		c->living++;
		return 0;
	}
	if (attachment_read(c->net_fd, id, (uint32_t)slot, c->a, &at, NULL) < 0)
		return 0;
	if (c->out->n == c->room) {
		size_t room = c->room ? c->room * 2 : 16;
		struct attachment *v = arena_array(c->a, room, sizeof(*v));

		if (c->out->n)
			memcpy(v, c->out->v, c->out->n * sizeof(*v));
		c->out->v = v;
		c->room = room;
	}
	c->out->v[c->out->n++] = at;
	return 0;
}

int attachment_list(int net_fd, struct arena *a, struct attachment_list *out, struct err *e)
{
	size_t living;

	return attachment_dead(net_fd, NULL, NULL, a, out, &living, e);
}

int attachment_dead(int net_fd, bool (*alive)(const char *id, void *arg), void *arg,
		    struct arena *a, struct attachment_list *out, size_t *living, struct err *e)
{
	struct attachment_list l = {0};
	struct collect c = {.net_fd = net_fd, .a = a, .out = &l, .alive = alive, .arg = arg};
	int r = walk(net_fd, "attached", collect_one, &c);

	if (r < 0)
		return fail(r, e, "attached");
	*out = l;
	*living = c.living;
	return 0;
}

struct sweep {
	int net_fd;
	bool (*alive)(const char *, void *);
	void *arg;
	size_t leases;
};

/* What file_replace() had beside when it was killed; nobody writes while the lock is held. */
static int half_written(int dir, const char *name, void *arg)
{
	if (name[0] == '.' && strstr(name, ".tmp-"))
		(void)unlinkat(dir, name, 0);
	return 0;
}

static bool has_record(int net_fd, const char *id)
{
	char path[128];
	bool found = false;

	for (uint32_t slot = 0; !found && slot < ATTACHMENT_SLOTS; slot++) {
		record_path(id, slot, path);
		found = faccessat(net_fd, path, F_OK, 0) == 0;
	}
	return found;
}

static int orphan_one(int dir, const char *name, void *arg)
{
	const struct sweep *s = arg;
	auto_free char *owner = NULL;

	if (name[0] == '.')
		return half_written(dir, name, NULL);
	if (file_read(dir, name, ATTACHMENT_ID, &owner) < 0)
		return 0;
	if (attachment_id_valid(owner) && (has_record(s->net_fd, owner) || s->alive(owner, s->arg)))
		return 0;
	/* Killed between making the file and filling it, or before the record: nobody's. */
	(void)unlinkat(dir, name, 0);
	return 0;
}

static int count_one(int dir, const char *name, void *arg)
{
	struct sweep *s = arg;

	if (name[0] == '.')
		return half_written(dir, name, NULL);
	s->leases++;
	return 0;
}

static int count_lease_dir(int dir, const char *name, void *arg)
{
	return walk(dir, name, count_one, arg);
}

static int orphan_lease_dir(int dir, const char *name, void *arg)
{
	return walk(dir, name, orphan_one, arg);
}

static int orphan_port_dir(int dir, const char *name, void *arg)
{
	int r = walk(dir, name, orphan_one, arg);

	(void)unlinkat(dir, name, AT_REMOVEDIR);
	return r;
}

int attachment_orphans(int net_fd, bool (*alive)(const char *id, void *arg), void *arg,
		       size_t records, struct err *e)
{
	struct sweep s = {.net_fd = net_fd, .alive = alive, .arg = arg};
	int r = walk(net_fd, "leases", count_lease_dir, &s);

	/* Under the lock a record holds one lease: as many of the one as of the other, and none is
	 * an orphan.  Asking each for its owner was 5 of the 31 system calls that an instance cost
	 * a `ps`; asking each record and its instance was 7. */
	if (r == 0 && s.leases != records)
		r = walk(net_fd, "leases", orphan_lease_dir, &s);
	if (r == 0)
		r = walk(net_fd, "attached", half_written, NULL);
	if (r == 0)
		r = walk(net_fd, "ports", orphan_port_dir, &s);
	return r < 0 ? fail(r, e, "sweep") : 0;
}
