/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory is a private mapping, of a template, of a snapshot or of nothing (guestmem.c).
 * What it has written since are pages of its own, and /proc/PID/pagemap tells them from those that
 * are still the file's (Linux, admin-guide/mm/pagemap.rst).  So the copy is as long as what the
 * guest has changed, whatever its size.
 */
#include "vmm/vmsnapshot.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "sys/file.h"
#include "vmm/machine.h"
#include "vmm/vmtemplate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAGS	 "machine.json"
#define TAGS_MAX 65536
#define MAPS_MAX (1u << 20)
#define PAGES	 4096 /* looked at in one go */
#define PAGE	 4096u
#define COPY_MAX (1u << 20)

#define PM_PRESENT (1ull << 63)
#define PM_SWAPPED (1ull << 62)
#define PM_FILE	   (1ull << 61) /* of a file, or shared */

/* A guest's clock that runs faster or slower than this is worse than none. */
#define TSC_PPM 1000

#define T(m, key, type, ...) JB(struct vmsnapshot_tags, m, key, type, ##__VA_ARGS__)
static const struct jbind_field tag_fields[] = {
    T(vmm, "vmm", JBIND_STR, .flags = JBIND_REQUIRED),
    T(version, "version", JBIND_STR, .flags = JBIND_REQUIRED),
    T(accel, "accel", JBIND_STR, .flags = JBIND_REQUIRED),
    T(cpu, "cpu", JBIND_STR, .flags = JBIND_REQUIRED),
    T(devices, "devices", JBIND_STR, .flags = JBIND_REQUIRED),
    T(kernel, "kernel", JBIND_STR),
    T(memory_bytes, "memoryBytes", JBIND_UINT, .flags = JBIND_REQUIRED),
    T(tsc_khz, "tscKhz", JBIND_UINT, .flags = JBIND_KEEP),
    T(cpus, "cpus", JBIND_U32, .flags = JBIND_REQUIRED),
    T(acpi, "acpi", JBIND_BOOL, .flags = JBIND_KEEP),
    JB_END,
};
const struct jbind vmsnapshot_tags_table = {.size = sizeof(struct vmsnapshot_tags),
					    .fields = tag_fields};

/* ---- the tags ---- */

static const char *digest(const struct buf *b, struct arena *a)
{
	unsigned char sum[32];
	char text[2 * sizeof(sum) + 1];

	sha256_of(b->p, b->len, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return arena_dup(a, text);
}

int vmsnapshot_describe(const struct machine *m, struct arena *a, struct vmsnapshot_tags *out,
			struct err *e)
{
	auto_buf struct buf words = BUF_INIT(256u << 10), cpu = BUF_INIT(64u << 10);
	struct machine blank;
	struct strs v = {0};
	int r;

	vmtemplate_blank(m, a, &blank);
	/* What the guest does not see: where the program is, and what booted it. */
	blank.qemu = VMSNAPSHOT_VMM;
	blank.incoming = true;
	r = machine_args(&blank, a, &v, e);
	for (size_t i = 0; r == 0 && i < v.n; i++)
		buf_printf(&words, "%s\n", v.v[i]);
	if (r == 0)
		r = buf_fail(&words, "devices", e);
	if (r < 0)
		return r;
	if (streq(m->accel, "kvm"))
		vmtemplate_cpu(&cpu);
	*out = (struct vmsnapshot_tags){
	    .vmm = VMSNAPSHOT_VMM,
	    .accel = m->accel,
	    .cpu = cpu.len ? digest(&cpu, a) : "emulated",
	    .devices = digest(&words, a),
	    .memory_bytes = m->memory_bytes,
	    .tsc_khz = m->tsc_khz,
	    .cpus = m->cpus,
	    .acpi = m->acpi,
	};
	return 0;
}

static int differs(const char *what, const char *saved, const char *now, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "it was saved with %s %.80s, and here it would go on with %.80s", what,
		       saved, now);
}

static int number(const char *what, uint64_t saved, uint64_t now, struct err *e)
{
	char x[24], y[24];

	if (saved == now)
		return 0;
	snprintf(x, sizeof(x), "%" PRIu64, saved);
	snprintf(y, sizeof(y), "%" PRIu64, now);
	return differs(what, x, y, e);
}

static bool same_clock(uint64_t a, uint64_t b)
{
	uint64_t d = a > b ? a - b : b - a;

	return d <= a / (1000000 / TSC_PPM);
}

int vmsnapshot_check(const struct vmsnapshot_tags *saved, const struct vmsnapshot_tags *now,
		     struct err *e)
{
	int r;

	if (!streq(saved->vmm, now->vmm))
		return differs("the machine monitor", saved->vmm, now->vmm, e);
	if (now->version && !streq(saved->version, now->version))
		return differs("version", saved->version, now->version, e);
	if (!streq(saved->accel, now->accel))
		return differs("the accelerator", saved->accel, now->accel, e);
	if (!streq(saved->cpu, now->cpu))
		return err_set(e, ERR_UNSUPPORTED, "it was saved on another processor");
	r = number("bytes of memory:", saved->memory_bytes, now->memory_bytes, e);
	if (r == 0)
		r = number("CPUs:", saved->cpus, now->cpus, e);
	if (r == 0 && !same_clock(saved->tsc_khz, now->tsc_khz))
		r = number("a time stamp counter of kHz:", saved->tsc_khz, now->tsc_khz, e);
	if (r == 0 && !streq(saved->devices, now->devices))
		r = err_set(e, ERR_UNSUPPORTED, "it was saved with other devices");
	return r;
}

int vmsnapshot_write_tags(int dir_fd, const struct vmsnapshot_tags *t, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(TAGS_MAX);
	int r;

	jbind_write(&vmsnapshot_tags_table, t, &b);
	r = buf_fail(&b, TAGS, e);
	if (r < 0)
		return r;
	errno = -file_replace(dir_fd, TAGS, b.p, b.len, 0600, FILE_LAZY);
	return errno ? err_sys(e, TAGS) : 0;
}

int vmsnapshot_read_tags(int dir_fd, struct arena *a, struct vmsnapshot_tags *out, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(dir_fd, TAGS, TAGS_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "snapshot: " TAGS);
	}
	*out = (struct vmsnapshot_tags){0};
	return jbind_parse(&vmsnapshot_tags_table, text, (size_t)n, out, a, TAGS, e);
}

/* ---- the memory ---- */

/* QEMU has one private writable mapping of just this size: the backend's. */
static int find_memory(pid_t pid, uint64_t bytes, uint64_t *at, struct err *e)
{
	auto_free char *text = NULL;
	char path[32];
	size_t found = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	n = file_read(AT_FDCWD, path, MAPS_MAX, &text);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "memory of the machine");
	}
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		uint64_t from, to;
		char *p;

		from = strtoull(line, &p, 16);
		to = *p == '-' ? strtoull(p + 1, &p, 16) : 0;
		if (to - from != bytes || !str_after(p, " rw-p "))
			continue;
		*at = from;
		found++;
	}
	if (found != 1)
		return err_set(e, ERR_UNSUPPORTED,
			       "the machine's memory cannot be told from QEMU's own (%zu mappings)",
			       found);
	return 0;
}

static bool own(uint64_t entry)
{
	return entry & PM_SWAPPED || (entry & (PM_PRESENT | PM_FILE)) == PM_PRESENT;
}

struct copy {
	int from, to;
	uint64_t base;
	char *piece; /* COPY_MAX */
};

static int copy_run(const struct copy *c, uint64_t first, uint64_t end)
{
	while (first < end) {
		uint64_t n = (end - first) * PAGE;
		ssize_t got;

		n = n < COPY_MAX ? n : COPY_MAX;
		got = pread(c->from, c->piece, n, (off_t)(c->base + first * PAGE));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || got % PAGE)
			return got < 0 ? -errno : -EIO;
		if (pwrite(c->to, c->piece, (size_t)got, (off_t)(first * PAGE)) != got)
			return errno ? -errno : -ENOSPC;
		first += (uint64_t)got / PAGE;
	}
	return 0;
}

static int copy_pages(const struct copy *c, int map, uint64_t pages)
{
	uint64_t v[PAGES], first = 0;
	bool open_run = false;
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < pages;) {
		size_t want = pages - at < PAGES ? (size_t)(pages - at) : PAGES;
		ssize_t n = pread(map, v, want * 8, (off_t)((c->base / PAGE + at) * 8));

		if (n <= 0 || n % 8)
			return n < 0 ? -errno : -EIO;
		for (size_t i = 0; r == 0 && i < (size_t)n / 8; i++, at++) {
			if (own(v[i]) == open_run)
				continue;
			if (open_run)
				r = copy_run(c, first, at);
			open_run = !open_run;
			first = at;
		}
	}
	return r == 0 && open_run ? copy_run(c, first, pages) : r;
}

int vmsnapshot_copy_memory(pid_t pid, uint64_t bytes, int memory_fd, struct err *e)
{
	auto_fd int map = -1, mem = -1;
	auto_free char *piece = malloc(COPY_MAX);
	struct copy c = {.to = memory_fd, .piece = piece};
	char path[40];
	int r = find_memory(pid, bytes, &c.base, e);

	if (!piece)
		abort();
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	map = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (map < 0 || mem < 0)
		return err_sys(e, "memory of the machine");
	c.from = mem;
	errno = 0;
	r = copy_pages(&c, map, bytes / PAGE);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "save the machine's memory");
	}
	return 0;
}
