/* SPDX-License-Identifier: Apache-2.0 */
#include "review/packages.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/pkgdb.h"
#include "fmt/sqlite_read.h"
#include "review/content.h"
#include "spec/review.h"
#include "unpack/tree.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX (64u << 20)
#define ONE_MAX	 (1u << 20) /* of a file that describes one package */
#define RPM_MAX	 (1u << 30)

static bool ends(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && streq(s + n - k, end);
}

static int add(void *arg, const struct pkgdb_package *p, struct err *e)
{
	struct packages *k = arg;
	struct review *o = k->out;
	struct review_package *grown;

	if (o->packages.n >= REVIEW_PACKAGES)
		return err_set(e, ERR_LIMIT, "more than %d packages", REVIEW_PACKAGES);
	if (o->packages.n == k->room) {
		k->room = k->room ? k->room * 2 : 64;
		grown = arena_array(k->arena, k->room, sizeof(*grown));
		if (o->packages.n)
			memcpy(grown, o->packages.v, o->packages.n * sizeof(*grown));
		o->packages.v = grown;
	}
	o->packages.v[o->packages.n++] = (struct review_package){
	    .type = k->type,
	    .name = p->name,
	    .version = p->version,
	    .arch = p->arch,
	    .license = p->license,
	    .source = p->source,
	    .path = k->path,
	    .layer = k->layer,
	};
	return 0;
}

static void not_read(struct packages *k, const char *path, const char *why)
{
	arena_strs_add(k->arena, &k->out->not_read, arena_printf(k->arena, "%s: %s", path, why));
}

struct rpm_rows {
	const struct pkgdb_sink *to;
};

static int rpm_row(void *arg, const void *p, size_t len, struct err *e)
{
	const struct rpm_rows *r = arg;

	return pkgdb_rpm(p, len, r->to, e);
}

static int read_rpm(const char *p, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	struct rpm_rows rows = {to};

	return sqlite_read_column(p, len, "Packages", 1, rpm_row, &rows, e);
}

/* node_modules/NAME/package.json, node_modules/@SCOPE/NAME/package.json: those below a package's
 * own directories are its tests and the like. */
static bool is_node(const char *path)
{
	static const char dir[] = "node_modules/";
	const char *at = NULL, *end;

	if (!ends(path, "/package.json"))
		return false;
	for (const char *p = strstr(path, dir); p; p = strstr(p + 1, dir))
		if (p == path || p[-1] == '/')
			at = p + sizeof(dir) - 1;
	if (!at)
		return false;
	end = strchr(at, '/');
	if (end && *at == '@')
		end = strchr(end + 1, '/');
	return end && streq(end, "/package.json");
}

static bool is_dpkg(const char *path)
{
	return streq(path, "var/lib/dpkg/status") ||
	       (str_after(path, "var/lib/dpkg/status.d/") && !ends(path, ".md5sums"));
}

static bool is_python(const char *path)
{
	return ends(path, ".dist-info/METADATA") || ends(path, ".egg-info/PKG-INFO") ||
	       ends(path, ".egg-info");
}

struct reader {
	const char *type;
	size_t max;
	int (*read)(const char *p, size_t len, const struct pkgdb_sink *to, struct err *e);
};

static bool choose(const char *path, struct reader *out)
{
	if (is_dpkg(path))
		*out = (struct reader){"deb", TEXT_MAX, pkgdb_dpkg};
	else if (streq(path, "lib/apk/db/installed") || streq(path, "usr/lib/apk/db/installed"))
		*out = (struct reader){"apk", TEXT_MAX, pkgdb_apk};
	else if (is_python(path))
		*out = (struct reader){"pypi", ONE_MAX, pkgdb_python};
	else if (is_node(path))
		*out = (struct reader){"npm", ONE_MAX, pkgdb_node};
	else if (ends(path, "lib/rpm/rpmdb.sqlite") || ends(path, "sysimage/rpm/rpmdb.sqlite"))
		*out = (struct reader){"rpm", RPM_MAX, read_rpm};
	else
		return false;
	return true;
}

/* Forms that rpm had or has beside SQLite. */
static void foreign(struct packages *k, const char *path, const struct tree_inode *in)
{
	if (!strstr(path, "/rpm/") || !in->size)
		return;
	if (ends(path, "/rpm/Packages.db"))
		not_read(k, path, "an rpm database in ndb form is not read");
	else if (ends(path, "/rpm/Packages"))
		not_read(k, path, "an rpm database in Berkeley DB form is not read");
	else if (ends(path, "/rpm/rpmdb.sqlite-wal"))
		not_read(k, path, "what the write-ahead log of the rpm database adds is not read");
}

int packages_look(struct packages *k, struct content *c, const char *path,
		  const struct tree_inode *in, struct err *e)
{
	struct pkgdb_sink to = {.arena = k->arena, .fn = add, .arg = k};
	struct err why = ERR_INIT;
	struct reader how;
	const uint8_t *p;
	size_t len;
	int r;

	foreign(k, path, in);
	if (!choose(path, &how))
		return 0;
	k->type = how.type;
	k->path = arena_dup(k->arena, path);
	k->layer = in->layer + 1;
	if (in->size > how.max) {
		not_read(k, k->path, "larger than what is read");
		return 0;
	}
	p = content_head(c, in, how.max, &len);
	r = how.read((const char *)p, len, &to, &why);
	if (r == -EOVERFLOW)
		return err_wrap(e, err_set(e, ERR_LIMIT, "%s", why.msg), "%s", path);
	if (r < 0)
		not_read(k, k->path, why.msg);
	return 0;
}
