/* SPDX-License-Identifier: Apache-2.0 */
#include "store/image_record.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/jbind.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

static const struct jbind_field fields[] = {
    JB(struct image_record, name, "name", JBIND_STR),
    JB(struct image_record, id, "id", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct image_record, manifest, "manifest", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct image_record, source, "source", JBIND_STR),
    JB(struct image_record, created, "created", JBIND_STR),
    JB(struct image_record, platform, "platform", JBIND_STR),
    JB(struct image_record, chain, "chain", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct image_record, size, "size", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct image_record, layers, "layers", JBIND_STRS, .flags = JBIND_KEEP),
    JB(struct image_record, blobs, "blobs", JBIND_STRS, .flags = JBIND_KEEP),
    JB(struct image_record, others, "others", JBIND_STRS),
    JB(struct image_record, attests, "attests", JBIND_STRS),
    JB_END,
};
static const struct jbind table = {sizeof(struct image_record), fields, false};

#define NAME_LONGEST                                                                               \
	180 /* of an encoded name; ".json" and file_replace()'s ".tmp-" fit NAME_MAX               \
	     */

const char *image_record_file(const struct image_record *r, struct arena *a)
{
	auto_buf struct buf b = BUF_INIT(4096);
	unsigned char sum[32];
	char digest[DIGEST_LEN + 1];

	if (!r->name)
		return arena_printf(a, "@%s.json", digest_hex(r->manifest));
	for (const char *p = r->name; *p; p++)
		if (*p == '/' || *p == '%' || *p == ':')
			buf_printf(&b, "%%%02X", (unsigned char)*p);
		else
			buf_add(&b, p, 1);
	if (b.len <= NAME_LONGEST)
		return arena_printf(a, "%s.json", b.p);
	/* Two long names with the same beginning differ in the sum. */
	sha256_of(r->name, strlen(r->name), sum);
	digest_print(sum, digest);
	return arena_printf(a, "%.110s~%s.json", b.p, digest_hex(digest));
}

/* Ours, but an old or damaged file must not become a path or an assertion. */
static bool sound(const struct image_record *r)
{
	if (!digest_valid(r->id) || !digest_valid(r->manifest) || strlen(r->chain) != DIGEST_HEX ||
	    strspn(r->chain, "0123456789abcdef") != DIGEST_HEX)
		return false;
	for (size_t i = 0; i < r->layers.n; i++)
		if (!digest_valid(r->layers.v[i]))
			return false;
	for (size_t i = 0; i < r->blobs.n; i++)
		if (!digest_valid(r->blobs.v[i]))
			return false;
	for (size_t i = 0; i < r->others.n; i++)
		if (!digest_valid(r->others.v[i]))
			return false;
	for (size_t i = 0; i < r->attests.n; i++)
		if (!digest_valid(r->attests.v[i]))
			return false;
	return !r->source || digest_valid(r->source);
}

static int read_at(int dir, const char *file, struct arena *a, struct image_record *out,
		   struct err *e)
{
	struct image_record r = {0};
	auto_free char *text = NULL;
	ssize_t n = file_read(dir, file, STORE_JSON_MAX, &text);
	int rc;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "image record '%s'", file);
	}
	rc = jbind_parse(&table, text, (size_t)n, &r, a, "image record", e);
	if (rc == 0 && !sound(&r))
		rc = err_set(e, ERR_CORRUPT, "image record '%s' is damaged", file);
	if (rc == 0)
		*out = r;
	return rc;
}

int image_record_read(const struct store *s, const char *file, struct arena *a,
		      struct image_record *out, struct err *e)
{
	auto_fd int dir = store_dir(s, "images", e);

	return dir < 0 ? dir : read_at(dir, file, a, out, e);
}

/* Whether it stands there already, to the byte: then nothing has to reach the disk. */
static bool is_there(int dir, const char *file, const struct buf *text)
{
	auto_free char *old = NULL;
	ssize_t n = file_read(dir, file, STORE_JSON_MAX, &old);

	return n >= 0 && (size_t)n == text->len && memcmp(old, text->p, text->len) == 0;
}

int image_record_write(const struct store *s, const struct image_record *r, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(STORE_JSON_MAX);
	auto_fd int dir = store_dir(s, "images", e);
	int rc;

	if (dir < 0)
		return dir;
	jbind_write(&table, r, &text);
	rc = buf_fail(&text, "image record", e);
	if (rc < 0)
		return rc;
	if (is_there(dir, image_record_file(r, &a), &text))
		return 0;
	errno = -file_replace(dir, image_record_file(r, &a), text.p, text.len, 0600, FILE_DURABLE);
	return errno ? err_sys(e, "cannot write to '%s/images'", s->root) : 0;
}

int image_record_unlink(const struct store *s, const struct image_record *r, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = store_dir(s, "images", e);

	if (dir < 0)
		return dir;
	if (fault_point("record-unlink") < 0)
		return err_sys(e, "cannot remove from '%s/images'", s->root);
	if (unlinkat(dir, image_record_file(r, &a), 0) < 0)
		return errno == ENOENT ? 0
				       : err_sys(e, "cannot remove from '%s/images'", s->root);
	if (fault_point("record-dirsync") < 0 || fsync(dir) < 0)
		return err_sys(e, "'%s/images'", s->root);
	return 0;
}

static void add(struct arena *a, struct image_records *l, size_t *cap, const struct image_record *r)
{
	if (l->n == *cap) {
		struct image_record *v = arena_array(a, *cap ? 2 * *cap : 64, sizeof(*v));

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		*cap = *cap ? 2 * *cap : 64;
	}
	l->v[l->n++] = *r;
}

int image_record_list(struct store *s, struct arena *a, struct image_records *out, struct err *e)
{
	struct image_records l = {0};
	size_t cap = 0;
	struct dirent *de;
	int fd = store_dir(s, "images", e);
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d)
		abort();
	while ((de = readdir(d))) {
		const char *dot = strrchr(de->d_name, '.');
		struct image_record r;

		/* A name cannot begin with '.', so that is a temporary file of file_replace(). */
		if (de->d_name[0] == '.' || !dot || !streq(dot, ".json"))
			continue;
		if (read_at(fd, de->d_name, a, &r, NULL) == 0)
			add(a, &l, &cap, &r);
	}
	closedir(d);
	*out = l;
	return 0;
}
