/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/cbpf.h"

#include <stddef.h>
#include <string.h>

struct machine {
	uint32_t a, x, mem[BPF_MEMWORDS];
	const struct seccomp_data *data;
	bool bad;
};

static uint32_t load(struct machine *m, uint32_t off)
{
	uint32_t v = 0;

	if (off % 4 || off > sizeof(*m->data) - sizeof(v))
		m->bad = true;
	else
		memcpy(&v, (const char *)m->data + off, sizeof(v));
	return v;
}

static void alu(struct machine *m, const struct sock_filter *i)
{
	uint32_t k = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		m->a += k;
		return;
	case BPF_SUB:
		m->a -= k;
		return;
	case BPF_MUL:
		m->a *= k;
		return;
	case BPF_DIV:
		m->bad |= !k;
		m->a = k ? m->a / k : 0;
		return;
	case BPF_AND:
		m->a &= k;
		return;
	case BPF_OR:
		m->a |= k;
		return;
	case BPF_XOR:
		m->a ^= k;
		return;
	case BPF_LSH:
		m->a = k < 32 ? m->a << k : 0;
		return;
	case BPF_RSH:
		m->a = k < 32 ? m->a >> k : 0;
		return;
	case BPF_NEG:
		m->a = -m->a;
		return;
	default:
		m->bad = true;
	}
}

/* How many instructions are skipped. */
static uint32_t jump(struct machine *m, const struct sock_filter *i)
{
	uint32_t k = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool yes = false;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		yes = m->a == k;
		break;
	case BPF_JGT:
		yes = m->a > k;
		break;
	case BPF_JGE:
		yes = m->a >= k;
		break;
	case BPF_JSET:
		yes = m->a & k;
		break;
	default:
		m->bad = true;
	}
	return yes ? i->jt : i->jf;
}

static void move(struct machine *m, const struct sock_filter *i)
{
	uint32_t slot = i->k % BPF_MEMWORDS;

	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		m->a = load(m, i->k);
		return;
	case BPF_LD | BPF_IMM:
		m->a = i->k;
		return;
	case BPF_LDX | BPF_IMM:
		m->x = i->k;
		return;
	case BPF_LD | BPF_W | BPF_LEN:
		m->a = sizeof(*m->data);
		return;
	case BPF_LDX | BPF_W | BPF_LEN:
		m->x = sizeof(*m->data);
		return;
	case BPF_LD | BPF_MEM:
		m->a = m->mem[slot];
		return;
	case BPF_LDX | BPF_MEM:
		m->x = m->mem[slot];
		return;
	case BPF_ST:
		m->mem[slot] = m->a;
		return;
	case BPF_STX:
		m->mem[slot] = m->x;
		return;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		return;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		return;
	default:
		m->bad = true;
	}
}

uint32_t cbpf_run(const struct sock_filter *f, size_t n, const struct seccomp_data *d)
{
	struct machine m = {.data = d};

	/* Jumps only go forward, so this ends. */
	for (uint64_t pc = 0; pc < n && !m.bad; pc++) {
		const struct sock_filter *i = &f[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_ALU:
			alu(&m, i);
			break;
		case BPF_JMP:
			pc += jump(&m, i);
			break;
		default:
			move(&m, i);
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* Whether some path from pc ends in an action that lets the call through.  known: the accumulator
 * holds a value that does not depend on arguments; seen marks what was visited without one. */
static bool reaches(const struct sock_filter *f, size_t n, size_t pc, struct machine *m, bool known,
		    unsigned char *seen)
{
	while (pc < n) {
		const struct sock_filter *i = &f[pc];
		uint16_t class_ = BPF_CLASS(i->code);

		if (class_ == BPF_RET)
			return BPF_RVAL(i->code) == BPF_A ||
			       (i->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW ||
			       (i->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_LOG;
		if (class_ == BPF_JMP && BPF_OP(i->code) == BPF_JA) {
			pc += 1 + (size_t)i->k;
			continue;
		}
		if (class_ == BPF_JMP && known) {
			pc += 1 + jump(m, i);
			continue;
		}
		if (class_ == BPF_JMP) {
			if (seen[pc])
				return false; /* its branches are being looked at, or were in vain
					       */
			seen[pc] = 1;
			struct machine other = *m;

			if (reaches(f, n, pc + 1 + i->jt, &other, false, seen))
				return true;
			pc += 1 + (size_t)i->jf;
			continue;
		}
		if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
			known = i->k < offsetof(struct seccomp_data, args);
			if (known)
				m->a = load(m, i->k);
		} else if (class_ == BPF_ALU) {
			alu(m, i);
		} else {
			/* Index register and memory: only filters of unusual make use them. */
			known = false;
		}
		pc++;
	}
	return false;
}

bool cbpf_reaches_allow(const struct sock_filter *f, size_t n, uint32_t arch, int nr)
{
	struct seccomp_data d = {.nr = nr, .arch = arch};
	struct machine m = {.data = &d};
	unsigned char seen[BPF_MAXINSNS] = {0};

	return n <= BPF_MAXINSNS && reaches(f, n, 0, &m, true, seen);
}
