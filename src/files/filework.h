/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filework - what may be asked of an instance's files, as words: on the host the command line of
 * caisson-copy, for a VM the "files" of a process to be executed in the guest.
 *
 * A request is one of: --get a path as an archive, --put an archive into a path, --stat of a path,
 * --export of everything, --changes against the image, --layer of these changes.
 */
#ifndef FILES_FILEWORK_H
#define FILES_FILEWORK_H

#include "base/opt.h"
#include "files/copyin.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

struct filework {
	const char *get, *put, *stat, *as;
	int kind; /* enum copyin_kind */
	bool export, changes, layer;
	bool follow, links, archive, owner_root;
	struct opt_list skip, drop;
	int64_t epoch;
};

extern const char *const filework_kinds[];

/* The options of a request, for the table of a struct that has it as member w. */
#define FILEWORK_OPTS(s, w)                                                                        \
	OPT(s, w.archive, .name = "archive", .type = OPT_BOOL,                                     \
	    .help = "owners, setuid bits, devices as in the archive"),                             \
	    OPT(s, w.as, .name = "as", .type = OPT_STR, .arg = "NAME",                             \
		.help = "what the path is called in the archive"),                                 \
	    OPT(s, w.changes, .name = "changes", .type = OPT_BOOL,                                 \
		.help = "list what the writable layer changes"),                                   \
	    OPT(s, w.drop, .name = "drop", .type = OPT_LIST, .arg = "PATH",                        \
		.help = "with --layer: the place of a mount, taken away if it is as it was made"), \
	    OPT(s, w.epoch, .name = "epoch", .type = OPT_INT, .arg = "SECONDS", .min = 0,          \
		.max = INT64_MAX, .preset = "9223372036854775807",                                 \
		.help = "with --layer: no time in it is later"),                                   \
	    OPT(s, w.export, .name = "export", .type = OPT_BOOL, .help = "write the whole tree"),  \
	    OPT(s, w.follow, .name = "follow", .type = OPT_BOOL,                                   \
		.help = "what a link points to instead of the link"),                              \
	    OPT(s, w.get, .name = "get", .type = OPT_STR, .arg = "PATH",                           \
		.help = "write this path as an archive"),                                          \
	    OPT(s, w.kind, .name = "kind", .type = OPT_ENUM, .values = filework_kinds,             \
		.arg = "item|contents|raw", .preset = "item", .help = "what the archive holds"),   \
	    OPT(s, w.layer, .name = "layer", .type = OPT_BOOL,                                     \
		.help = "write the changes as the archive of a layer"),                            \
	    OPT(s, w.links, .name = "links", .type = OPT_BOOL,                                     \
		.help = "links in the tree are followed (they stay inside)"),                      \
	    OPT(s, w.owner_root, .name = "owner-root", .type = OPT_BOOL,                           \
		.help = "what is written becomes 0:0's"),                                          \
	    OPT(s, w.put, .name = "put", .type = OPT_STR, .arg = "PATH",                           \
		.help = "read an archive into this path"),                                         \
	    OPT(s, w.stat, .name = "stat", .type = OPT_STR, .arg = "PATH",                         \
		.help = "say what this path is"),                                                  \
	    OPT(s, w.skip, .name = "skip", .type = OPT_LIST, .arg = "PATH",                        \
		.help = "the place of a mount, no change while it is empty")

struct filework_place {
	int root;		     /* the tree; for changes and layer the upper directory */
	int lower;		     /* for changes and --drop: the image's files */
	bool user_marks, fuse_marks; /* of the upper directory (files/packtree.h) */
	int data;		     /* the archive */
	/* put: bytes written, a decimal number; changes: the list (files/changes.h); stat: st_mode,
	 * size, and nanoseconds of the last change, in decimal, then what a link leads to in the
	 * end (an absolute path, else empty), each with a NUL. */
	int answer;
	/* Called when dir is the only directory that is needed any more; NULL: nothing to do. */
	int (*lock)(void *arg, int dir, bool read_only, struct err *e);
	void *arg;
};

/* ERR_USAGE unless it is exactly one request. */
int filework_check(const struct filework *w, struct err *e);
int filework_run(const struct filework *w, const struct filework_place *p, struct err *e);

#endif
