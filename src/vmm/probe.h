/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - can /dev/kvm run an ordinary kernel here, and how fast is the clock of a guest?
 *
 * That the device exists says little: on hosts that are guests themselves it may be an emulator
 * that is a hundred times slower than TCG and lacks instructions every kernel uses at boot.  So a
 * tiny guest runs for at most a few milliseconds of CPU time: a loop (speed), then the privileged
 * instructions of a kernel's boot.  The answer holds until the next boot and is cached by boot id.
 */
#ifndef VMM_PROBE_H
#define VMM_PROBE_H

#include <stdint.h>

struct buf;
struct err;

enum probe_kvm { PROBE_USABLE, PROBE_EMULATED, PROBE_ABSENT, PROBE_DENIED, PROBE_KVM_MAX_ };
extern const char *const probe_kvm_names[]; /* "usable" "emulated" "absent" "denied" NULL */

struct probe_result {
	int kvm;	      /* enum probe_kvm */
	char why[160];	      /* one line for people */
	uint64_t tsc_khz;     /* of the host, and of a TCG guest; 0 when unknown */
	uint64_t ps_per_insn; /* picoseconds per instruction of the probe's loop; 0: did not run */
};

/* From cache_dir/probe.json when it was written in this boot for the same access to /dev/kvm, else
 * measured (about 5 ms) and kept there.  cache_dir may be NULL.  A cache that cannot be written is
 * no error. */
int probe_accel(const char *cache_dir, struct probe_result *out, struct err *e);

/* {"kvm":"usable","why":"...","accel":"kvm","tsc_khz":2600000,...} */
void probe_write(const struct probe_result *r, struct buf *out);
/* "kvm" or "tcg" */
const char *probe_name(const struct probe_result *r);

#endif
