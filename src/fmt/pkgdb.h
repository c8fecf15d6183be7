/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pkgdb - the files in which package managers write down what they installed, found in somebody
 * else's image: an author may put anything there.
 *
 * Text is read paragraph by paragraph; a paragraph without a name is passed over, a value that is
 * longer than its limit is cut, control characters become '?', so that a terminal can show it.
 * Sources: deb-control(5), dpkg(1) "status"; apk-tools "installed"; Python packaging core metadata
 * 2.3; npm package.json; rpm "header format" (tags of rpmtag.h).
 */
#ifndef FMT_PKGDB_H
#define FMT_PKGDB_H

#include <stddef.h>

struct arena;
struct err;

#define PKGDB_MAX 200000 /* packages in one file */

/* Strings in the caller's arena; NULL where the file says nothing. */
struct pkgdb_package {
	const char *name, *version, *arch, *license, *source;
};

/* What it returns < 0 ends the reading and is returned. */
typedef int pkgdb_fn(void *arg, const struct pkgdb_package *p, struct err *e);

struct pkgdb_sink {
	struct arena *arena;
	pkgdb_fn *fn;
	void *arg;
};

/* /var/lib/dpkg/status and the files of status.d: only what is installed. */
int pkgdb_dpkg(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e);
/* /lib/apk/db/installed */
int pkgdb_apk(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e);
/* METADATA of a dist-info, PKG-INFO of an egg-info: one package. */
int pkgdb_python(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e);
/* package.json: one package; ERR_CORRUPT when it is not JSON. */
int pkgdb_node(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e);
/* One header of an rpm database.  ERR_CORRUPT. */
int pkgdb_rpm(const void *header, size_t len, const struct pkgdb_sink *to, struct err *e);

/* The value of KEY= in an os-release(5) text, unquoted, in a; NULL when absent. */
const char *pkgdb_os_release(const char *text, size_t len, const char *key, struct arena *a);

#endif
