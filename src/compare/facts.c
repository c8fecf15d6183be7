/* SPDX-License-Identifier: Apache-2.0 */
/* facts - what does not change from round to round, asked once of the workload that runs. */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/family.h"
#include "compare/live.h"
#include "compare/reach.h"
#include "fmt/json.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_MAX 64

/* Keys as in workload/workattempt.c. */
static const struct {
	const char *key, *what;
} attempts[] = {
    {"mount", "mount a file system"},
    {"host-file", "read a secret file of the host through /proc/PID/root"},
    {"host-process", "reach a process of the host"},
    {"chroot", "climb out of the root directory, as out of a chroot"},
    {"handle", "open a file of the host's disk by its number"},
    {"disk", "make a device node of a disk and open it"},
    {"memory", "open the machine's memory, /dev/mem"},
    {"kcore", "open the kernel's memory, /proc/kcore"},
    {"core-pattern", "set the program that the kernel runs at a crash"},
    {"sysrq", "open /proc/sysrq-trigger, which can reboot the machine"},
    {"uevent", "set the program that the kernel runs for devices"},
    {"release-agent", "set the program that the kernel runs for an empty cgroup"},
    {"kernel-log", "read the kernel's log"},
    {"module", "load a kernel module"},
    {"kexec", "load another kernel"},
    {"reboot", "reboot the machine"},
    {"clock", "set the machine's clock"},
    {"swap", "add swap space"},
    {"io-ports", "talk to devices by I/O ports"},
    {"bpf", "load BPF into the kernel"},
    {"perf", "watch every process by performance counters"},
    {"user-namespace", "become root of a user namespace of one's own"},
    {"userfaultfd", "stop the kernel in the middle of a page fault"},
    {"io-uring", "hand work to the kernel by io_uring"},
    {"keyring", "reach the kernel's keyrings"},
    {"raw-packets", "send and see raw packets"},
    {"network", "change a network interface"},
    {"crypto", "reach the kernel's cryptography by sockets"},
    {"vsock", "reach the hypervisor by sockets"},
};
#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

static void missing(struct compare *c, enum report_row row, enum report_subject s,
		    const struct err *e)
{
	report_missing(c->report, row, s, e->msg);
}

/* Of the kernel that runs us: another one has another. */
static void boot_id(char *out)
{
	auto_free char *text = NULL;

	*out = '\0';
	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text) > 0)
		snprintf(out, ID_MAX, "%.*s", (int)strcspn(text, "\n"), text);
}

/* True: it has a kernel of its own. */
static bool kernel(struct compare *c, enum report_subject s, struct live *l)
{
	char line[LIVE_TEXT], release[128], system_[64], id[ID_MAX], ours[ID_MAX];
	struct err e = ERR_INIT;
	bool own;

	if (live_ask(l, "kernel", COMPARE_START_NS, line, sizeof(line), &e) < 0 ||
	    sscanf(line, "kernel %127s %63s %63s", release, system_, id) != 3) {
		report_missing(c->report, REPORT_KERNEL, s, e.kind ? e.msg : line);
		report_missing(c->report, REPORT_SHARES, s, e.kind ? e.msg : line);
		return false;
	}
	boot_id(ours);
	own = !streq(ours, id);
	report_text(c->report, REPORT_KERNEL, s, release);
	report_text(c->report, REPORT_SHARES, s, own ? "its own" : "the host's");
	return own;
}

/* ---- the wall ---- */

static unsigned int bits(uint64_t v)
{
	return (unsigned int)__builtin_popcountll(v);
}

/* Effective capabilities of a process of the host. */
static bool host_caps(pid_t pid, uint64_t *caps)
{
	auto_free char *text = NULL;
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read(AT_FDCWD, path, 1 << 16, &text) < 0)
		return false;
	at = strstr(text, "\nCapEff:");
	return at && sscanf(at, " CapEff: %" SCNx64, caps) == 1;
}

static void wall(struct compare *c, enum report_subject s, struct live *l, pid_t qemu)
{
	char line[LIVE_TEXT];
	struct err e = ERR_INIT;
	uint64_t caps;
	int devices;

	if (live_ask(l, "wall", COMPARE_START_NS, line, sizeof(line), &e) < 0 ||
	    sscanf(line, "wall %" SCNx64 " %d", &caps, &devices) != 2) {
		missing(c, REPORT_CAPS, s, &e);
		missing(c, REPORT_DEVICES, s, &e);
		return;
	}
	report_add(c->report, REPORT_DEVICES, s, devices);
	/* What a guest may do to its kernel is nothing to the host. */
	if (qemu && !host_caps(qemu, &caps))
		report_missing(c->report, REPORT_CAPS, s, "QEMU was not found");
	else
		report_add(c->report, REPORT_CAPS, s, bits(caps));
}

static int reached(struct compare *c, enum report_subject s, pid_t pid, struct reach *r)
{
	struct err e = ERR_INIT;

	if (!pid) {
		report_missing(c->report, REPORT_REACH, s, "its process was not found");
		return -ENOENT;
	}
	if (reach_of(pid, r, &e) < 0) {
		missing(c, REPORT_REACH, s, &e);
		return -ENOENT;
	}
	report_add(c->report, REPORT_REACH, s, (double)r->allowed);
	report_text(c->report, REPORT_REACH, s,
		    arena_printf(c->arena, "%u of %u", r->allowed, r->known));
	return 0;
}

static struct report_attempt *attempt_named(struct compare *c, const char *key)
{
	struct report *r = c->report;

	if (!r->attempts) {
		r->attempts = arena_array(c->arena, ATTEMPTS, sizeof(*r->attempts));
		r->nattempts = ATTEMPTS;
		for (size_t i = 0; i < ATTEMPTS; i++) {
			r->attempts[i].key = attempts[i].key;
			r->attempts[i].what = attempts[i].what;
		}
	}
	for (size_t i = 0; i < r->nattempts; i++)
		if (streq(r->attempts[i].key, key))
			return &r->attempts[i];
	return NULL;
}

/* What stopped it.  filter: what lets through which system call, NULL: not known. */
static const char *stopped_by(struct compare *c, int nr, int error, const struct reach *filter)
{
	if (filter && nr >= 0 && nr < REACH_CALLS && !filter->lets[nr])
		return "seccomp";
	switch (error) {
	case EPERM:
	case EACCES:
		return "no permission";
	case ENOENT:
		return "not there";
	case ESRCH:
		return "not seen";
	case EROFS:
		return "read-only";
	case ENOSYS:
	case ENODEV:
	case ENXIO:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return "kernel lacks it";
	default:
		return arena_printf(c->arena, "%s", strerror(error));
	}
}

struct wall {
	bool own_kernel;
	const struct reach *filter; /* of the workload's process; NULL in a guest */
};

static void try_all(struct compare *c, enum report_subject s, struct live *l, const struct wall *w)
{
	const int64_t deadline = trace_now_ns() + COMPARE_START_NS;
	unsigned int made = 0, stopped = 0;
	struct err e = ERR_INIT;
	char line[LIVE_TEXT], key[64];
	int nr, error, r;

	snprintf(line, sizeof(line), "attempts %d %s", getpid(), c->secret);
	r = live_send(l, line, &e);
	while (r == 0 && (r = live_line(l, deadline, line, sizeof(line), &e)) == 0 &&
	       sscanf(line, "attempt %63s %d %d", key, &nr, &error) == 3) {
		struct report_attempt *a = attempt_named(c, key);

		if (!a)
			continue;
		a->got[s] = error	    ? stopped_by(c, nr, error, w->filter)
			    : w->own_kernel ? "its own kernel"
					    : "got through";
		made++;
		stopped += error || w->own_kernel;
	}
	if (r < 0 || !streq(line, "end")) {
		report_missing(c->report, REPORT_STOPPED, s, r < 0 ? e.msg : line);
		return;
	}
	report_add(c->report, REPORT_STOPPED, s, stopped);
	report_text(c->report, REPORT_STOPPED, s,
		    arena_printf(c->arena, "%u of %u", stopped, made));
}

/* ---- the rest ---- */

static void accelerator(struct compare *c, enum report_subject s)
{
	const char *const words[] = {"info", "--format=json", NULL};
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;
	const char *accel, *why;

	if (diskuse_ask(c, REPORT_CONTAINER, words, &j, &e) < 0) {
		missing(c, REPORT_ACCEL, s, &e);
		return;
	}
	accel = json_string(json_member(json_member(j, "vm"), "accel"));
	why = json_string(json_member(json_member(j, "vm"), "accelWhy"));
	if (!accel) {
		report_missing(c->report, REPORT_ACCEL, s, "caisson info does not say");
		return;
	}
	report_text(c->report, REPORT_ACCEL, s, accel);
	c->report->accel_why =
	    arena_printf(c->arena, "%s, because %s", accel, why ? why : "it was asked for");
}

static void machines_and_memory(struct compare *c, enum report_subject s, struct live *l)
{
	char line[LIVE_TEXT];
	struct err e = ERR_INIT;
	uint64_t total;

	if (live_ask(l, "machines", COMPARE_START_NS, line, sizeof(line), &e) < 0)
		missing(c, REPORT_MACHINES, s, &e);
	else if (str_after(line, "machines ") && line[9])
		report_text(c->report, REPORT_MACHINES, s, line + 9);
	else
		report_missing(c->report, REPORT_MACHINES, s, "no program could be made there");
	if (live_ask(l, "belief", COMPARE_START_NS, line, sizeof(line), &e) < 0)
		missing(c, REPORT_BELIEF, s, &e);
	else if (sscanf(line, "belief %" SCNu64, &total) == 1 && total)
		report_add(c->report, REPORT_BELIEF, s, (double)(total << 10));
	else
		report_missing(c->report, REPORT_BELIEF, s, "/proc/meminfo does not say");
}

static void disk(struct compare *c, enum report_subject s, pid_t qemu)
{
	switch (c->subjects[s].kind) {
	case SUBJECT_HOST:
		report_text(c->report, REPORT_SHARED, s, "none");
		report_text(c->report, REPORT_OWN, s, "none");
		return;
	case SUBJECT_QEMU:
		report_missing(c->report, REPORT_SHARED, s, "plain QEMU has no image");
		report_text(c->report, REPORT_OWN, s, "none");
		return;
	case SUBJECT_OURS:
		diskuse_ours(c, s, qemu);
		return;
	case SUBJECT_PEER:
	case SUBJECT_CRUN:
		peer_disk(c, s);
		return;
	}
}

void facts_once(struct compare *c, enum report_subject s, struct live *l, const struct family *t)
{
	pid_t pid = c->subjects[s].kind == SUBJECT_HOST ? l->pid : t->qemu ? t->qemu : t->inside;
	struct reach r;
	struct wall w = {.own_kernel = kernel(c, s, l)};

	if (reached(c, s, pid, &r) == 0 && !t->qemu)
		w.filter = &r;
	wall(c, s, l, t->qemu);
	disk(c, s, t->qemu);
	if (t->qemu)
		accelerator(c, s);
	else
		report_text(c->report, REPORT_ACCEL, s, "native");
	machines_and_memory(c, s, l);
	try_all(c, s, l, &w);
}
