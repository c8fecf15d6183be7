/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel is made in a stage and appears by one rename; kernel.json is what makes it one.
 */
#include "engine/kernel_ctl.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "engine/session.h"
#include "fmt/guest_kernel.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNELS	   "kernels"
#define DEFAULT	   KERNELS "/default"
#define MODULE_MAX (64u << 20)
#define SOURCES	   "/usr/src/linux-source-*.tar.xz"

/* ---- what there is ---- */

static void places(const struct session *s, struct arena *a, struct strs *out)
{
	arena_strs_add(a, out, arena_printf(a, "%s/" KERNELS, s->data ? s->data : "/nonexistent"));
	arena_strs_add(a, out, "/usr/local/share/caisson/" KERNELS);
	arena_strs_add(a, out, "/usr/share/caisson/" KERNELS);
	arena_strs_add(a, out, arena_printf(a, "%s/" KERNELS, s->root));
}

static const char *chosen(const struct session *s, struct arena *a)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, arena_printf(a, "%s/" DEFAULT, s->root), GUEST_KERNEL_NAME_MAX + 1,
		      &text) <= 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return arena_dup(a, text);
}

static int read_info(const char *dir, struct arena *a, struct guest_kernel_info *info,
		     struct err *e)
{
	const char *path = arena_printf(a, "%s/kernel.json", dir);
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, path, GUEST_KERNEL_JSON_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "kernel %s", path);
	}
	return guest_kernel_parse(text, (size_t)n, a, path, info, e);
}

static size_t count_modules(const struct guest_kernel_modules *m)
{
	return m->boot.n + m->late.n + m->net.n + m->share.n;
}

static void list_dir(const char *dir, bool ours, const char *def, struct arena *a,
		     struct kernel_rows *out)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strs names = {0};

	if (fd < 0 || path_names(fd, a, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		const char *path = arena_printf(a, "%s/%s", dir, names.v[i]);
		struct guest_kernel_info info;
		struct kernel_row *v;
		struct stat st;

		if (!guest_kernel_name_ok(names.v[i]) || read_info(path, a, &info, NULL) < 0 ||
		    stat(arena_printf(a, "%s/vmlinux", path), &st) < 0)
			continue;
		v = arena_array(a, out->n + 1, sizeof(*v));
		if (out->n)
			memcpy(v, out->v, out->n * sizeof(*v));
		v[out->n++] = (struct kernel_row){.name = names.v[i],
						  .package = info.package ? info.package : "",
						  .dir = path,
						  .chosen = def && streq(def, names.v[i]),
						  .ours = ours,
						  .acpi = info.acpi,
						  .bytes = (uint64_t)st.st_size,
						  .modules = count_modules(&info.modules)};
		out->v = v;
	}
}

int kernel_ctl_list(struct session *s, struct arena *a, struct kernel_rows *out, struct err *e)
{
	const char *def = chosen(s, a);
	struct strs dirs = {0};

	*out = (struct kernel_rows){0};
	places(s, a, &dirs);
	for (size_t i = 0; i < dirs.n; i++)
		list_dir(dirs.v[i], i + 1 == dirs.n, def, a, out);
	return 0;
}

static const struct kernel_row *find(const struct kernel_rows *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].name, name))
			return &l->v[i];
	return NULL;
}

/* ---- one more ---- */

struct made {
	struct session *s;
	struct arena *a;
	struct stage *stage;
	int dir; /* "new" in the stage */
};

static int begin(struct made *m, struct err *e)
{
	struct store *store;
	int r = session_store(m->s, &store, e);

	if (r == 0)
		r = stage_new(store, &m->stage, e);
	if (r < 0)
		return r;
	if (mkdirat(stage_fd(m->stage), "new", 0755) < 0 ||
	    mkdirat(stage_fd(m->stage), "new/modules", 0755) < 0)
		return err_sys(e, "kernel");
	m->dir = openat(stage_fd(m->stage), "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m->dir < 0 ? err_sys(e, "kernel") : 0;
}

static void end(struct made *m)
{
	fd_close(m->dir);
	if (m->stage)
		stage_free(m->stage);
}

static void hex(const unsigned char *sum, char out[65])
{
	for (int i = 0; i < 32; i++)
		snprintf(out + (size_t)i * 2, 3, "%02x", sum[i]);
}

/* Checked before it is copied; sha256: what it should be, or NULL. */
static int take_vmlinux(struct made *m, const char *path, const char *sha256, char got[65],
			struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char sum[32];
	struct stat st;
	void *p;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "kernel %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, ERR_UNSUPPORTED, "kernel %s: not a file with anything in it",
			       path);
	if ((uint64_t)st.st_size > GUEST_KERNEL_MAX)
		return err_set(e, ERR_LIMIT, "kernel %s: larger than %llu MiB", path,
			       GUEST_KERNEL_MAX >> 20);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "kernel %s", path);
	r = guest_kernel_elf(p, (size_t)st.st_size, path, e);
	if (r == 0) {
		sha256_of(p, (size_t)st.st_size, sum);
		hex(sum, got);
		if (sha256 && !streq(sha256, got))
			r = err_set(e, ERR_CORRUPT,
				    "kernel %s: its digest is %.12s.., kernel.json says %.12s..",
				    path, got, sha256);
	}
	if (r == 0) {
		r = file_replace(m->dir, "vmlinux", p, (size_t)st.st_size, 0644, FILE_DURABLE);
		if (r < 0) {
			errno = -r;
			r = err_sys(e, "kernel %s: copy", path);
		}
	}
	munmap(p, (size_t)st.st_size);
	return r;
}

static int take_modules(struct made *m, const char *dir, const struct strs *names, struct err *e)
{
	auto_fd int to = openat(m->dir, "modules", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (to < 0)
		return err_sys(e, "kernel");
	for (size_t i = 0; i < names->n; i++) {
		auto_free char *data = NULL;
		const char *from = arena_printf(m->a, "%s/modules/%s", dir, names->v[i]);
		ssize_t n;
		int r;

		if (strchr(names->v[i], '/') || names->v[i][0] == '.')
			return err_set(e, ERR_CORRUPT, "%s/kernel.json: module '%s'", dir,
				       names->v[i]);
		n = file_read(AT_FDCWD, from, MODULE_MAX, &data);
		r = n < 0 ? (int)n
			  : file_replace(to, names->v[i], data, (size_t)n, 0644, FILE_DURABLE);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "kernel %s: module %s", dir, names->v[i]);
		}
	}
	return 0;
}

/* kernel.json, then the rename. */
static int publish(struct made *m, const struct guest_kernel_info *info, struct err *e)
{
	auto_buf struct buf json = BUF_INIT(GUEST_KERNEL_JSON_MAX);
	int root = store_root_fd(m->s->store), r;
	const char *to = arena_printf(m->a, KERNELS "/%s", info->version);

	guest_kernel_write(info, &json);
	r = buf_fail(&json, "kernel.json", e);
	if (r < 0)
		return r;
	r = file_replace(m->dir, "kernel.json", json.p, json.len, 0644, FILE_DURABLE);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "kernel.json");
	}
	if (mkdirat(root, KERNELS, 0755) < 0 && errno != EEXIST)
		return err_sys(e, KERNELS);
	if (renameat(stage_fd(m->stage), "new", root, to) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return err_set(e, ERR_EXISTS, "kernel '%s' is there already", info->version);
	return err_sys(e, "kernel '%s'", info->version);
}

static int check_new(struct session *s, const char *name, struct arena *a, struct err *e)
{
	struct kernel_rows all;

	if (!guest_kernel_name_ok(name))
		return err_set(e, ERR_USAGE,
			       "'%.80s' cannot be the name of a kernel: up to %d letters, digits "
			       "and . _ + ~ - after the first",
			       name, GUEST_KERNEL_NAME_MAX);
	kernel_ctl_list(s, a, &all, NULL);
	if (find(&all, name))
		return err_set(e, ERR_EXISTS, "kernel '%s' is there already", name);
	return 0;
}

static int add_file(struct made *m, const char *path, struct guest_kernel_info *info, struct err *e)
{
	char *sum = arena_alloc(m->a, 65);

	info->sha256 = sum;
	return take_vmlinux(m, path, NULL, sum, e);
}

static int add_dir(struct made *m, const char *dir, struct guest_kernel_info *info, struct err *e)
{
	const struct guest_kernel_modules *g = &info->modules;
	char sum[65];
	int r = take_vmlinux(m, arena_printf(m->a, "%s/vmlinux", dir), info->sha256, sum, e);

	if (r == 0)
		r = take_modules(m, dir, &g->boot, e);
	if (r == 0)
		r = take_modules(m, dir, &g->late, e);
	if (r == 0)
		r = take_modules(m, dir, &g->net, e);
	return r == 0 ? take_modules(m, dir, &g->share, e) : r;
}

int kernel_ctl_add(struct session *s, const char *path, const char *name, bool acpi, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct made m = {.s = s, .a = &a, .dir = -1};
	struct guest_kernel_info info = {.format = 1, .package = "added", .acpi = acpi};
	struct stat st;
	int r = 0;

	if (stat(path, &st) < 0)
		return err_sys(e, "kernel %s", path);
	if (S_ISDIR(st.st_mode))
		r = read_info(path, &a, &info, e);
	else if (!name)
		r = err_set(e, ERR_USAGE, "--name is needed for a kernel without kernel.json");
	if (r == 0 && name)
		info.version = name;
	if (r == 0)
		r = check_new(s, info.version, &a, e);
	if (r == 0)
		r = begin(&m, e);
	if (r == 0)
		r = S_ISDIR(st.st_mode) ? add_dir(&m, path, &info, e)
					: add_file(&m, path, &info, e);
	if (r == 0)
		r = publish(&m, &info, e);
	end(&m);
	return r;
}

/* ---- building ---- */

/* $1 the source, $2 where, $3 the configuration, $4 jobs.  The same bytes from the same source. */
static const char build_script[] =
    "set -e; exec >&2; mkdir \"$2\"; tar -xf \"$1\" -C \"$2\" --strip-components=1; cd \"$2\"; "
    "make -s tinyconfig; scripts/kconfig/merge_config.sh -m .config \"$3\" >/dev/null; "
    "make -s olddefconfig; "
    "make -s -j\"$4\" KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=caisson "
    "KBUILD_BUILD_HOST=caisson vmlinux; "
    "strip -o caisson-vmlinux vmlinux; make -s kernelrelease >caisson-release";

static int need_programs(const struct session *s, struct err *e)
{
	static const char *const need[][2] = {
	    {"make", "make"}, {"gcc", "gcc"},	  {"flex", "flex"},	 {"bison", "bison"},
	    {"bc", "bc"},     {"xz", "xz-utils"}, {"strip", "binutils"}, {"tar", "tar"}};
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char found[4096];

	for (char **v = s->environment; v && *v; v++)
		if (str_after(*v, "PATH="))
			path = *v + 5;
	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
		if (child_find(need[i][0], path, found, sizeof(found)) < 0)
			return err_set(e, ERR_NOT_FOUND,
				       "building a kernel needs %s (Debian package %s)", need[i][0],
				       need[i][1]);
	return 0;
}

static int find_source(const char *said, struct arena *a, const char **out, struct err *e)
{
	glob_t g;

	if (said) {
		*out = said;
		return access(said, R_OK) < 0 ? err_sys(e, "--source %s", said) : 0;
	}
	*out = NULL;
	if (glob(SOURCES, 0, NULL, &g) == 0) {
		*out = arena_dup(a, g.gl_pathv[g.gl_pathc - 1]);
		globfree(&g);
	}
	if (*out)
		return 0;
	return err_set(e, ERR_NOT_FOUND,
		       "no " SOURCES ": install Debian's linux-source package, or name a --source");
}

static int compile(const struct kernel_build *b, const char *source, const char *dir,
		   const char *config, struct arena *a, struct err *e)
{
	const char *argv[] = {"sh",   "-c", build_script, "sh",
			      source, dir,  config,	  arena_printf(a, "%d", b->jobs),
			      NULL};
	int status = 0;
	pid_t pid = child_start(
	    &(struct child_opts){.path = "/bin/sh", .argv = argv, .env = child_environ()});

	if (pid < 0) {
		errno = -pid;
		return err_sys(e, "/bin/sh");
	}
	child_wait(pid, &status);
	return status ? err_set(e, ERR_SYSTEM, "the kernel was not built (status %d)", status >> 8)
		      : 0;
}

/* Absolute, because the build works elsewhere. */
static const char *absolute(struct arena *a, const char *path)
{
	auto_free char *full = realpath(path, NULL);

	return full ? arena_dup(a, full) : path;
}

int kernel_ctl_build(struct session *s, const struct kernel_build *b, struct arena *a,
		     const char **name, struct err *e)
{
	struct made m = {.s = s, .a = a, .dir = -1};
	struct guest_kernel_info info = {.format = 1};
	const char *source = NULL, *dir, *config = b->config;
	auto_free char *release = NULL;
	int r = need_programs(s, e);

	if (r == 0)
		r = find_source(b->source, a, &source, e);
	if (r == 0 && b->name)
		r = check_new(s, b->name, a, e);
	if (r == 0 && !config)
		config = arena_printf(a, "%s/kernel.config", s->data ? s->data : "");
	if (r == 0 && access(config, R_OK) < 0)
		r = err_sys(e, "configuration %s", config);
	if (r == 0)
		r = begin(&m, e);
	if (r == 0) {
		dir = arena_printf(a, "%s/%s/source", s->root, stage_path(m.stage));
		r = compile(b, absolute(a, source), dir, absolute(a, config), a, e);
		if (r == 0 && file_read(AT_FDCWD, arena_printf(a, "%s/caisson-release", dir),
					GUEST_KERNEL_NAME_MAX + 1, &release) <= 0)
			r = err_set(e, ERR_SYSTEM, "the built kernel does not say its release");
		if (r == 0)
			r = add_file(&m, arena_printf(a, "%s/caisson-vmlinux", dir), &info, e);
	}
	if (r == 0) {
		release[strcspn(release, "\n")] = '\0';
		info.version = b->name ? b->name : arena_dup(a, release);
		info.package =
		    arena_printf(a, "built from %s", strrchr(absolute(a, source), '/') + 1);
		r = check_new(s, info.version, a, e);
	}
	if (r == 0)
		r = publish(&m, &info, e);
	if (r == 0)
		*name = info.version;
	end(&m);
	return r;
}

/* ---- which one ---- */

int kernel_ctl_default(struct session *s, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = -1;
	struct kernel_rows all;
	struct store *store;
	const char *line;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	if (!name)
		return unlinkat(store_root_fd(store), DEFAULT, 0) < 0 && errno != ENOENT
			   ? err_sys(e, "default kernel")
			   : 0;
	kernel_ctl_list(s, &a, &all, e);
	if (!find(&all, name))
		return err_set(e, ERR_NOT_FOUND, "no kernel '%s': see caisson kernel ls", name);
	if (mkdirat(store_root_fd(store), KERNELS, 0755) < 0 && errno != EEXIST)
		return err_sys(e, KERNELS);
	dir = openat(store_root_fd(store), KERNELS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	line = arena_printf(&a, "%s\n", name);
	r = dir < 0 ? -errno : file_replace(dir, "default", line, strlen(line), 0644, FILE_DURABLE);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "default kernel");
	}
	return 0;
}

int kernel_ctl_remove(struct session *s, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct kernel_row *k;
	struct kernel_rows all;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	kernel_ctl_list(s, &a, &all, e);
	k = find(&all, name);
	if (!k)
		return err_set(e, ERR_NOT_FOUND, "no kernel '%s': see caisson kernel ls", name);
	if (!k->ours)
		return err_set(e, ERR_CONFLICT, "kernel '%s' belongs to the installation (%s)",
			       name, k->dir);
	if (k->chosen)
		return err_set(e, ERR_CONFLICT,
			       "kernel '%s' is the default: choose another one first", name);
	/* Machines that run have it in their memory. */
	unlinkat(store_root_fd(store), arena_printf(&a, KERNELS "/%s/kernel.json", name), 0);
	r = path_remove(store_root_fd(store), arena_printf(&a, KERNELS "/%s", name));
	if (r < 0) {
		errno = -r;
		return err_sys(e, "kernel '%s'", name);
	}
	return 0;
}
