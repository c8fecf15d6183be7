/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kernel.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_JSON_MAX 65536

struct info {
	int64_t format;
	const char *version, *sha256;
	bool acpi;
	struct kernel_modules modules;
};

static const struct jbind modules_table = {
    .size = sizeof(struct kernel_modules),
    .fields =
	(const struct jbind_field[]){JB(struct kernel_modules, boot, "boot", JBIND_STRS),
				     JB(struct kernel_modules, late, "late", JBIND_STRS),
				     JB(struct kernel_modules, net, "net", JBIND_STRS),
				     JB(struct kernel_modules, share, "share", JBIND_STRS), JB_END},
};
static const struct jbind info_table = {
    .size = sizeof(struct info),
    .fields =
	(const struct jbind_field[]){
	    JB(struct info, format, "format", JBIND_INT, .flags = JBIND_REQUIRED),
	    JB(struct info, version, "version", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct info, sha256, "sha256", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct info, acpi, "acpi", JBIND_BOOL),
	    JB(struct info, modules, "modules", JBIND_OBJ, .sub = &modules_table), JB_END},
};

static int load(const char *dir, const char *version, struct arena *a, struct kernel *out,
		struct err *e)
{
	const char *path = arena_printf(a, "%s/%s/kernel.json", dir, version);
	auto_free char *text = NULL;
	struct info info = {0};
	ssize_t n = file_read(AT_FDCWD, path, KERNEL_JSON_MAX, &text);
	int r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "guest kernel: %s", path);
	}
	r = jbind_parse(&info_table, text, (size_t)n, &info, a, path, e);
	if (r < 0)
		return r;
	if (info.format != 1)
		return err_set(e, ERR_UNSUPPORTED, "%s: format %lld, expected 1", path,
			       (long long)info.format);
	*out = (struct kernel){
	    .dir = arena_printf(a, "%s/%s", dir, version),
	    .version = info.version,
	    .vmlinux = arena_printf(a, "%s/%s/vmlinux", dir, version),
	    .sha256 = info.sha256,
	    .acpi = info.acpi,
	    .modules = info.modules,
	};
	return 0;
}

/* The highest version of dir that is complete, or NULL. */
static char *newest(const char *dir)
{
	DIR *d = opendir(dir);
	char *best = NULL;

	if (!d)
		return NULL;
	for (const struct dirent *de; (de = readdir(d));) {
		auto_free char *mark = NULL;

		if (de->d_name[0] == '.' ||
		    asprintf(&mark, "%s/%s/kernel.json", dir, de->d_name) < 0)
			continue;
		if (access(mark, R_OK) < 0 || (best && strverscmp(de->d_name, best) < 0))
			continue;
		free(best);
		best = strdup(de->d_name);
	}
	closedir(d);
	return best;
}

int kernel_find(const char *const *dirs, const char *version, struct arena *a, struct kernel *out,
		struct err *e)
{
	for (size_t i = 0; dirs && dirs[i]; i++) {
		auto_free char *found = version ? strdup(version) : newest(dirs[i]);
		auto_free char *mark = NULL;

		if (!found || asprintf(&mark, "%s/%s/kernel.json", dirs[i], found) < 0)
			continue;
		if (access(mark, F_OK) == 0)
			return load(dirs[i], found, a, out, e);
	}
	return err_set(
	    e, ERR_NOT_FOUND, "no guest kernel%s%s in %s: run 'make deps' or tools/kernel-fetch",
	    version ? " " : "", version ? version : "", dirs && dirs[0] ? dirs[0] : "any place");
}
