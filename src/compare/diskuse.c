/* SPDX-License-Identifier: Apache-2.0 */
/* diskuse - blocks on disk that an instance of ours has, and those it shares, as its engine says.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/footprint.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "sys/child.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MAX (4u << 20)
#define ANSWER_MS  60000

int diskuse_ask(struct compare *c, enum report_subject s, const char *const *words,
		struct json **out, struct err *e)
{
	struct strs v = subject_up(c, s);
	auto_free char *text = NULL;
	int status = 0;
	ssize_t n;

	subject_add(c, &v, words);
	n = child_talk(&(struct child_opts){.path = v.v[0], .argv = v.v, .env = c->subjects[s].env},
		       &(struct child_talk){.max = ANSWER_MAX, .ms = ANSWER_MS}, &text, &status);
	if (n < 0 || status)
		return err_set(e, ERR_SYSTEM, "%s %s failed", words[0], words[1] ? words[1] : "");
	return json_parse(text, (size_t)n, words[0], out, e);
}

/* root/names/NAME is a link whose text is the id (store/instance.h). */
static int instance_dir(struct compare *c, enum report_subject s, const char **dir, struct err *e)
{
	const struct subject *u = &c->subjects[s];
	char id[NAME_MAX + 1], path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/names/%s", u->root, u->name);
	n = readlink(path, id, sizeof(id) - 1);
	if (n < 0)
		return err_sys(e, "'%s'", path);
	id[n] = '\0';
	*dir = arena_printf(c->arena, "%s/instances/%s", u->root, id);
	return 0;
}

/* Layers are kept as files or as directories (store/layer.h). */
static int image_layers(struct compare *c, enum report_subject s, struct strs *out, struct err *e)
{
	const char *const words[] = {"image", "inspect", c->image, NULL};
	const char *root = c->subjects[s].root;
	auto_json struct json *j = NULL;
	const struct json *list;
	int r = diskuse_ask(c, s, words, &j, e);

	if (r < 0)
		return r;
	list = json_member(json_member(json_at(j, 0), "RootFS"), "Layers");
	for (size_t i = 0; i < json_length(list); i++) {
		const char *id = json_string(json_at(list, i)), *file;
		struct stat st;

		if (!id || !str_after(id, "sha256:"))
			return err_set(e, ERR_CORRUPT, "image inspect: a layer without a diff id");
		file = arena_printf(c->arena, "%s/layers/%s.erofs", root, id + 7);
		if (stat(file, &st) < 0)
			file = arena_printf(c->arena, "%s/layers/%s.dir", root, id + 7);
		arena_strs_add(c->arena, out, file);
	}
	return list ? 0 : err_set(e, ERR_CORRUPT, "image inspect: no layers");
}

/* The newest initramfs is the one this version boots. */
static const char *initramfs(struct compare *c)
{
	const char *dir = arena_printf(c->arena, "%s/cache/vm", c->s->root), *best = NULL;
	struct timespec newest = {0};
	DIR *d = opendir(dir);
	struct dirent *de;
	struct stat st;

	while (d && (de = readdir(d)))
		if (str_after(de->d_name, "initramfs-") &&
		    fstatat(dirfd(d), de->d_name, &st, 0) == 0 &&
		    st.st_mtim.tv_sec >= newest.tv_sec) {
			newest = st.st_mtim;
			best = arena_printf(c->arena, "%s/%s", dir, de->d_name);
		}
	if (d)
		closedir(d);
	return best;
}

/* A VM's shared files are those QEMU holds open, and what it was booted from. */
static int vm_files(struct compare *c, pid_t qemu, const char *own, struct strs *out, struct err *e)
{
	const char *initrd = initramfs(c);
	int r = c->kernel ? 0 : diskuse_kernel(c, e);

	if (r == 0)
		r = qemu ? footprint_open_files(qemu, c->s->root, own, c->arena, out, e)
			 : err_set(e, ERR_NOT_FOUND, "QEMU was not found");
	if (r < 0)
		return r;
	arena_strs_add(c->arena, out, arena_printf(c->arena, "%s/vmlinux", c->kernel));
	if (!initrd)
		return err_set(e, ERR_NOT_FOUND, "no initramfs below '%s/cache/vm'", c->s->root);
	arena_strs_add(c->arena, out, initrd);
	return 0;
}

static void put(struct compare *c, enum report_row row, enum report_subject s, int r,
		const struct strs *paths, struct err *e)
{
	uint64_t bytes = 0;

	if (r == 0)
		r = footprint_disk(paths, &bytes, e);
	if (r < 0)
		report_missing(c->report, row, s, e->msg);
	else
		report_add(c->report, row, s, (double)bytes);
}

void diskuse_ours(struct compare *c, enum report_subject s, pid_t qemu)
{
	struct strs own = {0}, shared = {0};
	struct err e = ERR_INIT;
	const char *dir = NULL;
	int r = instance_dir(c, s, &dir, &e);

	if (r == 0)
		arena_strs_add(c->arena, &own, dir);
	put(c, REPORT_OWN, s, r, &own, &e);
	if (r == 0)
		r = qemu ? vm_files(c, qemu, dir, &shared, &e) : image_layers(c, s, &shared, &e);
	put(c, REPORT_SHARED, s, r, &shared, &e);
}

int diskuse_kernel(struct compare *c, struct err *e)
{
	const char *const words[] = {"kernel", "ls", "--json", NULL};
	struct strs v = subject_up(c, REPORT_CONTAINER);
	auto_free char *text = NULL;
	char *save = NULL;
	int status = 0;
	ssize_t n;

	subject_add(c, &v, words);
	n = child_talk(&(struct child_opts){.path = v.v[0], .argv = v.v, .env = c->env},
		       &(struct child_talk){.max = ANSWER_MAX, .ms = ANSWER_MS}, &text, &status);
	if (n < 0 || status)
		return err_set(e, ERR_NOT_FOUND, "there is no kernel for VMs (caisson kernel ls)");
	/* An object a line: the default, else the first, which is the newest. */
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		auto_json struct json *j = NULL;
		const char *dir;

		if (json_parse(l, strlen(l), "kernel ls", &j, e) < 0)
			return -EBADMSG;
		dir = json_string(json_member(j, "Directory"));
		if (!dir || (c->kernel && !strstr(l, "\"Default\":true")))
			continue;
		c->kernel = arena_dup(c->arena, dir);
		c->kernel_acpi = strstr(l, "\"Acpi\":true") != NULL;
	}
	return c->kernel ? 0 : err_set(e, ERR_NOT_FOUND, "there is no kernel for VMs");
}
