/* SPDX-License-Identifier: Apache-2.0 */
/* compare_int - what the files of this directory that measure share: one comparison under way. */
#ifndef COMPARE_COMPARE_INT_H
#define COMPARE_COMPARE_INT_H

#include "base/arena.h"
#include "compare/compare.h"
#include "compare/report.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct session;
struct family;
struct live;

#define COMPARE_INSIDE	 "/.caisson-compare/caisson-workload"
#define COMPARE_START_NS INT64_C(180000000000) /* a VM without hardware help on a busy machine */
#define COMPARE_PORT	 8080		       /* inside, of the web server */

/* Whose command line it is. */
enum subject_kind { SUBJECT_HOST, SUBJECT_OURS, SUBJECT_PEER, SUBJECT_CRUN, SUBJECT_QEMU };

/* How a subject is started; made once by subject_prepare(). */
struct subject {
	enum subject_kind kind;
	bool off;	   /* nothing more is measured */
	bool tried;	   /* it was not left out from the beginning */
	bool command_off;  /* its command fails */
	bool narrow;	   /* its intervals are */
	const char *name;  /* of its instances */
	const char *root;  /* of the store, if it is one of ours */
	struct strs up;	   /* words of the command line before the verb */
	struct strs flags; /* of run */
	const char *image;
	const char *trace;	     /* file that its engine writes to */
	const char *const *env;	     /* of its commands */
	double share[REPORT_PHASES]; /* of the usual amount of work, where that takes too long */
	unsigned int port;	     /* on loopback, that the next instance publishes; 0: none */
};

/* Of all processors, since the machine is up. */
struct compare_ticks {
	uint64_t all, idle, steal;
};

struct compare {
	struct session *s;
	const struct compare_request *q;
	struct arena *arena;
	struct report *report;
	const char *dir;	/* ours below the root */
	const char *trace;	/* file in it */
	const char *secret;	/* file in it, for attempts to find */
	const char *workload;	/* the program, on the host */
	const char *image;	/* IMAGE and one layer more: the program */
	const char *archive;	/* that image, for the stores of others; NULL: not made yet */
	const char *const *env; /* the caller's, with CAISSON_TRACE */
	const char *user_dir;	/* the rootless store's, NULL: none */
	unsigned int uid;	/* whose that is */
	const char *kernel;	/* directory of what the VMs boot; NULL: not known */
	bool kernel_acpi;
	const char *bundles;	   /* directory of crun's; NULL: none */
	const char *qemu, *initrd; /* of plain QEMU */
	bool qemu_kvm;
	uint64_t tsc_khz; /* 0: not known */
	struct subject subjects[REPORT_SUBJECT_MAX_];
	unsigned int salt;
	bool counting;		    /* false in the warm-up round */
	int64_t begin_ns, end_ns;   /* of all; when the whole time is over */
	struct compare_ticks ticks; /* after noise_begin() */
	int64_t command_ns;	    /* what one run of the user's command may take */
};

bool compare_interrupted(void);
/* Tell the one who waits. */
void compare_progress(struct compare *c, const char *what);
/* Run argv, which must succeed: *out is the beginning of its standard output.  On failure e holds
 * the last line of its stderr. */
struct sample;
int compare_call(struct compare *c, const struct strs *argv, struct sample *out, struct err *e);
/* Why a command failed: the last line it wrote to stderr. */
void compare_complain(const struct sample *m, struct err *e);
/* Children that ended. */
void compare_reap(void);

/* ---- subject.c ---- */

/* Names, and which are left out and why; starts nothing. */
void subject_init(struct compare *c);
/* Whatever it needs to be started.  On failure it is off, and the report says why. */
void subject_prepare(struct compare *c, enum report_subject s);
/* The machine that a container in a VM needs; before and after each use of the subject. */
int subject_enter(struct compare *c, enum report_subject s, struct err *e);
void subject_leave(struct compare *c, enum report_subject s);
/* Command lines: .n 0 when there is none, with the reason in e. */
struct strs subject_command(struct compare *c, enum report_subject s, struct err *e);
struct strs subject_work(struct compare *c, enum report_subject s, struct err *e);
/* One that stays in the background, by the name given. */
struct strs subject_idle(struct compare *c, enum report_subject s, const char *name, struct err *e);
struct strs subject_remove(struct compare *c, enum report_subject s, const struct strs *names);
/* "word word", for the report. */
const char *subject_words(struct compare *c, const struct strs *v);
/* Its name is free again. */
void subject_settle(struct compare *c, enum report_subject s);
/* Memory of everything kept for it, its client (-1: none) not. */
int subject_family(struct compare *c, enum report_subject s, pid_t client, struct family *out,
		   struct err *e);
/* The words before the verb, of a list that one may add to. */
struct strs subject_up(struct compare *c, enum report_subject s);
void subject_add(struct compare *c, struct strs *v, const char *const *words);
/* Everything that may have been left, also after a failure. */
void subject_sweep(struct compare *c);

/* ---- peer.c: docker, podman, crun ---- */
int peer_prepare(struct compare *c, enum report_subject s, struct err *e);
struct strs peer_crun(struct compare *c, const char *name, const struct strs *words, bool detach,
		      struct err *e);
/* What the processes of the peer's that are not below us hold. */
int peer_family(struct compare *c, enum report_subject s, struct family *out, struct err *e);
void peer_sweep(struct compare *c, enum report_subject s);

void peer_disk(struct compare *c, enum report_subject s);

/* ---- diskuse.c ---- */
struct json;
/* What one of our commands prints as JSON. */
int diskuse_ask(struct compare *c, enum report_subject s, const char *const *words,
		struct json **out, struct err *e);
/* The rows of the instance that runs; qemu 0: a container. */
void diskuse_ours(struct compare *c, enum report_subject s, pid_t qemu);
/* c->kernel: what a VM would boot now. */
int diskuse_kernel(struct compare *c, struct err *e);

/* ---- bareqemu.c ---- */
int bareqemu_prepare(struct compare *c, struct err *e);
struct strs bareqemu_argv(struct compare *c, const char *what);

/* ---- turn.c: one subject in one round ---- */
void turn_once(struct compare *c, enum report_subject s);
/* Are the medians of its main figures known well enough? */
bool turn_narrow(const struct compare *c, enum report_subject s);

/* ---- what is found out once ---- */
void facts_once(struct compare *c, enum report_subject s, struct live *l, const struct family *t);
void published_all(struct compare *c);
void density_all(struct compare *c);
void replica_all(struct compare *c);
void imagepull_all(struct compare *c);

/* ---- noise.c ---- */
void noise_begin(struct compare *c);
void noise_loop(struct compare *c);
void noise_end(struct compare *c);

#endif
