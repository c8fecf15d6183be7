/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_gate - may this image be taken?  By the administrator's policy.json (fmt/sigpolicy.h),
 * asked twice: before anything is fetched (what is rejected is not looked at), and once the
 * manifest is known, before its configuration and layers are fetched and long before it has a
 * name here.
 *
 * A signature counts when its bytes are signed by a key of the policy, and then: it speaks of this
 * manifest (or of the index that names this manifest), under a name that the policy accepts for
 * what was asked for.
 */
#ifndef ENGINE_SIGNATURE_GATE_H
#define ENGINE_SIGNATURE_GATE_H

#include "fmt/reference.h"
#include "fmt/sigpolicy.h"

struct err;
struct image_fetch;
struct store;

struct signature_gate {
	const char *file;	      /* the policy; NULL: there is none, everything is accepted */
	struct sigpolicy_rules rules; /* that want signatures */
	struct reference asked;
	struct arena *a; /* borrowed */
};

/* What is to be taken: from a registry (ref), or by another transport (path, or NULL). */
struct signature_gate_what {
	const char *transport;
	const struct reference *ref;
	const char *path;
};

/* file: the policy, or NULL.  Errors: ERR_DENIED rejected, ERR_UNSUPPORTED what the policy demands
 * is not checked here, and those of reading it. */
int signature_gate_open(const char *file, const struct signature_gate_what *what, struct arena *a,
			struct signature_gate *out, struct err *e);

/* digests: of the manifest and of the indexes it was found through.  Errors: ERR_DENIED, with what
 * was wrong with the signatures there are. */
int signature_gate_check(const struct signature_gate *g, struct store *s, struct image_fetch *f,
			 const struct strs *digests, struct err *e);

#endif
