/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imagepull - the image from a registry on loopback into an engine that does not have it: bytes,
 * digests and unpacking, not the network.  The registry is `caisson image serve`, for all.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/live.h"
#include "compare/sample.h"
#include "sys/child.h"
#include "sys/path.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES	    3
#define LISTEN_MS   20000
#define ADDRESS_MAX 128

/* The server says where it listens in its first line, which ends with the address. */
static pid_t serve(struct compare *c, char *address, struct err *e)
{
	const char *words[] = {"image", "serve", "--listen", "127.0.0.1:0", NULL};
	struct strs v = subject_up(c, REPORT_CONTAINER);
	struct pollfd p;
	int out[2];
	struct child_fd fds[] = {{-1, 1}, {-1, 2}};
	char text[512] = "";
	const char *at;
	ssize_t n = 0;
	pid_t pid;

	subject_add(c, &v, words);
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	fds[0].from = out[1];
	pid = child_start(&(struct child_opts){
	    .path = v.v[0], .argv = v.v, .env = c->env, .fds = fds, .nfds = 2});
	close(out[1]);
	p = (struct pollfd){.fd = out[0], .events = POLLIN};
	if (pid > 0 && poll(&p, 1, LISTEN_MS) > 0)
		n = read(out[0], text, sizeof(text) - 1);
	close(out[0]);
	at = n > 0 ? strstr(text, "127.0.0.1:") : NULL;
	if (!at) {
		child_kill(pid);
		return err_set(e, ERR_SYSTEM, "caisson image serve does not say where it listens");
	}
	snprintf(address, ADDRESS_MAX, "%.*s", (int)strcspn(at, " \r\n"), at);
	return pid;
}

/* An engine without the image: ours a store of its own, others forget it. */
static struct strs pull(struct compare *c, enum report_subject s, const char *name)
{
	struct strs v = subject_up(c, s);
	const char *base = s == REPORT_ROOTLESS && c->user_dir ? c->user_dir : c->dir;

	if (c->subjects[s].kind == SUBJECT_OURS) {
		v.v[v.n - 3] = arena_printf(c->arena, "%s/pull", base);
		v.v[v.n - 1] = arena_printf(c->arena, "%s/pull-run", base);
	}
	arena_strs_add(c->arena, &v, "pull");
	arena_strs_add(c->arena, &v, "-q");
	if (s == REPORT_PODMAN)
		arena_strs_add(c->arena, &v, "--tls-verify=false");
	arena_strs_add(c->arena, &v, name);
	return v;
}

static void forget(struct compare *c, enum report_subject s, const char *name)
{
	const char *base = s == REPORT_ROOTLESS && c->user_dir ? c->user_dir : c->dir;
	const char *words[] = {"rmi", "-f", name, NULL};
	struct strs v = subject_up(c, s);

	if (c->subjects[s].kind == SUBJECT_OURS) {
		path_remove(AT_FDCWD, arena_printf(c->arena, "%s/pull", base));
		path_remove(AT_FDCWD, arena_printf(c->arena, "%s/pull-run", base));
		return;
	}
	subject_add(c, &v, words);
	compare_call(c, &v, NULL, NULL);
}

static void once(struct compare *c, enum report_subject s, const char *name)
{
	struct strs v = pull(c, s, name);
	struct err e = ERR_INIT;
	struct sample m;
	int r;

	/* Under the name it was loaded by it would be here already. */
	if (c->subjects[s].kind == SUBJECT_PEER)
		forget(c, s, c->subjects[s].image);
	r = sample_run(v.v, c->subjects[s].env, COMPARE_START_NS, &m, &e);

	if (r == 0 && m.code) {
		compare_complain(&m, &e);
		r = -EIO;
	}
	if (r < 0)
		report_missing(c->report, REPORT_TRANSFER, s, e.msg);
	else
		report_add(c->report, REPORT_TRANSFER, s, (double)m.total_ns);
	forget(c, s, name);
}

static bool pulls(const struct compare *c, enum report_subject s)
{
	return !c->subjects[s].off && !c->report->cells[REPORT_TRANSFER][s].why &&
	       (s == REPORT_CONTAINER || s == REPORT_ROOTLESS || s == REPORT_DOCKER ||
		s == REPORT_PODMAN);
}

void imagepull_all(struct compare *c)
{
	char address[ADDRESS_MAX];
	struct err e = ERR_INIT;
	const char *name;
	pid_t pid;

	compare_progress(c, "image transfer");
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
		if (!c->subjects[s].off && !pulls(c, (enum report_subject)s))
			report_missing(c->report, REPORT_TRANSFER, (enum report_subject)s,
				       c->subjects[s].kind == SUBJECT_OURS
					   ? "the same store as container's"
					   : "it has no images");
	pid = serve(c, address, &e);
	if (pid < 0) {
		for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++)
			report_missing(c->report, REPORT_TRANSFER, (enum report_subject)s, e.msg);
		return;
	}
	name = arena_printf(c->arena, "%s/%s", address, c->image);
	for (int i = 0; i < TIMES; i++)
		for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_ && !compare_interrupted(); s++)
			if (pulls(c, (enum report_subject)s))
				once(c, (enum report_subject)s, name);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
