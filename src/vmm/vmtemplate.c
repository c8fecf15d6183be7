/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: below the directory there are, for each key, <key>/ (memory, state, boot)
 * when it is whole, <key>.new/ while it is made by the process that holds a lock on <key>.lock, and
 * <key>.broken (the boot it failed in) when it cannot be made.  A rename publishes; a reader has
 * both files open or neither, whatever is removed meanwhile.
 */
#include "vmm/vmtemplate.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "vmm/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID	    "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 64
#define BROKEN_MAX  1024
#define CPUINFO_MAX (1u << 20)

/* ---- what it depends on ---- */

static int add_file(struct buf *b, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "template: %s", path);
	buf_printf(b, "%ju %ju %jd %jd.%09ld\n", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		   (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return 0;
}

/* With -accel kvm the guest has seen the host's processor: its first one stands for all. */
void vmtemplate_cpu(struct buf *b)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, "/proc/cpuinfo", CPUINFO_MAX, &text);
	const char *end;

	if (n <= 0)
		return;
	end = strstr(text, "\n\n");
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line && (!end || line < end);
	     line = strtok_r(NULL, "\n", &save))
		if (str_after(line, "model name") || str_after(line, "flags") ||
		    str_after(line, "microcode"))
			buf_printf(b, "%s\n", line);
}

void vmtemplate_blank(const struct machine *m, struct arena *a, struct machine *out)
{
	struct machine_disk *disks = arena_array(a, m->disk_count + 1, sizeof(*disks));
	struct machine_nic *nics = arena_array(a, m->nic_count + 1, sizeof(*nics));

	for (size_t i = 0; i < m->disk_count; i++)
		disks[i] = (struct machine_disk){.serial = m->disks[i].serial,
						 .format = "raw",
						 .readonly = m->disks[i].readonly};
	for (size_t i = 0; i < m->nic_count; i++)
		nics[i].mac = arena_printf(a, PLAN_NIC_BLANK_MAC "%02zx", i);
	*out = *m;
	out->disks = disks;
	out->nics = nics;
	out->agent_fd = out->qmp_fd = out->text_fd = out->memory_fd = 3;
	out->incoming = out->memory_zero = false;
}

int vmtemplate_describe(const struct machine *m, const struct vmtemplate_parts *parts,
			struct arena *a, struct machine *out, char key[VMTEMPLATE_KEY],
			struct err *e)
{
	auto_buf struct buf b = BUF_INIT(256u << 10);
	unsigned char digest[32];
	struct strs words = {0};
	int r;

	if (m->share_count)
		return err_set(e, ERR_UNSUPPORTED,
			       "template: the memory of a machine with shared directories is "
			       "shared with who serves them");
	if (m->hugepages)
		return err_set(e, ERR_UNSUPPORTED, "template: huge pages are not a file's");
	if (m->nic_count > 255)
		return err_set(e, ERR_LIMIT, "template: %zu interfaces", m->nic_count);
	vmtemplate_blank(m, a, out);
	buf_puts(&b, "template 1\n");
	r = add_file(&b, m->qemu, e);
	if (r == 0)
		r = add_file(&b, parts->kernel, e);
	if (r == 0)
		r = add_file(&b, parts->initrd, e);
	if (r == 0)
		r = add_file(&b, parts->guestmem, e);
	if (r == 0)
		r = machine_args(out, a, &words, e);
	for (size_t i = 0; r == 0 && i < words.n; i++)
		buf_printf(&b, "%s\n", words.v[i]);
	if (streq(m->accel, "kvm"))
		vmtemplate_cpu(&b);
	if (r == 0)
		r = buf_fail(&b, "template", e);
	if (r < 0)
		return r;
	sha256_of(b.p, b.len, digest);
	for (size_t i = 0; i < (VMTEMPLATE_KEY - 1) / 2; i++)
		snprintf(key + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

/* ---- where it is ---- */

static int of_this_boot(int dir, const char *name)
{
	auto_free char *now = NULL, *then = NULL;

	return file_read(AT_FDCWD, BOOT_ID, BOOT_ID_MAX, &now) > 0 &&
	       file_read(dir, name, BROKEN_MAX, &then) > 0 && str_after(then, now);
}

static void remove_one(int dir, const char *name)
{
	static const char *const files[] = {"memory", "state", "boot"};
	auto_fd int d = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	for (size_t i = 0; d >= 0 && i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(d, files[i], 0);
	unlinkat(dir, name, d >= 0 ? AT_REMOVEDIR : 0);
}

static int open_ready(struct vmtemplate *t)
{
	auto_fd int d = openat(t->dir, t->key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (d < 0 || !of_this_boot(d, "boot"))
		return 0;
	t->memory_fd = openat(d, "memory", O_RDONLY | O_CLOEXEC);
	t->state_fd = openat(d, "state", O_RDONLY | O_CLOEXEC);
	if (t->memory_fd < 0 || t->state_fd < 0)
		return 0;  /* being removed */
	futimens(d, NULL); /* it was used: see keep_few() */
	t->state = VMTEMPLATE_READY;
	return 1;
}

static int make_files(struct vmtemplate *t, const char *fresh, uint64_t memory_bytes)
{
	auto_free char *boot = NULL;
	auto_fd int d = -1;
	ssize_t n = file_read(AT_FDCWD, BOOT_ID, BOOT_ID_MAX, &boot);
	int r;

	remove_one(t->dir, fresh);
	if (mkdirat(t->dir, fresh, 0700) < 0)
		return -errno;
	d = openat(t->dir, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d < 0 || n < 0)
		return d < 0 ? -errno : (int)n;
	t->memory_fd = openat(d, "memory", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	t->state_fd = openat(d, "state", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->memory_fd < 0 || t->state_fd < 0 || ftruncate(t->memory_fd, (off_t)memory_bytes) < 0)
		return -errno;
	r = file_replace(d, "boot", boot, (size_t)n, 0600, FILE_LAZY);
	return r < 0 ? r : 0;
}

int vmtemplate_open(const char *dir, const char *key, uint64_t memory_bytes, struct vmtemplate *t,
		    struct err *e)
{
	char name[VMTEMPLATE_KEY + 8];
	int r;

	*t = VMTEMPLATE_INIT;
	snprintf(t->key, sizeof(t->key), "%s", key);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "templates: %s", dir);
	t->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return err_sys(e, "templates: %s", dir);
	if (open_ready(t))
		return 0;
	snprintf(name, sizeof(name), "%s.broken", key);
	if (of_this_boot(t->dir, name))
		return 0;
	snprintf(name, sizeof(name), "%s.lock", key);
	t->lock = openat(t->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (t->lock < 0)
		return err_sys(e, "templates: %s", dir);
	if (flock(t->lock, LOCK_EX | LOCK_NB) < 0)
		return 0;
	/* Whoever had the lock before may have made it since we looked. */
	if (open_ready(t))
		return 0;
	snprintf(name, sizeof(name), "%s.new", key);
	r = make_files(t, name, memory_bytes);
	if (r < 0) {
		vmtemplate_discard(t, NULL);
		errno = -r;
		return err_sys(e, "templates: %s", dir);
	}
	t->state = VMTEMPLATE_EMPTY;
	return 0;
}

/* ---- making and removing ---- */

struct found {
	char name[VMTEMPLATE_KEY];
	struct timespec used;
};

static int newest_first(const void *x, const void *y)
{
	const struct found *a = x, *b = y;

	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? 1 : -1;
	return (a->used.tv_nsec < b->used.tv_nsec) - (a->used.tv_nsec > b->used.tv_nsec);
}

/* Those of an earlier boot go, and beyond VMTEMPLATE_MAX those that nobody used for longest. */
static void keep_few(const struct vmtemplate *t)
{
	struct found v[64];
	size_t n = 0;
	int copy = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d) {
		fd_close(copy);
		return;
	}
	for (const struct dirent *de; n < 64 && (de = readdir(d));) {
		char boot[VMTEMPLATE_KEY + 8];
		struct stat st;

		if (strlen(de->d_name) != VMTEMPLATE_KEY - 1 || streq(de->d_name, t->key) ||
		    fstatat(t->dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		snprintf(boot, sizeof(boot), "%.32s/boot", de->d_name);
		if (!of_this_boot(t->dir, boot)) {
			remove_one(t->dir, de->d_name);
			continue;
		}
		snprintf(v[n].name, sizeof(v[n].name), "%s", de->d_name);
		v[n++].used = st.st_mtim;
	}
	closedir(d);
	qsort(v, n, sizeof(v[0]), newest_first);
	for (size_t i = VMTEMPLATE_MAX - 1; i < n; i++)
		remove_one(t->dir, v[i].name);
}

int vmtemplate_publish(struct vmtemplate *t, struct err *e)
{
	char fresh[VMTEMPLATE_KEY + 8];
	struct stat st;

	if (fstat(t->state_fd, &st) < 0 || st.st_size == 0)
		return err_set(e, ERR_SYSTEM, "template: QEMU wrote no state");
	remove_one(t->dir, t->key); /* of an earlier boot */
	snprintf(fresh, sizeof(fresh), "%s.new", t->key);
	if (renameat(t->dir, fresh, t->dir, t->key) < 0)
		return err_sys(e, "template %s", t->key);
	keep_few(t);
	return 0;
}

void vmtemplate_discard(struct vmtemplate *t, const char *why)
{
	auto_buf struct buf text = BUF_INIT(BROKEN_MAX);
	char name[VMTEMPLATE_KEY + 8];
	auto_free char *boot = NULL;

	if (t->dir < 0)
		return;
	snprintf(name, sizeof(name), "%s%s", t->key, t->state == VMTEMPLATE_READY ? "" : ".new");
	remove_one(t->dir, name);
	if (!why || file_read(AT_FDCWD, BOOT_ID, BOOT_ID_MAX, &boot) < 0)
		return;
	snprintf(name, sizeof(name), "%s.broken", t->key);
	buf_printf(&text, "%s%s\n", boot, why);
	file_replace(t->dir, name, text.p, text.len, 0600, FILE_LAZY);
}

void vmtemplate_close(struct vmtemplate *t)
{
	fd_close(t->memory_fd);
	fd_close(t->state_fd);
	fd_close(t->lock);
	fd_close(t->dir);
	*t = VMTEMPLATE_INIT;
}
