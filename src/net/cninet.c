/* SPDX-License-Identifier: Apache-2.0 */
#include "net/cninet.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "fmt/json.h"
#include "fmt/publish.h"
#include "net/attachment.h"
#include "net/network.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PLUGIN_MS 60000
#define STATE_MAX (1u << 20)

/* What DEL needs: as it was at ADD. */
struct state {
	const char *list;   /* JSON */
	const char *path;   /* of plugins, colons between */
	const char *ports;  /* portMappings; NULL: none */
	const char *result; /* of ADD; NULL: it did not come so far */
};
static const struct jbind state_table = {
    sizeof(struct state),
    (const struct jbind_field[]){JB(struct state, list, "list", JBIND_RAW),
				 JB(struct state, path, "path", JBIND_STR),
				 JB(struct state, ports, "ports", JBIND_RAW),
				 JB(struct state, result, "result", JBIND_RAW), JB_END},
};

const char *cninet_name(const char *network)
{
	return network ? str_after(network, CNINET_PREFIX) : NULL;
}

/* ---- configurations ---- */

static bool is_conf(const char *file)
{
	static const char *const ends[] = {".conflist", ".conf", ".json"};
	size_t n = strlen(file);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t k = strlen(ends[i]);

		if (n > k && streq(file + n - k, ends[i]))
			return true;
	}
	return false;
}

/* text: of the one that was found. */
static int find(const char *name, struct arena *a, struct cni_list *out, const char **text,
		struct err *e)
{
	const char *dir = secure_getenv("NETCONFPATH");
	auto_fd int fd = -1;
	struct strs files = {0};
	int r;

	if (!network_name_valid(name))
		return err_set(e, ERR_USAGE, "'%.64s' is not a network name", name);
	dir = dir && *dir ? dir : "/etc/cni/net.d";
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : path_names(fd, a, &files);
	if (r < 0 && r != -ENOENT) {
		errno = -r;
		return err_sys(e, "CNI configurations in '%s'", dir);
	}
	for (size_t i = 0; i < files.n; i++) {
		auto_free char *read = NULL;
		ssize_t n =
		    is_conf(files.v[i]) ? file_read(fd, files.v[i], CNI_CONF_MAX, &read) : 0;
		struct cni_list l;
		struct err why = ERR_INIT;

		if (n <= 0)
			continue;
		r = cni_list_parse(read, (size_t)n, files.v[i], a, &l, &why);
		/* Somebody else's, in a form that is not for us, is no reason to fail. */
		if (r < 0 && strstr(read, name) == NULL)
			continue;
		if (r < 0) {
			if (e)
				*e = why;
			return err_wrap(e, r, "CNI network '%s'", name);
		}
		if (streq(l.name, name)) {
			*out = l;
			*text = arena_dup(a, read);
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND,
		       "no CNI network '%s': no configuration in %s has this name", name, dir);
}

int cninet_find(const char *name, struct arena *a, struct cni_list *out, struct err *e)
{
	const char *text;

	return find(name, a, out, &text, e);
}

/* ---- plugins ---- */

struct call {
	int net_fd;
	const char *id, *verb;
	int ns; /* -1: it is gone */
	struct cni_list list;
	struct state state;
	struct arena *a;
};

static const char *env_of(struct arena *a, const char *key, const char *value)
{
	return arena_printf(a, "%s=%s", key, value);
}

static int program(const struct call *c, size_t i, char *path, size_t size, struct err *e)
{
	if (child_find(c->list.v[i].type, c->state.path, path, size) == 0)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "CNI network '%s': no plugin '%s' in %s: install the package "
		       "containernetworking-plugins",
		       c->list.name, c->list.v[i].type, c->state.path);
}

/* One plugin.  *said: its output. */
static int run(const struct call *c, size_t i, const char *previous, char **said, struct err *e)
{
	const char *type = c->list.v[i].type, *why;
	const char *ns = c->ns < 0 ? "" : arena_printf(c->a, "/proc/%d/fd/%d", getpid(), c->ns);
	const char *env[] = {env_of(c->a, "CNI_COMMAND", c->verb),
			     env_of(c->a, "CNI_CONTAINERID", c->id),
			     env_of(c->a, "CNI_NETNS", ns),
			     env_of(c->a, "CNI_IFNAME", "eth0"),
			     env_of(c->a, "CNI_PATH", c->state.path),
			     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			     NULL};
	const char *argv[] = {type, NULL};
	auto_buf struct buf in = BUF_INIT(STATE_MAX);
	char path[512];
	struct child_opts o = {.path = path, .argv = argv, .env = env};
	struct child_talk t = {.max = CNI_RESULT_MAX, .ms = PLUGIN_MS};
	int status = 0, r = cni_input(&c->list, i, previous, c->state.ports, &in, e);
	ssize_t n;

	if (r < 0)
		return r;
	r = program(c, i, path, sizeof(path), e);
	if (r < 0)
		return r;
	t.in = in.p;
	t.in_len = in.len;
	n = child_talk(&o, &t, said, &status);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "CNI network '%s': %s of plugin '%s'", c->list.name, c->verb,
			       type);
	}
	if (status == 0)
		return 0;
	why = cni_failure(*said, (size_t)n, c->a);
	return err_set(e, ERR_SYSTEM, "CNI network '%s': %s of plugin '%s' failed: %s",
		       c->list.name, c->verb, type, why ? why : "it did not say why");
}

/* ---- state ---- */

static void names(const char *id, char file[96], char ns[96])
{
	snprintf(file, 96, "cni/%.64s.json", id);
	snprintf(ns, 96, "cni/%.64s.ns", id);
}

static int state_write(const struct call *c, struct err *e)
{
	auto_fd int dir = path_mkdirs(c->net_fd, "cni", 0700, PATH_NO_LINKS);
	auto_buf struct buf b = BUF_INIT(STATE_MAX);
	char file[96], ns[96];
	int r;

	names(c->id, file, ns);
	jbind_write(&state_table, &c->state, &b);
	r = buf_fail(&b, "CNI state", e);
	if (r < 0)
		return r;
	r = dir < 0 ? dir : file_replace(dir, strchr(file, '/') + 1, b.p, b.len, 0600, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "run-root/net: write CNI state");
	}
	return 0;
}

/* The namespace as a file, which is there when nobody is inside any more. */
static int pin(const struct call *c, struct err *e)
{
	char file[96], name[96], at[PATH_FD_MAX], from[PATH_FD_MAX];
	auto_fd int fd = -1;

	names(c->id, file, name);
	fd = openat(c->net_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "run-root/net: CNI namespace");
	fd_close(fd);
	fd = openat(c->net_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || mount(path_of_fd(c->ns, from), path_of_fd(fd, at), NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "run-root/net: keep the CNI namespace");
	return 0;
}

static void unpin(int net_fd, const char *id)
{
	char file[96], name[96], at[PATH_FD_MAX], path[PATH_FD_MAX + 96];

	names(id, file, name);
	snprintf(path, sizeof(path), "%s/%s", path_of_fd(net_fd, at), name);
	(void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void)unlinkat(net_fd, name, 0);
	(void)unlinkat(net_fd, file, 0);
}

/* ---- adding ---- */

static const char *mappings(const struct attachment_ports *ports, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(STATE_MAX);

	for (size_t i = 0; i < ports->n; i++) {
		const struct attachment_port *p = &ports->v[i];

		buf_printf(&b, "%s{\"hostPort\":%u,\"containerPort\":%u,\"protocol\":\"%s\"",
			   i ? "," : "[", p->host_port, p->port, publish_proto_names[p->proto]);
		if (!streq(p->host_ip, "0.0.0.0"))
			buf_printf(&b, ",\"hostIP\":\"%s\"", p->host_ip);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]");
	return ports->n && !b.failed ? arena_dup(a, b.p) : NULL;
}

static bool can_map(const struct cni_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].portmap)
			return true;
	return false;
}

/* Each in its order, the result of the one before in hand. */
static int add(struct call *c, struct cni_result *out, struct err *e)
{
	int r = 0;

	c->verb = "ADD";
	for (size_t i = 0; r == 0 && i < c->list.n; i++) {
		auto_free char *said = NULL;

		r = run(c, i, c->state.result, &said, e);
		if (r == 0)
			r = cni_result_parse(said, strlen(said), c->list.v[i].type, c->a, out, e);
		if (r == 0)
			c->state.result = arena_dup(c->a, said);
	}
	return r == 0 ? state_write(c, e) : r;
}

int cninet_add(int net_fd, const char *id, const char *name, int ns,
	       const struct attachment_ports *ports, struct arena *a, struct cni_result *out,
	       struct err *e)
{
	const char *path = secure_getenv("CNI_PATH");
	struct call c = {.net_fd = net_fd, .id = id, .ns = ns, .a = a};
	int r = find(name, a, &c.list, &c.state.list, e);

	if (r < 0)
		return r;
	if (ports->n && !can_map(&c.list))
		return err_set(e, ERR_UNSUPPORTED,
			       "-p: CNI network '%s' has no plugin with the capability "
			       "portMappings",
			       name);
	c.state.path = path && *path ? path : "/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni";
	c.state.ports = mappings(ports, a);
	for (size_t i = 0; r == 0 && i < c.list.n; i++) {
		char program_path[512];

		r = program(&c, i, program_path, sizeof(program_path), e);
	}
	if (r == 0)
		r = state_write(&c, e);
	if (r == 0)
		r = pin(&c, e);
	if (r == 0)
		r = add(&c, out, e);
	if (r < 0)
		(void)cninet_del(net_fd, id, NULL);
	return r;
}

/* ---- deleting ---- */

static bool is_namespace(int fd)
{
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

int cninet_del(int net_fd, const char *id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct call c = {.net_fd = net_fd, .id = id, .verb = "DEL", .a = &a};
	auto_free char *text = NULL;
	auto_fd int ns = -1;
	char file[96], name[96];
	ssize_t n;
	int r, first = 0;

	names(id, file, name);
	n = file_read(net_fd, file, STATE_MAX, &text);
	if (n == -ENOENT)
		return 0;
	r = n < 0 ? (int)n : jbind_parse(&state_table, text, (size_t)n, &c.state, &a, file, e);
	if (r == 0 && c.state.list && c.state.path)
		r = cni_list_parse(c.state.list, strlen(c.state.list), file, &a, &c.list, e);
	/* A file that says nothing leads nowhere: nothing can be deleted by it. */
	if (r < 0 || !c.list.n) {
		unpin(net_fd, id);
		return 0;
	}
	/* An empty file: the mount was never made, or is gone with the host's last boot. */
	ns = openat(net_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	c.ns = is_namespace(ns) ? ns : -1;
	for (size_t i = c.list.n; i-- > 0;) {
		auto_free char *said = NULL;
		struct err why = ERR_INIT;

		r = run(&c, i, c.state.result, &said, &why);
		if (r < 0 && !first) {
			first = r;
			if (e)
				*e = why;
		}
	}
	if (first < 0)
		return first;
	unpin(net_fd, id);
	return 0;
}
