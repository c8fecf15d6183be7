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

enum report_subject { REPORT_HOST, REPORT_CONTAINER, REPORT_VM, REPORT_SUBJECT_MAX_ };
extern const char *const report_subject_names[]; /* "host", "container", "vm", NULL */

enum report_unit { REPORT_TEXT, REPORT_NS, REPORT_BYTES, REPORT_COUNT };

/* id, key in JSON and CSV, unit, label of at most 15 characters, what it is */
#define REPORT_ROWS(X)                                                                             \
	X(KERNEL, "kernel", REPORT_TEXT, "kernel", "release the workload sees")                    \
	X(ACCEL, "accelerator", REPORT_TEXT, "cpu", "what executes the instructions")              \
	X(FIRST, "first_output", REPORT_NS, "first output",                                        \
	  "start of the command to its first byte")                                                \
	X(TOTAL, "to_exit", REPORT_NS, "start to exit", "start of the command to its end")         \
	X(CPU, "cpu", REPORT_NS, "cpu-bound", "fixed arithmetic, no system call")                  \
	X(SYSCALLS, "syscalls", REPORT_NS, "system calls", "fixed number of getppid()")            \
	X(FILES, "files", REPORT_NS, "file I/O", "write, fsync, read back, and small files")       \
	X(MEMORY, "memory_pss", REPORT_BYTES, "memory at rest",                                    \
	  "PSS of every process kept for it")                                                      \
	X(ENGINE, "memory_engine_pss", REPORT_BYTES, "  of it engine", "PSS outside the workload") \
	X(CGROUP, "memory_cgroup", REPORT_BYTES, "  its cgroup", "what the kernel charges it")     \
	X(SHARED, "disk_shared", REPORT_BYTES, "disk, shared",                                     \
	  "layers, guest kernel: once for all")                                                    \
	X(OWN, "disk_own", REPORT_BYTES, "disk, its own", "blocks of its writable state")          \
	X(REACH, "host_syscalls", REPORT_COUNT, "host syscalls", "that its processes can reach")

enum report_row {
#define X(id, key, unit, label, what) REPORT_##id,
	REPORT_ROWS(X)
#undef X
	    REPORT_PHASES, /* then one row for each enum trace_phase */
	REPORT_ROW_MAX_ = REPORT_PHASES + TRACE_PHASE_MAX_
};

struct report_line {
	const char *key;
	enum report_unit unit;
	const char *label, *what;
};
/* What stands in a row; a phase's key is its name in the trace. */
struct report_line report_line(unsigned int row);

struct report_cell {
	double *v;
	size_t n;
	const char *text; /* a fact in words */
	const char *why;  /* why there is no figure */
};

struct report {
	struct arena *arena;
	const char *image, *command, *machine;
	const char *accel_why; /* why the VM runs on what it runs; NULL: there was no VM */
	uint64_t rounds;
	bool partial; /* it was interrupted */
	double load;  /* of the machine, before it began: runnable processes over a minute */
	struct report_cell cells[REPORT_ROW_MAX_][REPORT_SUBJECT_MAX_];
};

void report_add(struct report *r, unsigned int row, enum report_subject s, double value);
void report_text(struct report *r, unsigned int row, enum report_subject s, const char *text);
/* Only for a cell that is still empty. */
void report_missing(struct report *r, unsigned int row, enum report_subject s, const char *why);

/* Nothing to show: phases that the engine did not go through count as nothing, too. */
bool report_row_empty(const struct report *r, unsigned int row);

#endif
