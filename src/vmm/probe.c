/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: one virtual machine with 2 MiB of memory and one CPU that starts in 64-bit
 * mode.  Its program writes a stage number to a port after each stage.  Stage 1 is a counting loop,
 * run under a budget of CPU time of this thread: real hardware needs 0.1 ms for it, an emulator a
 * hundred times that.  The later stages are instructions that every kernel executes while it boots
 * and that an emulator may not know: a breakpoint through the IDT and back, cmpxchg16b,
 * fxsave/fxrstor, invlpg, swapgs, cr3 and EFER writes, xsetbv/xsave/xrstor where CPUID offers them.
 *
 * Numbers: Linux 6.18 with a software KVM gave 243 to 650 ns per instruction, nested SVM under
 * TCG 21 to 45, hardware is below 2; the border is 100.
 */
#include "vmm/probe.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "spec/trace.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <x86intrin.h>

#define GUEST_BYTES	0x200000u
#define LOOP_COUNT	100000u
#define BUDGET_NS	3000000	  /* CPU time of the whole run */
#define WALL_NS		100000000 /* and never longer than this, however little CPU we get */
#define PS_PER_INSN_MAX 100000
#define STAGES		6

/* Where things are in the guest's memory. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	GDT = 0x4000,
	IDT = 0x5000,
	STACK = 0x7ff0,
	CODE = 0x8000,
	SCRATCH = 0x10000
};
#define SEL_CODE 0x10
#define SEL_DATA 0x18
#define PORT	 0xf1

const char *const probe_kvm_names[] = {"usable", "emulated", "absent", "denied", NULL};
_Static_assert(sizeof(probe_kvm_names) / sizeof(char *) == PROBE_KVM_MAX_ + 1, "a name each");

extern const unsigned char probe_guest_start[], probe_guest_breakpoint[], probe_guest_end[];
/* r14: scratch memory; r15: not 0 when CPUID offers xsave. */
__asm__(
    ".pushsection .rodata\n"
    ".globl probe_guest_start, probe_guest_breakpoint, probe_guest_end\n"
    ".code64\n"
    "probe_guest_start:\n"
    "	movl $100000, %ecx\n"
    "1:	decl %ecx\n"
    "	jnz 1b\n"
    "	movb $1, %al\n	outb %al, $0xf1\n"
    "	int3\n"
    "	movb $2, %al\n	outb %al, $0xf1\n"
    "	xorl %eax, %eax\n	xorl %edx, %edx\n	xorl %ebx, %ebx\n	xorl %ecx, %ecx\n"
    "	lock cmpxchg16b (%r14)\n"
    "	movb $3, %al\n	outb %al, $0xf1\n"
    "	fxsave 0x1000(%r14)\n	fxrstor 0x1000(%r14)\n"
    "	movb $4, %al\n	outb %al, $0xf1\n"
    "	invlpg (%r14)\n"
    "	swapgs\n	swapgs\n"
    "	movq %cr3, %rax\n	movq %rax, %cr3\n"
    "	movl $0xc0000080, %ecx\n	rdmsr\n	wrmsr\n"
    "	movb $5, %al\n	outb %al, $0xf1\n"
    "	testq %r15, %r15\n	jz 2f\n"
    "	xorl %ecx, %ecx\n	xgetbv\n	xsetbv\n"
    "	movl $-1, %eax\n	movl $-1, %edx\n"
    "	xsave 0x2000(%r14)\n	xrstor 0x2000(%r14)\n"
    "2:	movb $6, %al\n	outb %al, $0xf1\n"
    "	hlt\n"
    "probe_guest_breakpoint:\n"
    "	iretq\n"
    "probe_guest_end:\n"
    ".popsection\n");

static const char *const stage_names[STAGES + 1] = {
    "the loop",
    "int3 and iretq",
    "cmpxchg16b",
    "fxsave and fxrstor",
    "invlpg, swapgs, cr3 and EFER",
    "xsave and xrstor",
    "hlt",
};

struct guest {
	int kvm, vm, vcpu;
	unsigned char *mem;
	struct kvm_run *run;
	size_t run_bytes;
	bool xsave;
};
#define GUEST_INIT                                                                                 \
	((struct guest){.kvm = -1, .vm = -1, .vcpu = -1, .mem = MAP_FAILED, .run = MAP_FAILED})

static void guest_done(struct guest *g)
{
	if (g->run != MAP_FAILED)
		munmap(g->run, g->run_bytes);
	if (g->mem != MAP_FAILED)
		munmap(g->mem, GUEST_BYTES);
	auto_release_fd(&g->vcpu);
	auto_release_fd(&g->vm);
	auto_release_fd(&g->kvm);
}

static void put64(unsigned char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Identity-mapped first 2 MiB, flat segments, one gate for the breakpoint, the program. */
static void load_memory(unsigned char *m)
{
	size_t len = (size_t)(probe_guest_end - probe_guest_start);
	uint64_t handler = CODE + (uint64_t)(probe_guest_breakpoint - probe_guest_start);

	put64(m + PML4, PDPT | 3);
	put64(m + PDPT, PD | 3);
	put64(m + PD, 0x83); /* present, writable, 2 MiB page */
	put64(m + GDT + SEL_CODE, 0x00af9b000000ffff);
	put64(m + GDT + SEL_DATA, 0x00cf93000000ffff);
	put64(m + IDT + 3 * 16, (handler & 0xffff) | (uint64_t)SEL_CODE << 16 |
				    (uint64_t)0x8e00 << 32 | (handler & 0xffff0000) << 32);
	memcpy(m + CODE, probe_guest_start, len);
}

static int set_cpuid(struct guest *g)
{
	auto_free struct kvm_cpuid2 *c =
	    calloc(1, sizeof(*c) + 256 * sizeof(struct kvm_cpuid_entry2));

	if (!c)
		abort();
	c->nent = 256;
	if (ioctl(g->kvm, KVM_GET_SUPPORTED_CPUID, c) < 0)
		return -1;
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			g->xsave = c->entries[i].ecx >> 26 & 1;
	return ioctl(g->vcpu, KVM_SET_CPUID2, c);
}

static int set_registers(const struct guest *g)
{
	struct kvm_segment code = {
	    .limit = ~0u, .selector = SEL_CODE, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {
	    .limit = ~0u, .selector = SEL_DATA, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	struct kvm_regs r = {
	    .rip = CODE, .rsp = STACK, .rflags = 2, .r14 = SCRATCH, .r15 = g->xsave};
	struct kvm_sregs s;

	if (ioctl(g->vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	s.cr3 = PML4;
	s.cr4 = 1 << 5 | 1 << 9 | (g->xsave ? 1 << 18 : 0); /* PAE, OSFXSR, OSXSAVE */
	s.cr0 = 0x80050033;				    /* PG AM WP NE ET MP PE */
	s.efer = 0x500;					    /* LMA LME */
	s.gdt.base = GDT;
	s.gdt.limit = 0x1f;
	s.idt.base = IDT;
	s.idt.limit = 0xfff;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	if (ioctl(g->vcpu, KVM_SET_SREGS, &s) < 0)
		return -1;
	return ioctl(g->vcpu, KVM_SET_REGS, &r);
}

/* 0, or -1 with *why: what of the API failed. */
static int guest_make(struct guest *g, const char **why)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES};
	int n;

	*why = "KVM_CREATE_VM";
	g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		return -1;
	ioctl(g->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); /* VMX wants three pages; others ignore it */
	*why = "memory";
	g->mem =
	    mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->mem == MAP_FAILED)
		return -1;
	region.userspace_addr = (uintptr_t)g->mem;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -1;
	*why = "KVM_CREATE_VCPU";
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	n = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (g->vcpu < 0 || n < (int)sizeof(struct kvm_run))
		return -1;
	g->run_bytes = (size_t)n;
	g->run = mmap(NULL, g->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (g->run == MAP_FAILED)
		return -1;
	*why = "CPUID";
	if (set_cpuid(g) < 0)
		return -1;
	load_memory(g->mem);
	*why = "registers";
	return set_registers(g);
}

static int64_t cpu_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct outcome {
	int kvm; /* enum probe_kvm */
	int stage;
	uint64_t ps_per_insn;
	uint64_t tsc_khz;
	uint32_t exit_reason;
	int sys;	  /* errno of what the API refused */
	char refused[32]; /* what it refused, or "" */
};

/* Runs the guest until it halts, does what it should not, or the budget is used. */
static void guest_run(struct guest *g, struct outcome *o)
{
	int64_t cpu = cpu_now_ns();

	o->kvm = PROBE_EMULATED;
	for (;;) {
		int r = ioctl(g->vcpu, KVM_RUN, 0);

		o->exit_reason = r < 0 ? 0 : g->run->exit_reason;
		if (r < 0)
			return;
		if (o->exit_reason == KVM_EXIT_HLT && o->stage == STAGES)
			break;
		if (o->exit_reason != KVM_EXIT_IO || g->run->io.port != PORT || o->stage == STAGES)
			return;
		if (o->stage++ == 0)
			o->ps_per_insn = (uint64_t)(cpu_now_ns() - cpu) * 1000 / (2 * LOOP_COUNT);
	}
	if (o->ps_per_insn <= PS_PER_INSN_MAX)
		o->kvm = PROBE_USABLE;
}

static void child_measure(struct outcome *o)
{
	struct guest g = GUEST_INIT;
	const char *why = "open";
	int khz;

	g.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g.kvm < 0) {
		o->kvm = errno == EACCES || errno == EPERM ? PROBE_DENIED : PROBE_ABSENT;
		o->sys = errno;
		return;
	}
	o->kvm = PROBE_EMULATED;
	if (ioctl(g.kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION && guest_make(&g, &why) == 0) {
		khz = ioctl(g.vcpu, KVM_GET_TSC_KHZ, 0);
		o->tsc_khz = khz > 0 ? (uint64_t)khz : 0;
		guest_run(&g, o);
	} else {
		o->sys = errno;
		snprintf(o->refused, sizeof(o->refused), "%s", why);
	}
	guest_done(&g);
}

static _Noreturn void child_run(struct outcome *o)
{
	const struct itimerval cpu = {.it_value = {0, BUDGET_NS / 1000}};
	const struct itimerval wall = {.it_value = {0, WALL_NS / 1000}};
	const struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGPROF, &dfl, NULL);
	sigaction(SIGALRM, &dfl, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_PROF, &cpu, NULL);
	setitimer(ITIMER_REAL, &wall, NULL);
	child_measure(o);
	_exit(0);
}

/* In a child, because KVM_RUN can only be interrupted by a signal: the child has no handler, so a
 * used-up budget ends it, and the caller's signals and timers stay as they are. */
static int measure(struct outcome *out, struct err *e)
{
	struct outcome *o =
	    mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int r = 0;

	if (o == MAP_FAILED)
		return err_sys(e, "kvm probe");
	pid = fork();
	if (pid == 0)
		child_run(o);
	if (pid < 0)
		r = err_sys(e, "kvm probe");
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*out = *o;
	munmap(o, sizeof(*o));
	return r;
}

/* An emulated TSC is the host's: count it against the clock.  20 ms gives 0.01 %, which the guest's
 * clock correction hides. */
static uint64_t measure_tsc_khz(void)
{
	int64_t t0 = trace_now_ns(), t1;
	uint64_t c0 = __rdtsc(), c1;
	struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
	t1 = trace_now_ns();
	c1 = __rdtsc();
	return t1 > t0 ? (c1 - c0) * 1000000 / (uint64_t)(t1 - t0) : 0;
}

static void explain(const struct outcome *o, struct probe_result *out)
{
	size_t n = sizeof(out->why);

	switch ((enum probe_kvm)o->kvm) {
	case PROBE_USABLE:
		snprintf(out->why, n, "runs ordinary kernel code at %" PRIu64 " ps per instruction",
			 o->ps_per_insn);
		break;
	case PROBE_ABSENT:
		snprintf(out->why, n, "/dev/kvm: %s", strerror(o->sys));
		break;
	case PROBE_DENIED:
		snprintf(out->why, n, "/dev/kvm: %s; is the user in group kvm?", strerror(o->sys));
		break;
	case PROBE_EMULATED:
	case PROBE_KVM_MAX_:
		if (o->refused[0])
			snprintf(out->why, n, "KVM refuses %s: %s", o->refused, strerror(o->sys));
		else if (o->stage == 0)
			snprintf(out->why, n,
				 "instructions are emulated, not run: a loop of %u "
				 "took more than %d ms of CPU time",
				 LOOP_COUNT, BUDGET_NS / 1000000);
		else if (o->stage == STAGES)
			snprintf(out->why, n,
				 "%" PRIu64 " ps per instruction is an emulator's speed",
				 o->ps_per_insn);
		else
			snprintf(out->why, n, "fails at %s, which every kernel uses (exit %u)",
				 stage_names[o->stage], o->exit_reason);
		break;
	}
}

/* ---- the cache ---- */

struct cached {
	const char *boot_id, *why, *kvm, *accel;
	uint64_t user, device, tsc_khz, ps_per_insn;
};
static const struct jbind cached_table = {
    .size = sizeof(struct cached),
    .fields =
	(const struct jbind_field[]){
	    JB(struct cached, kvm, "kvm", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct cached, why, "why", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct cached, accel, "accel", JBIND_STR),
	    JB(struct cached, tsc_khz, "tscKhz", JBIND_UINT, .flags = JBIND_KEEP),
	    JB(struct cached, ps_per_insn, "psPerInstruction", JBIND_UINT, .flags = JBIND_KEEP),
	    JB(struct cached, boot_id, "bootId", JBIND_STR),
	    JB(struct cached, user, "user", JBIND_UINT),
	    JB(struct cached, device, "device", JBIND_UINT), JB_END},
};

/* What the answer depends on: the boot, who asks, and the device's owner and mode. */
static void cache_key(struct arena *a, struct cached *c)
{
	auto_free char *text = NULL;
	struct stat st;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text) > 36)
		c->boot_id = arena_dupn(a, text, 36);
	c->user = geteuid();
	if (stat("/dev/kvm", &st) == 0)
		c->device = (uint64_t)st.st_rdev << 32 ^ (uint64_t)st.st_mode << 16 ^
			    (uint64_t)st.st_uid << 8 ^ st.st_gid ^ (uint64_t)st.st_ctim.tv_sec;
}

static bool cache_load(const char *dir, const struct cached *key, struct arena *a,
		       struct probe_result *out)
{
	auto_free char *text = NULL;
	struct cached c = {0};
	ssize_t n = file_read(AT_FDCWD, arena_printf(a, "%s/probe.json", dir), 4096, &text);

	if (n < 0 || !key->boot_id ||
	    jbind_parse(&cached_table, text, (size_t)n, &c, a, "probe.json", NULL) < 0)
		return false;
	if (!c.boot_id || !streq(c.boot_id, key->boot_id) || c.user != key->user ||
	    c.device != key->device)
		return false;
	for (int i = 0; i < PROBE_KVM_MAX_; i++)
		if (streq(c.kvm, probe_kvm_names[i])) {
			out->kvm = i;
			out->tsc_khz = c.tsc_khz;
			out->ps_per_insn = c.ps_per_insn;
			snprintf(out->why, sizeof(out->why), "%s", c.why);
			return true;
		}
	return false;
}

static void cache_save(const char *dir, struct cached *c, const struct probe_result *r)
{
	auto_buf struct buf text = BUF_INIT(4096);
	auto_fd int fd = -1;

	c->kvm = probe_kvm_names[r->kvm];
	c->why = r->why;
	c->tsc_khz = r->tsc_khz;
	c->ps_per_insn = r->ps_per_insn;
	jbind_write(&cached_table, c, &text);
	mkdir(dir, 0755);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		file_replace(fd, "probe.json", text.p, text.len, 0644, FILE_LAZY);
}

int probe_accel(const char *cache_dir, struct probe_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct cached key = {0};
	struct outcome o = {0};
	int r;

	cache_key(&a, &key);
	if (cache_dir && cache_load(cache_dir, &key, &a, out))
		return 0;
	r = measure(&o, e);
	if (r < 0)
		return r;
	*out =
	    (struct probe_result){.kvm = o.kvm, .tsc_khz = o.tsc_khz, .ps_per_insn = o.ps_per_insn};
	if (!out->tsc_khz)
		out->tsc_khz = measure_tsc_khz();
	explain(&o, out);
	if (cache_dir && key.boot_id)
		cache_save(cache_dir, &key, out);
	return 0;
}

const char *probe_name(const struct probe_result *r)
{
	return r->kvm == PROBE_USABLE ? "kvm" : "tcg";
}

void probe_write(const struct probe_result *r, struct buf *out)
{
	struct cached c = {.kvm = probe_kvm_names[r->kvm],
			   .why = r->why,
			   .accel = probe_name(r),
			   .tsc_khz = r->tsc_khz,
			   .ps_per_insn = r->ps_per_insn};

	jbind_write(&cached_table, &c, out);
}
