/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

struct serve_args {
	const char *listen, *group, *tlscacert, *tlscert, *tlskey;
	bool idle_exit, log, routes, tlsverify;
};

#define IDLE_SECONDS 10

static const struct opt serve_opts[] = {
    OPT(struct serve_args, group, .name = "group", .type = OPT_STR, .arg = "GROUP",
	.help = "let this group connect, too: its members become root by it"),
    OPT(struct serve_args, idle_exit, .name = "idle-exit", .type = OPT_BOOL,
	.help = "end when nobody was connected for ten seconds"),
    OPT(struct serve_args, listen, .name = "listen", .type = OPT_STR, .arg = "ADDRESS",
	.help = "unix:///PATH (default /run/caisson.sock, or systemd's sockets), tcp://IP:PORT"),
    OPT(struct serve_args, log, .name = "log", .type = OPT_BOOL,
	.help = "write each request's route and status to stderr"),
    OPT(struct serve_args, routes, .name = "routes", .type = OPT_BOOL,
	.help = "only print what is served"),
    OPT(struct serve_args, tlscacert, .name = "tlscacert", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "tcp: whose certificates let clients in"),
    OPT(struct serve_args, tlscert, .name = "tlscert", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "tcp: the server's certificate"),
    OPT(struct serve_args, tlskey, .name = "tlskey", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "tcp: its key"),
    OPT(struct serve_args, tlsverify, .name = "tlsverify", .type = OPT_BOOL,
	.help = "tcp: want client certificates, as is always done"),
    OPT_END,
};

static void ready(const char *listen, void *arg)
{
	const struct serve_args *sa = arg;

	if (sa->tlscacert)
		fprintf(stderr,
			"whoever has a certificate of '%s' and reaches %s may do whatever root "
			"may\n",
			sa->tlscacert, listen);
	if (sa->group)
		fprintf(stderr, "group '%s' may do through %s whatever root may\n", sa->group,
			listen);
	printf("%s\n", listen);
	fflush(stdout);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct serve_args sa = *(const struct serve_args *)args;
	struct api_opts o = {.listen = sa.listen,
			     .group = sa.group,
			     .tls_ca = sa.tlscacert,
			     .tls_cert = sa.tlscert,
			     .tls_key = sa.tlskey,
			     .tls_verify = sa.tlsverify,
			     .leave_seconds = sa.idle_exit ? IDLE_SECONDS : 0,
			     .log = sa.log,
			     .ready = ready,
			     .arg = &sa};
	auto_buf struct buf b = BUF_INIT(1 << 20);

	if (!sa.routes)
		return api_run(s, &o, e);
	api_routes(&b);
	return fd_write_all(STDOUT_FILENO, b.p, b.len) < 0 ? 1 : 0;
}

extern const struct cmd cmd_serve;
const struct cmd cmd_serve = {
    .name = "serve",
    .group = "system",
    .operands = "",
    .summary = "let docker's clients in: its Engine API on a socket",
    .opts = serve_opts,
    .args_size = sizeof(struct serve_args),
    .run = run,
};
