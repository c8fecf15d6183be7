/* SPDX-License-Identifier: Apache-2.0 */
/*
 * treesource - trees of files that do not lie on this machine yet: archives, web addresses, git
 * repositories, as contexts and for ADD.
 *
 * An archive is unpacked as layers are, by caisson-unpack in its jail, and looked at where layers
 * are mounted; an address is fetched by caisson-fetch; git is the git program, with the user's own
 * settings but without hooks, prompts and transports that run commands.  Nothing of what is named
 * is ever an option of a program.
 */
#ifndef BUILD_TREESOURCE_H
#define BUILD_TREESOURCE_H

#include "build/filefind.h"

struct session;
struct stage;
struct store;

struct treesource {
	struct session *s;
	struct store *store;
	struct stage *lease; /* holds unpacked archives */
};

struct treesource_tree {
	struct filefind_root root;
	struct stage *stage; /* where its files are, or NULL */
	const char *commit;  /* of a git repository: which one it is */
};
#define TREESOURCE_TREE_INIT ((struct treesource_tree){.root = {.fd = -1}})
void treesource_close(struct treesource_tree *t);

/* What a word of ADD, or a context, names. */
enum treesource_kind { TREESOURCE_PATH, TREESOURCE_WEB, TREESOURCE_GIT };
enum treesource_kind treesource_kind(const char *word);

/* The first bytes of what ADD unpacks: tar, gzip, bzip2, xz, zstd. */
#define TREESOURCE_MAGIC 262
bool treesource_is_archive(const unsigned char *p, size_t n);

/* The files of an archive, read from fd, a pipe or a file.  *none: it is no archive at all, though
 * it may be compressed; then *out is untouched.  Errors: ERR_CORRUPT, ERR_LIMIT. */
int treesource_unpack(const struct treesource *ts, int fd, const char *what, struct arena *a,
		      struct treesource_tree *out, bool *none, struct err *e);

/* A directory with one file, called name; its time is the server's, or 0.  digest: what it must
 * have
 * ("sha256:..."), or NULL. */
int treesource_fetch(const struct treesource *ts, const char *url, const char *name,
		     const char *digest, struct arena *a, struct treesource_tree *out,
		     struct err *e);

/* URL[#REF[:DIRECTORY]], with its submodules; .git is left out unless it is to be kept.  All files
 * have the commit's time. */
int treesource_git(const struct treesource *ts, const char *url, bool keep_git, struct arena *a,
		   struct treesource_tree *out, struct err *e);

/* A context: a directory, an address of either kind, or "-", an archive on stdin; what is there
 * instead of an archive, on stdin or behind an address, is a Dockerfile without files. */
struct treesource_context {
	struct treesource_tree tree;
	bool local;		/* a directory of this machine's */
	const char *dockerfile; /* NULL: there are files */
	size_t dockerfile_len;
};
int treesource_context(const struct treesource *ts, const char *word, struct arena *a,
		       struct treesource_context *out, struct err *e);

#endif
