/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - other engines, each through its own public command, with the same image: docker and podman
 * load it; crun, which has no images, is given a directory that was unpacked from it.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/family.h"
#include "compare/footprint.h"
#include "compare/sample.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ANSWER_MAX (1u << 20)
#define ANSWER_MS  60000

static const char *path_of(const struct compare *c)
{
	for (char **v = c->s->environment; v && *v; v++)
		if (str_after(*v, "PATH="))
			return *v + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* What a command prints; NULL when it fails. */
static char *talk(struct compare *c, const struct strs *v)
{
	char *text = NULL;
	int status = 0;
	ssize_t n =
	    child_talk(&(struct child_opts){.path = v->v[0], .argv = v->v, .env = c->env},
		       &(struct child_talk){.max = ANSWER_MAX, .ms = ANSWER_MS}, &text, &status);

	if (n >= 0 && status == 0)
		return text;
	free(text);
	return NULL;
}

/* The image under its own name for it: "Loaded image: NAME". */
static int load(struct compare *c, enum report_subject s, struct err *e)
{
	struct subject *u = &c->subjects[s];
	const char *words[] = {"load", "-i", c->archive, NULL};
	struct strs v = subject_up(c, s);
	struct sample m;
	char *at;
	int r;

	subject_add(c, &v, words);
	r = compare_call(c, &v, &m, e);
	if (r < 0)
		return r;
	at = strstr(m.out, "Loaded image");
	at = at ? strstr(at, ": ") : NULL;
	if (!at)
		return err_set(e, ERR_SYSTEM, "%s load does not say what it loaded",
			       report_subject_names[s]);
	at[2 + strcspn(at + 2, "\r\n")] = '\0';
	u->image = arena_dup(c->arena, at + 2);
	return 0;
}

static int unpack(struct compare *c, struct err *e)
{
	const char *words[] = {"build", "-q", "-t", c->image, "-o", NULL, NULL, NULL};
	struct strs v = subject_up(c, REPORT_CONTAINER);

	c->bundles = arena_printf(c->arena, "%s/crun", c->dir);
	words[5] = arena_printf(c->arena, "type=local,dest=%s/crun/rootfs", c->dir);
	words[6] = arena_printf(c->arena, "%s/context", c->dir);
	if (mkdir(c->bundles, 0711) < 0)
		return err_sys(e, "'%s'", c->bundles);
	subject_add(c, &v, words);
	return compare_call(c, &v, NULL, e);
}

int peer_prepare(struct compare *c, enum report_subject s, struct err *e)
{
	const char *name = report_subject_names[s];
	struct subject *u = &c->subjects[s];
	char file[4096];

	if (child_find(name, path_of(c), file, sizeof(file)) < 0)
		return err_set(e, ERR_NOT_FOUND, "%s is not installed", name);
	arena_strs_add(c->arena, &u->up, arena_dup(c->arena, file));
	if (s != REPORT_CRUN)
		return load(c, s, e);
	arena_strs_add(c->arena, &u->up, "--root");
	arena_strs_add(c->arena, &u->up, arena_printf(c->arena, "%s/crun-state", c->dir));
	return unpack(c, e);
}

/* ---- crun ---- */

/* What `crun spec` writes, but for the process, without a terminal; its own default capabilities.
 */
static const char config_rest[] =
    "\"root\":{\"path\":\"../rootfs\",\"readonly\":false},\"hostname\":\"crun\",\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"ro\"]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
    "{\"type\":\"uts\"},{\"type\":\"mount\"}],\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\","
    "\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\","
    "\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\"],"
    "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
    "\"/proc/sysrq-trigger\"],\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}";

static const char capabilities[] = "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]";

static int bundle(struct compare *c, const char *dir, const struct strs *words, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	const char *file = arena_printf(c->arena, "%s/config.json", dir);
	auto_fd int fd = -1;

	buf_puts(&b,
		 "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,\"user\":{\"uid\":0,"
		 "\"gid\":0},\"cwd\":\"/\",\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:"
		 "/usr/sbin:/usr/bin:/sbin:/bin\"],\"noNewPrivileges\":true,\"args\":[");
	for (size_t i = 0; i < words->n; i++) {
		buf_puts(&b, i ? "," : "");
		json_quote(&b, words->v[i]);
	}
	buf_puts(&b, "],\"capabilities\":{");
	for (int i = 0; i < 4; i++) {
		static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};

		buf_printf(&b, "%s\"%s\":%s", i ? "," : "", sets[i], capabilities);
	}
	buf_printf(&b, "}},%s", config_rest);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s'", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (buf_fail(&b, "config.json", e) < 0)
		return -EFBIG;
	if (fd < 0 || fd_write_all(fd, b.p, b.len) < 0)
		return err_sys(e, "'%s'", file);
	return 0;
}

struct strs peer_crun(struct compare *c, const char *name, const struct strs *words, bool detach,
		      struct err *e)
{
	const char *dir = arena_printf(c->arena, "%s/%s", c->bundles ? c->bundles : c->dir, name);
	const char *tail[] = {"--bundle", dir, name, NULL};
	struct strs v = subject_up(c, REPORT_CRUN);

	if (bundle(c, dir, words, e) < 0)
		return (struct strs){0};
	arena_strs_add(c->arena, &v, "run");
	if (detach)
		arena_strs_add(c->arena, &v, "--detach");
	subject_add(c, &v, tail);
	return v;
}

/* ---- what they hold ---- */

/* "name=PREFIX" of all of ours. */
static const char *filter(struct compare *c)
{
	return arena_printf(c->arena, "name=compare-%08x", c->salt);
}

/* dockerd's processes are not below us: of each container its shim, and what is below that. */
int peer_family(struct compare *c, enum report_subject s, struct family *out, struct err *e)
{
	const char *list[] = {"ps", "-q", "--no-trunc", "--filter", filter(c), NULL};
	const char *inspect[] = {"inspect", "-f", "{{.State.Pid}}", NULL};
	struct strs v = subject_up(c, s), w = subject_up(c, s);
	struct family t = {0};
	auto_free char *ids = NULL;
	auto_free char *pids = NULL;
	char *save = NULL;
	size_t n = 0;
	int r = 0;

	subject_add(c, &v, list);
	subject_add(c, &w, inspect);
	ids = talk(c, &v);
	for (char *id = ids ? strtok_r(ids, "\n", &save) : NULL; id;
	     id = strtok_r(NULL, "\n", &save), n++)
		arena_strs_add(c->arena, &w, arena_dup(c->arena, id));
	pids = n ? talk(c, &w) : NULL;
	if (!pids)
		return err_set(e, ERR_NOT_FOUND, "docker does not say which processes are its");
	for (char *p = strtok_r(pids, "\n", &save); p && r == 0; p = strtok_r(NULL, "\n", &save)) {
		pid_t pid = (pid_t)strtol(p, NULL, 10), shim = pid > 0 ? family_parent(pid) : 0;

		r = shim > 1 ? family_add(shim, &t, e)
			     : err_set(e, ERR_NOT_FOUND, "docker's process %s has no shim", p);
		t.inside = pid;
	}
	if (r < 0)
		return r;
	*out = t;
	c->report->who[s].note = arena_printf(
	    c->arena,
	    "dockerd and containerd hold %.0f MiB besides, however many containers there are",
	    (double)(family_named("dockerd") + family_named("containerd")) / 1048576);
	return 0;
}

static void number(struct compare *c, enum report_subject s, enum report_row row,
		   const char *const *words)
{
	struct strs v = subject_up(c, s);
	auto_free char *text = NULL;
	char *end;
	double n;

	subject_add(c, &v, words);
	text = talk(c, &v);
	n = text ? strtod(text, &end) : -1;
	if (!text || end == text || n < 0)
		report_missing(c->report, row, s,
			       arena_printf(c->arena, "%s does not say", report_subject_names[s]));
	else
		report_add(c->report, row, s, n);
}

void peer_disk(struct compare *c, enum report_subject s)
{
	const struct subject *u = &c->subjects[s];
	const char *image[] = {"image", "inspect", "-f", "{{.Size}}", u->image, NULL};
	const char *own[] = {"inspect", "-s", "-f", "{{.SizeRw}}", u->name, NULL};
	struct strs rootfs = {0};
	struct err e = ERR_INIT;
	uint64_t bytes;

	if (s != REPORT_CRUN) {
		number(c, s, REPORT_SHARED, image);
		number(c, s, REPORT_OWN, own);
		return;
	}
	report_missing(c->report, REPORT_SHARED, s,
		       "crun has no images: each has its own directory");
	arena_strs_add(c->arena, &rootfs, arena_printf(c->arena, "%s/rootfs", c->bundles));
	if (footprint_disk(&rootfs, &bytes, &e) < 0)
		report_missing(c->report, REPORT_OWN, s, e.msg);
	else
		report_add(c->report, REPORT_OWN, s, (double)bytes);
}

/* ---- after ---- */

static void remove_listed(struct compare *c, enum report_subject s, const char *const *list)
{
	struct strs v = subject_up(c, s), names = {0};
	auto_free char *text = NULL;
	char *save = NULL;

	subject_add(c, &v, list);
	text = talk(c, &v);
	for (char *l = text ? strtok_r(text, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save))
		if (s != REPORT_CRUN ||
		    str_after(l, arena_printf(c->arena, "compare-%08x", c->salt)))
			arena_strs_add(c->arena, &names, arena_dup(c->arena, l));
	if (!names.n)
		return;
	v = subject_remove(c, s, &names);
	compare_call(c, &v, NULL, NULL);
}

void peer_sweep(struct compare *c, enum report_subject s)
{
	const char *list[] = {"ps", "-aq", "--filter", filter(c), NULL};
	const char *crun[] = {"list", "-q", NULL};
	const char *rmi[] = {"rmi", "-f", c->subjects[s].image, NULL};
	struct strs v;

	if (!c->subjects[s].up.n)
		return;
	remove_listed(c, s, s == REPORT_CRUN ? crun : list);
	if (s == REPORT_CRUN || !c->subjects[s].image)
		return;
	v = subject_up(c, s);
	subject_add(c, &v, rmi);
	compare_call(c, &v, NULL, NULL);
}
