/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kernel.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int load(const char *dir, const char *version, struct arena *a, struct kernel *out,
		struct err *e)
{
	const char *path = arena_printf(a, "%s/%s/kernel.json", dir, version);
	auto_free char *text = NULL;
	struct guest_kernel_info info;
	ssize_t n = file_read(AT_FDCWD, path, GUEST_KERNEL_JSON_MAX, &text);
	int r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "guest kernel: %s", path);
	}
	r = guest_kernel_parse(text, (size_t)n, a, path, &info, e);
	if (r < 0)
		return r;
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
