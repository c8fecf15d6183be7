/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance - statements about an image that was built: where it comes from (SLSA provenance v1)
 * and what is in it (SPDX, CycloneDX), as in-toto statements v1 that engine/attest.h keeps beside
 * it. Source: github.com/in-toto/attestation "spec/v1/statement.md", slsa.dev/spec/v1.0/provenance.
 */
#ifndef BUILD_PROVENANCE_H
#define BUILD_PROVENANCE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct jbind_map;
struct scope_args;
struct session;
struct stage;
struct store;

enum provenance_kind { PROVENANCE_NONE, PROVENANCE_MIN, PROVENANCE_MAX };
enum provenance_sbom { PROVENANCE_NO_SBOM, PROVENANCE_SPDX, PROVENANCE_CYCLONEDX };

struct provenance_wish {
	int kind, sbom; /* of the above */
};

/* One option's words: --provenance VALUE, --sbom VALUE, --attest type=TYPE[,...]. */
int provenance_parse(const char *option, const char *value, struct provenance_wish *w,
		     struct err *e);

struct provenance_build {
	struct session *s;
	struct store *store;
	struct stage *lease;
	struct arena *a;
	const char *id, *manifest; /* digests */
	const struct strs *names;
	const char *context, *file, *target;	     /* as given */
	const char *dockerfile;			     /* its text, for MAX */
	const struct strs *asked;		     /* --build-arg, as given */
	const struct scope_args *args;		     /* --build-arg, for MAX */
	const struct jbind_map *images, *urls, *git; /* name to digest or commit: what went in */
	int64_t began_ns, ended_ns;		     /* since 1970 */
};

/* Make what is wished for, and keep it with the image; without a wish what was kept goes. */
int provenance_make(const struct provenance_build *b, const struct provenance_wish *w,
		    struct err *e);

#endif
