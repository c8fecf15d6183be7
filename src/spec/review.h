/* SPDX-License-Identifier: Apache-2.0 */
/*
 * review - what caisson-review found in an image's files (docs/protocols/review.md).  It read an
 * attacker's bytes, so the engine reads its answer as strictly as any document; strings hold no
 * control characters.
 */
#ifndef SPEC_REVIEW_H
#define SPEC_REVIEW_H

#include "base/arena.h"
#include "fmt/jbind.h"

struct buf;
struct err;

#define REVIEW_MAX	(256u << 20) /* bytes of the document */
#define REVIEW_FINDINGS 20000	     /* of one image; then it is cut, and says so */
#define REVIEW_PACKAGES 500000

enum review_kind {
	REVIEW_SETUID,
	REVIEW_SETGID,
	REVIEW_CAPABILITIES,
	REVIEW_WORLD_WRITABLE,
	REVIEW_DEVICE,
	REVIEW_SECRET,
	REVIEW_KIND_MAX_
};
extern const char *const review_kinds[]; /* "setuid", ... NULL-terminated */

struct review_finding {
	int kind; /* enum review_kind */
	const char *path, *detail;
	uint32_t layer; /* from 1 */
	bool hidden;	/* a layer above hides it; it travels with the image all the same */
};
struct review_package {
	const char *type; /* as in package URLs: "deb", "apk", "rpm", "pypi", "npm" */
	const char *name, *version, *arch, *license, *source;
	const char *path; /* of the file that says so */
	uint32_t layer;
};
struct review_layer {
	const char *diff_id; /* the engine's */
	const char *created_by;
	uint64_t files, bytes; /* regular files it brings */
	uint64_t wasted;       /* of these bytes, hidden by layers above */
};
struct review_file {
	const char *path;
	uint64_t size;
	uint32_t layer, mode, uid, gid;
};

struct review {
	struct {
		struct review_layer *v;
		size_t n;
	} layers;
	struct {
		struct review_finding *v;
		size_t n;
	} findings;
	struct {
		struct review_package *v;
		size_t n;
	} packages;
	struct {
		struct review_file *v;
		size_t n;
	} files;	      /* only when asked for */
	struct strs not_read; /* package databases that are there and not understood, and why */
	bool cut;	      /* there were more findings */
	bool uid_known;	      /* the user the image runs as was found */
	uint32_t uid;
	const char *os_id, *os_version, *os_name; /* of os-release */
};

/* The difference of two images. */
#define REVIEW_CHANGES 2000000
struct review_change {
	const char *kind; /* "A" only in the second, "D" only in the first, "C" */
	const char *path, *detail;
};
struct review_changes {
	struct {
		struct review_change *v;
		size_t n;
	} changes;
};
int review_changes_parse(const char *text, size_t len, struct arena *a, struct review_changes *out,
			 struct err *e);
void review_changes_print(const struct review_changes *r, struct buf *out);

/* Strings go into a.  Errors: ERR_CORRUPT. */
int review_parse(const char *text, size_t len, struct arena *a, struct review *out, struct err *e);
void review_print(const struct review *r, struct buf *out);

#endif
