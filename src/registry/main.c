/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-fetch - brings images from where they are, and to registries.  Lives for one transfer;
 * has TLS, the user's registry credentials, and the descriptors it is handed; has not: the store.
 * Parses hostile bytes from: registries, web servers, archives, image layouts.
 *
 * Started by the engine with one end of a socket pair, docs/protocols/fetch.md.  For a registry it
 * becomes "nobody" once it has read the credentials; for local files it keeps its user but has no
 * network.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/registries_conf.h"
#include "registry/courier.h"
#include "registry/distribution.h"
#include "registry/docker_archive.h"
#include "registry/hostconf.h"
#include "registry/mirrors.h"
#include "registry/oci_layout.h"
#include "registry/tarball.h"
#include "registry/web.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NOBODY 65534

enum transport { REGISTRY, OCI, ARCHIVE, DOCKER_ARCHIVE, OCI_ARCHIVE, DIRECTORY, WEB };
static const char *const transports[] = {"registry",	"oci", "archive", "docker-archive",
					 "oci-archive", "dir", "web",	  NULL};

struct args {
	int64_t sock, file, config;
	int transport;
	const char *host, *repository;
	bool push, login, remove, search;
	struct opt_list from;
};

static const struct opt opts[] = {
    OPT(struct args, sock, .name = "sock", .type = OPT_INT, .arg = "FD", .max = 1 << 20,
	.help = "the engine's end is at the other side"),
    OPT(struct args, file, .name = "file", .type = OPT_INT, .arg = "FD", .min = -1, .max = 1 << 20,
	.preset = "-1", .help = "directory or archive to read"),
    OPT(struct args, config, .name = "config", .type = OPT_INT, .arg = "FD", .min = -1,
	.max = 1 << 20, .preset = "-1",
	.help = "registry: a config.json in the place of the user's"),
    OPT(struct args, transport, .name = "transport", .type = OPT_ENUM, .values = transports,
	.arg = "KIND", .help = "what to read from"),
    OPT(struct args, host, .name = "host", .type = OPT_STR, .arg = "HOST",
	.help = "registry: its name and port"),
    OPT(struct args, repository, .name = "repository", .type = OPT_STR, .arg = "PATH",
	.help = "registry: which repository"),
    OPT(struct args, push, .name = "push", .type = OPT_BOOL, .help = "registry: images go there"),
    OPT(struct args, from, .name = "from", .type = OPT_LIST, .arg = "PATH",
	.help = "registry: with --push, repository there that has some of it already"),
    OPT(struct args, login, .name = "login", .type = OPT_BOOL,
	.help = "registry: only try a user and password"),
    OPT(struct args, remove, .name = "remove", .type = OPT_BOOL,
	.help = "registry: only remove images there"),
    OPT(struct args, search, .name = "search", .type = OPT_BOOL,
	.help = "registry: only ask its index"),
    OPT_END,
};

static int limits(struct err *e)
{
	static const struct {
		__rlimit_resource_t what;
		rlim_t value;
	} l[] = {
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is terabytes of addresses */
	    {RLIMIT_AS, 4ull << 30},
#endif
	    {RLIMIT_NOFILE, 256},
	    {RLIMIT_CORE, 0},
	};

	for (size_t i = 0; i < sizeof(l) / sizeof(*l); i++) {
		struct rlimit rl = {l[i].value, l[i].value};

		if (setrlimit(l[i].what, &rl) < 0)
			return err_sys(e, "cannot limit resources");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "cannot give up privileges");
	return 0;
}

static int become_nobody(struct err *e)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return err_sys(e, "cannot give up privileges");
	/* The change of identity cleared it (prctl(2), PR_SET_PDEATHSIG). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static int open_targets(const struct args *a, const struct hostconf_opts *h,
			struct distribution_opts *o, struct source **out, struct err *e)
{
	static struct arena arena; /* until the process ends: the sources keep strings of it */
	struct mirrors_place places[REGISTRIES_MIRRORS_MAX + 1] = {0};
	struct registries_targets t = {0};
	/* A login is for the registry that was named; only how it is asked is looked up. */
	int r = hostconf_targets(h, a->host, a->repository ? a->repository : "x", &arena, &t, e);
	size_t n = 0;

	for (size_t i = a->push || a->login || a->remove || a->search ? t.n - 1 : 0;
	     r >= 0 && i < t.n; i++, n++) {
		o->host = a->login ? a->host : t.v[i].host;
		o->repository = a->repository ? t.v[i].repository : NULL;
		o->insecure = t.v[i].insecure;
		o->mirror = i + 1 < t.n;
		places[n].only = t.v[i].only;
		r = hostconf_tls(h, o->host, &arena, &o->tls, e);
		if (r >= 0)
			r = distribution_open(o, &places[n].source, e);
	}
	if (r >= 0)
		*out = n == 1 ? places[0].source : mirrors_new(places, n);
	return r;
}

static long stall_seconds(void)
{
	const char *stall = secure_getenv("CAISSON_FETCH_STALL_SECONDS");

	return stall ? strtol(stall, NULL, 10) : 0;
}

static int open_registry(const struct args *a, struct source **out, struct err *e)
{
	char config[32];
	struct distribution_opts o = {
	    .push = a->push,
	    .remove = a->remove,
	    .search = a->search,
	    .from = {a->from.v, a->from.n},
	    .environ = (const char *const *)environ,
	    .home = secure_getenv("HOME"),
	    .docker_config = secure_getenv("DOCKER_CONFIG"),
	    .ca_file = secure_getenv("SSL_CERT_FILE"),
	    .stall_seconds = stall_seconds(),
	    .credentials = a->config >= 0 ? config : NULL,
	};
	struct hostconf_opts h = {.registries_conf = secure_getenv("CAISSON_REGISTRIES_CONF"),
				  .home = o.home,
				  .config_home = secure_getenv("XDG_CONFIG_HOME")};
	int r;

	snprintf(config, sizeof(config), "/proc/self/fd/%d", (int)a->config);
	if (!a->host || !!a->repository == (a->login || a->search))
		return err_set(e, ERR_USAGE, "--host and --repository are needed");
	/* Reads the credentials; nothing has come from the network yet. */
	r = open_targets(a, &h, &o, out, e);
	return r < 0 ? r : become_nobody(e);
}

static int open_web(struct source **out, struct err *e)
{
	struct web_opts o = {.ca_file = secure_getenv("SSL_CERT_FILE"),
			     .stall_seconds = stall_seconds()};
	int r = web_open(&o, out, e);

	return r < 0 ? r : become_nobody(e);
}

static int open_local(const struct args *a, struct source **out, struct err *e)
{
	struct tarball *t;
	int r;

	if (a->file < 0)
		return err_set(e, ERR_USAGE, "--file is needed");
	/* Without CAP_SYS_ADMIN this fails, and then there was not much power to lose. */
	if (unshare(CLONE_NEWNET) < 0 && geteuid() == 0)
		return err_sys(e, "cannot give up the network");
	if (a->transport == OCI) {
		*out = oci_layout_open_dir((int)a->file);
		return 0;
	}
	if (a->transport == DIRECTORY) {
		*out = oci_layout_open_plain((int)a->file);
		return 0;
	}
	r = tarball_open((int)a->file, &t, e);
	if (r < 0)
		return r;
	/* docker save since 25 (and ours) writes both; only the layout keeps the manifests, and so
	 * the digests. */
	if (a->transport != OCI_ARCHIVE &&
	    (a->transport == DOCKER_ARCHIVE || tarball_has(t, "manifest.json")) &&
	    !(tarball_has(t, "oci-layout") && tarball_has(t, "index.json"))) {
		*out = docker_archive_new(t);
		return 0;
	}
	if (!tarball_has(t, "index.json")) {
		tarball_close(t);
		return err_set(e, ERR_CORRUPT, "it has neither manifest.json nor index.json");
	}
	*out = tarball_layout(t);
	return 0;
}

int main(int argc, char **argv)
{
	struct args a = {.file = -1};
	struct source *s = NULL;
	struct err e = ERR_INIT;
	int r = opt_parse(opts, argc, argv, OPT_FIRST, &a, &e);

	if (r < 0) {
		fprintf(stderr, "caisson-fetch: %s\n", e.msg);
		return 2;
	}
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = limits(&e);
	if (r >= 0)
		r = a.transport == REGISTRY ? open_registry(&a, &s, &e)
		    : a.transport == WEB    ? open_web(&s, &e)
					    : open_local(&a, &s, &e);
	if (r < 0)
		return courier_refuse((int)a.sock, &e) < 0;
	r = courier_run(s, (int)a.sock);
	/* Threads may still be inside the source: the end of the process ends them all. */
	_exit(r < 0);
}
