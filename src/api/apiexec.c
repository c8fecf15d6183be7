/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec is prepared by one request and started by another, maybe on another connection: what is
 * between is a file below the run root, which also keeps its exit code.  What is not running and
 * older than some minutes is removed when another is made.
 */
#include "api/apibody.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "api/apistream.h"
#include "api/apiweb.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/exec.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "httpd/exchange.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define ID_LEN	    64
#define RECORD_MAX  (2u << 20)
#define DONE_KEPT_S 300

static void file_of(const char *id, const char *what, char out[96])
{
	snprintf(out, 96, "exec-%.64s%s", id, what);
}

static int save(int dir, const char *id, const struct apibody_exec *x, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	char name[96];
	int r;

	file_of(id, ".json", name);
	jbind_write(&apibody_exec_table, x, &b);
	r = buf_fail(&b, "exec", e);
	if (r == 0)
		r = file_replace(dir, name, b.p, b.len, 0600, FILE_LAZY);
	return r < 0 && b.failed ? r : r < 0 ? err_set(e, ERR_SYSTEM, "exec: %s", strerror(-r)) : 0;
}

static int load(int dir, const char *id, struct arena *a, struct apibody_exec *x, struct err *e)
{
	auto_free char *text = NULL;
	char name[96];
	ssize_t n;

	*x = (struct apibody_exec){0};
	file_of(id, ".json", name);
	n = strlen(id) == ID_LEN && strspn(id, "0123456789abcdef") == ID_LEN
		? file_read(dir, name, RECORD_MAX, &text)
		: -ENOENT;
	if (n < 0)
		return err_set(e, ERR_NOT_FOUND, "No such exec instance: %.64s", id);
	return jbind_parse(&apibody_exec_table, text, (size_t)n, x, a, "exec", e);
}

/* What ended, or was never started, some minutes ago: nobody asks any more. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	time_t now = time(NULL);
	struct dirent *de;
	struct stat st;

	if (!d) {
		fd_close(fd);
		return;
	}
	while ((de = readdir(d))) {
		auto_arena struct arena a = ARENA_INIT;
		struct apibody_exec x;
		char id[ID_LEN + 1];

		if (sscanf(de->d_name, "exec-%64[0-9a-f].json", id) != 1 ||
		    !strstr(de->d_name, ".json") ||
		    fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    now - st.st_mtime < DONE_KEPT_S)
			continue;
		if (load(dir, id, &a, &x, NULL) < 0 || !x.running)
			unlinkat(dir, de->d_name, 0);
	}
	closedir(d);
}

int apiexec_create(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(4096);
	auto_fd int dir = apistream_dir(c->s, e);
	unsigned char random[ID_LEN / 2];
	struct apistream unused;
	struct apibody_exec x;
	char id[ID_LEN + 1];
	struct lookup l;
	int r = dir < 0 ? dir : apicall_body(c, &body, e);

	if (r == 0)
		r = apibody_exec(body.p, body.len, c->a, &x, e);
	if (r == 0)
		r = apicall_instance(c, &l, e);
	if (r < 0)
		return r;
	if (l.state.status != INSTANCE_RUNNING)
		return err_set(e, ERR_CONFLICT, "container %s is not running", l.i.name);
	r = apistream_keys(&unused, x.detach_keys, e);
	if (r < 0)
		return r;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(e, "getrandom");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	sweep(dir);
	x.container = l.i.id;
	r = save(dir, id, &x, e);
	if (r < 0)
		return r;
	buf_printf(&b, "{\"Id\":\"%s\"}\n", id);
	return apicall_json(c, 201, &b, e);
}

static int begin(struct apicall *c, const struct apibody_exec *x, const struct apibody_start *how,
		 struct conn *m, struct err *e)
{
	struct exec_request q = {.args = x->args,
				 .env = x->env,
				 .user = x->user && *x->user ? x->user : NULL,
				 .workdir = x->workdir && *x->workdir ? x->workdir : NULL,
				 .tty = x->tty,
				 .in = x->in && !how->detach,
				 .detach = how->detach,
				 .rows = how->rows,
				 .columns = how->columns};
	struct wire_frame f;
	struct lookup l;
	int r = lookup_find(c->s, x->container, c->a, &l, e);

	if (!q.rows)
		apibody_size(&x->size, &q.rows, &q.columns);
	if (r == 0)
		r = exec_start(c->s, &l.i, &q, m, e);
	if (r == 0 && how->detach)
		r = conn_answer(m, EXEC_STREAM, WIRE_STARTED, &f, e);
	return r;
}

/* The connection is the process's stdio; the answer is known before it is one. */
static int follow(struct apicall *c, int dir, struct apibody_exec *x, struct apiweb *web,
		  struct conn *m, struct err *e)
{
	auto_fd int sizes = -1;
	struct apistream p = {.conn = m,
			      .stream = EXEC_STREAM,
			      .in = x->in,
			      .out = x->out,
			      .err = x->err,
			      .raw = x->tty,
			      .stay = true,
			      .web = web,
			      .reply = -1};
	struct err why = ERR_INIT;
	char name[96];
	int r;

	file_of(c->id, ".size", name);
	unlinkat(dir, name, 0);
	sizes = p.sizes = sock_listen(dir, name, 0600);
	r = apistream_keys(&p, x->detach_keys, e);
	if (r == 0)
		r = apistream_hijack(c->x, &p, e);
	if (r == 0)
		r = apistream_pump(&p, &why);
	unlinkat(dir, name, 0);
	if (r < 0 && (why.kind == ERR_NO_COMMAND || why.kind == ERR_NOT_EXEC)) {
		/* Docker tells on the stream, and by the code. */
		unsigned char h[8] = {[0] = 2,
				      [6] = (unsigned char)((why.len + 2) >> 8),
				      [7] = (unsigned char)(why.len + 2)};

		if (!x->tty && !web)
			fd_write_all(p.client, h, sizeof(h));
		fd_write_all(p.client, why.msg, why.len);
		fd_write_all(p.client, "\r\n", 2);
		p.status = (why.kind == ERR_NO_COMMAND ? 127 : 126) << 8;
		r = 1;
	}
	x->running = false;
	x->done = true;
	x->code = r > 0 ? conn_code(p.status) : 255;
	return save(dir, c->id, x, r < 0 ? NULL : e);
}

static int start(struct apicall *c, int dir, const struct apibody_start *how, struct apiweb *web,
		 struct err *e)
{
	auto_conn struct conn m = CONN_INIT;
	struct apibody_exec x;
	int r = load(dir, c->id, c->a, &x, e);

	if (r < 0)
		return r;
	if (x.running || x.done)
		return err_set(e, ERR_CONFLICT, "exec %.12s has been started already", c->id);
	r = begin(c, &x, how, &m, e);
	if (r < 0)
		return r;
	x.running = !how->detach;
	x.done = how->detach;
	r = save(dir, c->id, &x, e);
	if (r < 0)
		return r;
	return how->detach ? exchange_send(c->x, 200, NULL, "", 0, e)
			   : follow(c, dir, &x, web, &m, e);
}

int apiexec_start(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX);
	auto_fd int dir = apistream_dir(c->s, e);
	struct apibody_start how;
	int r = dir < 0 ? dir : apicall_body(c, &body, e);

	if (r == 0)
		r = apibody_start(body.p, body.len, c->a, &how, e);
	return r < 0 ? r : start(c, dir, &how, NULL, e);
}

int apiexec_websocket(struct apicall *c, struct err *e)
{
	auto_fd int dir = apistream_dir(c->s, e);
	struct apibody_start how = {0};
	struct apiweb web = APIWEB_INIT;
	int r = dir < 0 ? dir : apiweb_greet(c, &web, e);

	if (r <= 0)
		return r;
	r = start(c, dir, &how, &web, e);
	apiweb_close(&web);
	return r;
}

int apiexec_inspect(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	auto_fd int dir = apistream_dir(c->s, e);
	struct apibody_exec x;
	struct strs args;
	int r = dir < 0 ? dir : load(dir, c->id, c->a, &x, e);

	if (r < 0)
		return r;
	args = (struct strs){x.args.v + 1, x.args.n - 1};
	buf_puts(&b, "{");
	members_str(&w, "ID", c->id);
	members_yes(&w, "Running", x.running);
	if (x.done)
		members_num(&w, "ExitCode", x.code);
	else
		members_raw(&w, "ExitCode", "null");
	members_open(&w, "ProcessConfig");
	members_yes(&w, "tty", x.tty);
	members_str(&w, "entrypoint", x.args.v[0]);
	members_list(&w, "arguments", &args, "[]");
	members_str(&w, "user", x.user);
	members_close(&w);
	members_yes(&w, "OpenStdin", x.in);
	members_yes(&w, "OpenStdout", x.out);
	members_yes(&w, "OpenStderr", x.err);
	members_yes(&w, "CanRemove", false);
	members_str(&w, "ContainerID", x.container);
	members_str(&w, "DetachKeys", x.detach_keys);
	members_num(&w, "Pid", x.pid);
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}

int apiexec_resize(struct apicall *c, struct err *e)
{
	auto_fd int dir = apistream_dir(c->s, e), fd = -1;
	struct apibody_exec x;
	int64_t h = 0, w = 0;
	unsigned char b[4];
	char name[96];
	int r = dir < 0 ? dir : apicall_number(c, "h", 1, 65535, &h, e);

	if (r == 0)
		r = apicall_number(c, "w", 1, 65535, &w, e);
	if (r == 0)
		r = load(dir, c->id, c->a, &x, e);
	if (r < 0)
		return r;
	if (!h || !w)
		return err_set(e, ERR_USAGE, "parameters 'h' and 'w' are needed");
	file_of(c->id, ".size", name);
	fd = sock_connect(dir, name);
	apistream_size(b, (unsigned int)h, (unsigned int)w);
	if (fd < 0 || fd_write_all(fd, b, sizeof(b)) < 0)
		return err_set(e, ERR_CONFLICT, "exec %.12s is not running", c->id);
	return exchange_send(c->x, 200, NULL, "", 0, e);
}
