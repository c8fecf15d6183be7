/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - the table of one comparison: rows are figures, columns are who did the work.
 *
 * Nothing stands in a cell that was not measured: a cell has samples, a fact in words, or the
 * reason why there is nothing.  Adding a row is adding a line to REPORT_ROWS.
 */
#ifndef COMPARE_REPORT_H
#define COMPARE_REPORT_H

#include "base/arena.h"
#include "spec/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* id, name in JSON, CSV and on the command line, heading (at most 18 characters), in a sentence */
#define REPORT_SUBJECTS(X)                                                                         \
	X(HOST, "host", "host process", "a process of the host")                                   \
	X(CONTAINER, "container", "container", "a container")                                      \
	X(VM, "vm", "vm", "a VM")                                                                  \
	X(ROOTLESS, "rootless", "rootless container", "a rootless container")                      \
	X(COLD, "vm-cold", "vm, cold boot", "a VM that boots")                                     \
	X(POD, "pod", "container in a vm", "a container in a VM that runs")                        \
	X(QEMU, "qemu", "plain QEMU", "plain QEMU")                                                \
	X(DOCKER, "docker", "docker", "docker")                                                    \
	X(PODMAN, "podman", "podman", "podman")                                                    \
	X(CRUN, "crun", "crun", "crun")

enum report_subject {
#define X(id, name, head, words) REPORT_##id,
	REPORT_SUBJECTS(X)
#undef X
	    REPORT_SUBJECT_MAX_
};
extern const char *const report_subject_names[]; /* "host", ..., NULL */
extern const char *const report_subject_heads[];
extern const char *const report_subject_words[];

enum report_unit {
	REPORT_TEXT,
	REPORT_NS,
	REPORT_BYTES,
	REPORT_COUNT,
	REPORT_RATE, /* bytes a second */
	REPORT_HZ    /* times a second */
};

/* id, key in JSON and CSV, unit, label of at most 14 characters, what it is */
#define REPORT_ROWS(X)                                                                             \
	X(KERNEL, "kernel", REPORT_TEXT, "kernel", "release the workload sees")                    \
	X(SHARES, "kernel_is", REPORT_TEXT, "kernel is", "the host's, or one of its own")          \
	X(ACCEL, "accelerator", REPORT_TEXT, "cpu", "what executes the instructions")              \
	X(MACHINES, "machines", REPORT_TEXT, "machines",                                           \
	  "architectures of which a program ran there")                                            \
	X(INSTRUCTION, "first_instruction", REPORT_NS, "first instr.",                             \
	  "start of the command to main() of a program inside")                                    \
	X(FIRST, "first_output", REPORT_NS, "first output",                                        \
	  "start of the command to its first byte")                                                \
	X(TOTAL, "to_exit", REPORT_NS, "start to exit", "start of the command to its end")         \
	X(CPU, "cpu", REPORT_NS, "cpu-bound", "a million rounds of arithmetic, no system call")    \
	X(COPY, "memory_copy", REPORT_RATE, "memory copy", "bytes copied a second, 8 MiB at once") \
	X(SYSCALLS, "syscalls", REPORT_NS, "system call", "one getppid()")                         \
	X(FORK, "fork_exec", REPORT_NS, "fork and exec", "a process that ends at once")            \
	X(NAMES, "file_names", REPORT_NS, "file metadata",                                         \
	  "make, stat, rename and remove an empty file")                                           \
	X(WRITE, "file_write", REPORT_RATE, "file write", "in order, and fsync")                   \
	X(READ, "file_read", REPORT_RATE, "file read", "in order, from the page cache inside")     \
	X(RREAD, "file_random_read", REPORT_NS, "random read", "4 KiB, from the page cache")       \
	X(RWRITE, "file_random_write", REPORT_NS, "random write", "4 KiB and fdatasync")           \
	X(REQUEST, "http_request", REPORT_NS, "http request",                                      \
	  "one after the other through a published port")                                          \
	X(REQUESTS, "http_rate", REPORT_HZ, "http rate",                                           \
	  "requests a second of 16 connections, published port")                                   \
	X(MEMORY, "memory_pss", REPORT_BYTES, "memory at rest",                                    \
	  "PSS of every process kept for it")                                                      \
	X(ENGINE, "memory_engine_pss", REPORT_BYTES, "  of it engine", "PSS outside the workload") \
	X(LOADED, "memory_loaded_pss", REPORT_BYTES, "  with 64 MiB",                              \
	  "the same while it holds 64 MiB")                                                        \
	X(PEAK, "memory_command_pss", REPORT_BYTES, "  the command",                               \
	  "highest PSS seen while the command ran")                                                \
	X(CGROUP, "memory_cgroup", REPORT_BYTES, "  its cgroup", "what the kernel charges it")     \
	X(BELIEF, "memory_believed", REPORT_BYTES, "  it believes",                                \
	  "memory the workload is told there is")                                                  \
	X(FITS, "density", REPORT_COUNT, "fit in budget",                                          \
	  "idle ones really started within the budget of memory")                                  \
	X(SHARED, "disk_shared", REPORT_BYTES, "disk, shared",                                     \
	  "layers, guest kernel: once for all")                                                    \
	X(OWN, "disk_own", REPORT_BYTES, "disk, its own", "blocks of its writable state")          \
	X(TRANSFER, "transfer", REPORT_NS, "image transfer",                                       \
	  "pull of the image into an empty store, from a registry on loopback")                    \
	X(REACH, "host_syscalls", REPORT_COUNT, "host syscalls", "that its processes can reach")   \
	X(CAPS, "capabilities", REPORT_COUNT, "capabilities",                                      \
	  "of root inside; of the process on the host, for a VM")                                  \
	X(DEVICES, "devices", REPORT_COUNT, "devices", "nodes in /dev inside")                     \
	X(STOPPED, "attempts_stopped", REPORT_COUNT, "tries stopped",                              \
	  "of the attempts below, those that did not get to the host's kernel")                    \
	X(DIGEST, "build_twice", REPORT_TEXT, "built twice", "the same image, built two times")    \
	X(CLONE, "clone", REPORT_TEXT, "a clone has", "host name and random numbers of its own")

enum report_row {
#define X(id, key, unit, label, what) REPORT_##id,
	REPORT_ROWS(X)
#undef X
	    REPORT_PHASES, /* then one row for each enum trace_phase: how long */
	REPORT_BEGINS = REPORT_PHASES + TRACE_PHASE_MAX_, /* and when it began, from the start */
	REPORT_ROW_MAX_ = REPORT_BEGINS + TRACE_PHASE_MAX_
};

struct report_line {
	const char *key; /* a phase's has "phase_" or "begin_" before its name */
	enum report_unit unit;
	const char *label, *what;
};
/* What stands in a row. */
struct report_line report_line(unsigned int row);
/* The row of a key, or REPORT_ROW_MAX_. */
unsigned int report_row_named(const char *key, size_t len);

struct report_cell {
	double *v;
	size_t n;
	const char *text; /* a fact in words */
	const char *why;  /* why there is no figure */
};

/* One column. */
struct report_who {
	bool listed;	     /* false: nobody asked for it */
	const char *command; /* how it was started, for those who want to do it themselves */
	const char *why;     /* why nothing of it was measured; NULL: something was */
	const char *note;    /* what its figures leave out */
};

/* One of the attempts to get out (workload/workattempt.h). */
struct report_attempt {
	const char *key, *what;
	const char
	    *got[REPORT_SUBJECT_MAX_]; /* "got through", or what stopped it; NULL: not made */
};

/* How quiet the machine was. */
struct report_noise {
	struct report_cell loop; /* ns of a loop that is always the same, between the rounds */
	double load, load_after; /* runnable processes over a minute */
	double busy;		 /* of all processors' time before it began, by others, 0..1 */
	double steal;		 /* of all processors' time, taken by the hypervisor, 0..1 */
};

struct report {
	struct arena *arena;
	const char *image, *command, *machine, *date;
	const char *accel_why; /* why the VM runs on what it runs; NULL: there was no VM */
	uint64_t rounds;
	bool partial; /* it was interrupted */
	int64_t took_ns;
	struct report_noise noise;
	uint64_t budget_bytes; /* of density; 0: not measured */
	struct report_who who[REPORT_SUBJECT_MAX_];
	struct report_cell cells[REPORT_ROW_MAX_][REPORT_SUBJECT_MAX_];
	struct report_cell density[REPORT_SUBJECT_MAX_]; /* PSS of all after each further one */
	struct report_attempt *attempts;
	size_t nattempts;
};

void report_add(struct report *r, unsigned int row, enum report_subject s, double value);
void report_text(struct report *r, unsigned int row, enum report_subject s, const char *text);
/* Only for a cell that is still empty. */
void report_missing(struct report *r, unsigned int row, enum report_subject s, const char *why);
/* Nothing of a whole column: every cell that is empty, and the column, say why. */
void report_absent(struct report *r, enum report_subject s, const char *why);
void report_cell_add(struct report *r, struct report_cell *c, double value);

/* Nothing to show: phases that the engine did not go through count as nothing, too. */
bool report_row_empty(const struct report *r, unsigned int row);

/* A column with something in it. */
bool report_shown(const struct report *r, enum report_subject s);

#endif
