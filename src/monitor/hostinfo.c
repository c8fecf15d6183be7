/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/hostinfo.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "runtime/cgroup.h"
#include "sys/file.h"
#include "vmm/kernel.h"
#include "vmm/probe.h"
#include "vmm/vm.h"

#include <fcntl.h>
#include <string.h>

const char *const *hostinfo_kernel_dirs(const char *root, const char *data, struct arena *a)
{
	struct strs dirs = {0};

	if (data)
		arena_strs_add(a, &dirs, arena_printf(a, "%s/kernels", data));
	arena_strs_add(a, &dirs, "/usr/local/share/caisson/kernels");
	arena_strs_add(a, &dirs, "/usr/share/caisson/kernels");
	if (root)
		arena_strs_add(a, &dirs, arena_printf(a, "%s/kernels", root));
	return dirs.v;
}

const char *hostinfo_kernel(const char *root, struct arena *a)
{
	auto_free char *text = NULL;
	const char *path = root ? arena_printf(a, "%s/kernels/default", root) : NULL;

	if (!path || file_read(AT_FDCWD, path, GUEST_KERNEL_NAME_MAX + 1, &text) <= 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return guest_kernel_name_ok(text) ? arena_dup(a, text) : NULL;
}

int hostinfo_write(const char *cache_dir, const char *root, const char *data, struct buf *out,
		   struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err no_kernel = ERR_INIT;
	struct probe_result res;
	struct kernel k = {0};
	char limits[128];
	int r = probe_accel(cache_dir, &res, e);

	if (r < 0)
		return r;
	buf_puts(out, "{\"probe\":");
	probe_write(&res, out);
	buf_puts(out, ",\"qemu\":");
	json_quote(out, vm_find_qemu());
	r = kernel_find(hostinfo_kernel_dirs(root, data, &a), hostinfo_kernel(root, &a), &a, &k,
			&no_kernel);
	buf_puts(out, ",\"kernel\":");
	json_quote(out, r < 0 ? NULL : k.version);
	buf_puts(out, ",\"kernelWhy\":");
	json_quote(out, r < 0 ? no_kernel.msg : NULL);
	cgroup_limits(limits);
	buf_puts(out, ",\"limits\":");
	json_quote(out, limits);
	buf_puts(out, "}");
	return 0;
}
