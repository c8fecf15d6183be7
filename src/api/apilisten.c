/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apilisten.h"
#include "api/api.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "fmt/passwd.h"
#include "httpd/httpd.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP_FILE_MAX (4u << 20)
#define GROUPS_MAX     65536 /* NGROUPS_MAX of the kernel */
#define FIRST_FD       3     /* SD_LISTEN_FDS_START */
#define CHECK_MS       30000
#define DEFAULT	       "unix:///run/caisson.sock"

/* ---- a socket of our own ---- */

/* A socket that nobody listens on any more is replaced; a file that is none is not ours. */
static int clear_place(int dir, const char *name, const char *listen, struct err *e)
{
	struct stat st;
	auto_fd int fd = -1;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_EXISTS, "%.200s is there and no socket", listen);
	fd = sock_connect(dir, name);
	if (fd >= 0)
		return err_set(e, ERR_EXISTS, "somebody listens on %.200s already", listen);
	return unlinkat(dir, name, 0) < 0 ? err_sys(e, "%.200s", listen) : 0;
}

static int find_group(const char *group, struct apilisten *out, struct err *e)
{
	auto_free char *text = NULL;

	if (!group)
		return 0;
	/* The program is static: of the system's name services it has the files. */
	if (!passwd_id(group, strlen(group), &out->gid) &&
	    (file_read(AT_FDCWD, "/etc/group", GROUP_FILE_MAX, &text) < 0 ||
	     !passwd_find_group(text, group, &out->gid)))
		return err_set(e, ERR_USAGE, "--group: there is no group '%.60s'", group);
	out->has_group = true;
	return 0;
}

static int open_unix(const char *listen, struct arena *a, struct apilisten *out, struct err *e)
{
	const char *path = str_after(listen, "unix://"), *slash = path ? strrchr(path, '/') : NULL;
	auto_fd int dir = -1;
	int r;

	if (!path || *path != '/' || !slash[1])
		return err_set(e, ERR_USAGE,
			       "--listen wants unix:///PATH or tcp://ADDRESS:PORT, not '%.80s'",
			       listen);
	dir = open(slash == path ? "/" : arena_dupn(a, path, (size_t)(slash - path)),
		   O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "--listen %.200s", listen);
	r = clear_place(dir, slash + 1, listen, e);
	if (r < 0)
		return r;
	r = sock_listen(dir, slash + 1, 0600);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "--listen %.200s", listen);
	}
	out->fds[0] = r;
	out->names[0] = listen;
	out->n = 1;
	out->name = slash + 1;
	out->dir = take_fd(&dir);
	if (out->has_group &&
	    (fchownat(out->dir, out->name, (uid_t)-1, out->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	     fchmodat(out->dir, out->name, 0660, 0) < 0))
		return err_sys(e, "--group");
	return 0;
}

/* ---- sockets of systemd ---- */

/* How many were passed to this process and to no other; the variables go, so that no child takes
 * them for its own. */
static long passed(void)
{
	const char *pid = secure_getenv("LISTEN_PID"), *fds = secure_getenv("LISTEN_FDS");
	long n = 0;
	char *end;

	if (pid && fds && strtol(pid, &end, 10) == getpid() && !*end && *fds) {
		n = strtol(fds, &end, 10);
		n = *end || n < 0 ? -1 : n;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n;
}

static int socket_is(int fd, int option, int want)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 && v == want;
}

static int take_passed(long n, struct arena *a, struct apilisten *out, struct err *e)
{
	if (n < 0 || n > APILISTEN_MAX)
		return err_set(e, ERR_USAGE, "LISTEN_FDS is no number from 1 to %d", APILISTEN_MAX);
	for (int i = 0; i < n; i++) {
		struct sockaddr_un un = {0};
		socklen_t len = sizeof(un);
		int fd = FIRST_FD + i;

		if (!socket_is(fd, SO_DOMAIN, AF_UNIX) || !socket_is(fd, SO_TYPE, SOCK_STREAM) ||
		    !socket_is(fd, SO_ACCEPTCONN, 1))
			return err_set(e, ERR_UNSUPPORTED,
				       "descriptor %d (LISTEN_FDS) is no unix stream socket that "
				       "listens: only those are taken from systemd",
				       fd);
		if (fd_set_cloexec(fd, 1) < 0 || fd_set_nonblock(fd, 1) < 0 ||
		    getsockname(fd, (struct sockaddr *)&un, &len) < 0)
			return err_sys(e, "descriptor %d (LISTEN_FDS)", fd);
		out->fds[out->n] = fd;
		out->names[out->n++] = arena_printf(a, "unix://%.*s", (int)sizeof(un.sun_path),
						    un.sun_path[0] ? un.sun_path : "(abstract)");
	}
	return 0;
}

/* ---- TCP ---- */

static const char *relay_path(struct session *s, struct arena *a)
{
	return arena_printf(a, "%s/caisson-tls", s->libexec);
}

/* Files that do not fit together are told now and not to the first client. */
static int check_files(struct session *s, const struct api_opts *o, struct arena *a, struct err *e)
{
	const char *argv[] = {"caisson-tls", o->tls_ca, o->tls_cert, o->tls_key, NULL};
	struct child_opts c = {.path = relay_path(s, a), .argv = argv};
	struct child_talk t = {.max = 4096, .ms = CHECK_MS};
	auto_free char *said = NULL;
	int status = 0;
	ssize_t n = child_talk(&c, &t, &said, &status);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "%s", c.path);
	}
	return status == 0 ? 0 : err_set(e, ERR_USAGE, "--listen %.80s: %.400s", o->listen, said);
}

static int open_tcp(struct session *s, const struct api_opts *o, const char *address,
		    struct arena *a, struct apilisten *out, struct err *e)
{
	char bound[HTTPD_ADDRESS_MAX];
	int r;

	if (!o->tls_ca || !o->tls_cert || !o->tls_key)
		return err_set(e, ERR_UNSUPPORTED,
			       "--listen %.80s: without TLS client certificates (--tlscacert, "
			       "--tlscert, --tlskey, all three) whoever reaches the port would be "
			       "root",
			       o->listen);
	if (o->group)
		return err_set(e, ERR_USAGE, "--group is for unix sockets");
	r = check_files(s, o, a, e);
	if (r < 0)
		return r;
	r = httpd_listen(address, 0, bound, e);
	if (r < 0)
		return r;
	out->fds[0] = r;
	out->names[0] = arena_printf(a, "tcp://%s", bound);
	out->n = 1;
	out->tls = true;
	return 0;
}

int apilisten_tls(struct session *s, const struct api_opts *o, int fd, pid_t *relay, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *argv[] = {"caisson-tls", o->tls_ca, o->tls_cert, o->tls_key, "relay", NULL};
	auto_fd int mine = -1, theirs = -1;
	struct child_fd fds[] = {{fd, 3}, {-1, 4}};
	struct child_opts c = {.path = relay_path(s, &a), .argv = argv, .fds = fds, .nfds = 2};
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	mine = pair[0];
	theirs = pair[1];
	fds[1].from = theirs;
	pid = child_start(&c);
	if (pid < 0) {
		errno = -pid;
		return err_sys(e, "%s", c.path);
	}
	*relay = pid;
	return take_fd(&mine);
}

/* ---- all of them ---- */

int apilisten_open(struct session *s, const struct api_opts *o, struct arena *a,
		   struct apilisten *out, struct err *e)
{
	const char *listen = o->listen ? o->listen : DEFAULT;
	const char *tcp = str_after(listen, "tcp://");
	bool tls = o->tls_ca || o->tls_cert || o->tls_key || o->tls_verify;
	long n = passed();
	int r;

	*out = (struct apilisten){.dir = -1};
	if (n && o->listen)
		return err_set(e, ERR_USAGE,
			       "--listen and sockets of systemd (LISTEN_FDS) exclude each other");
	if (tls && !tcp)
		return err_set(e, ERR_USAGE,
			       "--tlscacert, --tlscert, --tlskey and --tlsverify are for "
			       "--listen tcp://ADDRESS:PORT");
	r = find_group(o->group, out, e);
	if (r < 0)
		return r;
	if (n)
		r = take_passed(n, a, out, e);
	else
		r = tcp ? open_tcp(s, o, tcp, a, out, e) : open_unix(listen, a, out, e);
	if (r < 0)
		apilisten_close(out);
	return r;
}

void apilisten_close(struct apilisten *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(l->fds[i]);
	l->n = 0;
	if (l->dir < 0)
		return;
	unlinkat(l->dir, l->name, 0);
	fd_close(l->dir);
	l->dir = -1;
}

static bool has_group(int fd, gid_t primary, gid_t want)
{
	auto_free gid_t *groups = NULL;
	socklen_t len = GROUPS_MAX * sizeof(*groups);

	if (primary == want)
		return true;
	groups = malloc(len);
	/* Linux 4.13; as they were when the peer connected. */
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == want)
			return true;
	return false;
}

int apilisten_peer(const struct apilisten *l, int fd, struct err *e)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return err_sys(e, "who the client is");
	if (c.uid == 0 || c.uid == geteuid() || (l->has_group && has_group(fd, c.gid, l->gid)))
		return 0;
	return err_set(e, ERR_DENIED,
		       "user %u is neither root nor the server's own user%s: refused", c.uid,
		       l->has_group ? ", nor in the socket's group" : "");
}
