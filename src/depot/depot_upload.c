/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: an upload is a file "up-ID" in the server's stage, as long as what has come; each request
 * may be in another process, so its state is the file and a flock on it.  With its digest it is
 * checked, becomes a blob of the store, and is leased until the server ends: until its manifest
 * comes nobody else names it.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "depot/depot_int.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/blob.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define UPLOADS_MAX 256
#define UPLOAD_AGE  86400 /* seconds without a byte after which one is forgotten */
#define ID_LEN	    32
#define PIECE	    (256u << 10)

static const char *file_name(struct depot_call *c, const char *id)
{
	return arena_printf(c->a, "up-%s", id);
}

static int say(struct depot_call *c, int status, const char *id, uint64_t size, struct err *e)
{
	exchange_field(c->x, "Location", "/v2/%s/blobs/uploads/%s", c->name, id);
	exchange_field(c->x, "Docker-Upload-UUID", "%s", id);
	exchange_field(c->x, "Range", "0-%" PRIu64, size ? size - 1 : 0);
	return exchange_send(c->x, status, NULL, NULL, 0, e);
}

static int created(struct depot_call *c, const char *digest, struct err *e)
{
	exchange_field(c->x, "Location", "/v2/%s/blobs/%s", c->name, digest);
	exchange_field(c->x, "Docker-Content-Digest", "%s", digest);
	return exchange_send(c->x, 201, NULL, NULL, 0, e);
}

/* How many there are; those that nobody goes on with are removed. */
static unsigned int count(struct depot_call *c)
{
	int fd = fcntl(stage_fd(c->d->stage), F_DUPFD_CLOEXEC, 3);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned int n = 0;
	struct dirent *de;

	if (!d)
		return UPLOADS_MAX;
	rewinddir(d); /* the offset is shared with the descriptor it was copied from */
	while ((de = readdir(d))) {
		struct stat st;

		if (!str_after(de->d_name, "up-") ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (st.st_mtime + UPLOAD_AGE < time(NULL))
			unlinkat(fd, de->d_name, 0);
		else
			n++;
	}
	closedir(d);
	return n;
}

/* ---- bytes ---- */

/* Append the request's body. */
static int append(struct depot_call *c, int fd, uint64_t have, struct err *e)
{
	auto_free char *b = malloc(PIECE);
	ssize_t n;

	if (!b)
		abort();
	while ((n = exchange_read(c->x, b, PIECE, e)) > 0) {
		have += (uint64_t)n;
		if (have > OCI_BLOB_MAX)
			return err_set(e, ERR_LIMIT, "a blob has at most %llu bytes", OCI_BLOB_MAX);
		errno = -fd_write_all(fd, b, (size_t)n);
		if (errno)
			return err_sys(e, "cannot write to the store");
	}
	return n < 0 ? (int)n : 0;
}

static int hash(int fd, char digest[DIGEST_LEN + 1], uint64_t *size, struct err *e)
{
	auto_free char *b = malloc(PIECE);
	unsigned char sum[32];
	struct sha256 h;
	ssize_t n;

	if (!b)
		abort();
	*size = 0;
	sha256_init(&h);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "lseek");
	while ((n = fd_read_full(fd, b, PIECE)) > 0) {
		sha256_add(&h, b, (size_t)n);
		*size += (uint64_t)n;
	}
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "cannot read what was uploaded");
	}
	sha256_done(&h, sum);
	digest_print(sum, digest);
	return 0;
}

static int publish(struct depot_call *c, const char *id, const char *digest, uint64_t size,
		   struct err *e)
{
	auto_fd int lock = store_lock(c->d->s, STORE_SHARED, e);
	int r = lock;

	if (r >= 0)
		r = stage_lease(c->d->stage, STAGE_BLOB, digest_hex(digest), e);
	if (r < 0)
		return r;
	if (blob_have(c->d->s, digest, size)) {
		unlinkat(stage_fd(c->d->stage), file_name(c, id), 0);
		return 0;
	}
	r = blob_adopt(c->d->stage, file_name(c, id), digest, e);
	if (r >= 0)
		r = blob_commit(c->d->s, c->d->stage, digest, size, e);
	/* Another connection may have brought the same at the same time. */
	return r < 0 && blob_have(c->d->s, digest, size) ? 0 : r;
}

static int finish(struct depot_call *c, int fd, const char *id, struct err *e)
{
	const char *want = http_request_query(&c->x->request, "digest", c->a);
	char have[DIGEST_LEN + 1];
	uint64_t size;
	int r;

	if (!want || !digest_valid(want))
		return depot_refuse(c, 400, "DIGEST_INVALID", "a sha256 digest is wanted", e);
	r = hash(fd, have, &size, e);
	if (r < 0)
		return r;
	if (!streq(have, want)) {
		unlinkat(stage_fd(c->d->stage), file_name(c, id), 0);
		return depot_refuse(c, 400, "DIGEST_INVALID", "the bytes have another digest", e);
	}
	r = publish(c, id, want, size, e);
	return r < 0 ? r : created(c, want, e);
}

/* ---- requests ---- */

static int new_upload(struct depot_call *c, char id[ID_LEN + 1], struct err *e)
{
	unsigned char raw[ID_LEN / 2];
	int fd;

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return err_sys(e, "getrandom");
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(id + 2 * i, 3, "%02x", raw[i]);
	fd = openat(stage_fd(c->d->stage), file_name(c, id),
		    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, "cannot write to the store") : fd;
}

int depot_upload_begin(struct depot_call *c, struct err *e)
{
	const char *mount = http_request_query(&c->x->request, "mount", c->a);
	auto_fd int fd = -1;
	char id[ID_LEN + 1];
	int r;

	/* All repositories are one store. */
	if (mount && digest_valid(mount)) {
		auto_fd int lock = store_lock(c->d->s, STORE_SHARED, e);

		r = lock < 0 ? lock : stage_lease(c->d->stage, STAGE_BLOB, digest_hex(mount), e);
		if (r < 0)
			return r;
		if (blob_have(c->d->s, mount, 0))
			return created(c, mount, e);
	}
	if (count(c) >= UPLOADS_MAX)
		return depot_refuse(c, 429, "TOOMANYREQUESTS", "too many uploads at once", e);
	fd = new_upload(c, id, e);
	if (fd < 0)
		return fd;
	if (!http_request_query(&c->x->request, "digest", c->a))
		return say(c, 202, id, 0, e);
	r = append(c, fd, 0, e);
	return r < 0 ? r : finish(c, fd, id, e);
}

/* "0-99" as the specification writes it, or "bytes 0-99/..." as HTTP does. */
static bool begins_at(const struct depot_call *c, uint64_t have)
{
	const char *v = http_request_field(&c->x->request, "Content-Range");

	if (!v)
		return true;
	v = str_after(v, "bytes ") ? str_after(v, "bytes ") : v;
	return strtoull(v, NULL, 10) == have;
}

static int grow(struct depot_call *c, int fd, struct err *e)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat");
	if (!begins_at(c, (uint64_t)st.st_size)) {
		flock(fd, LOCK_UN);
		exchange_field(c->x, "Range", "0-%" PRIu64,
			       st.st_size ? (uint64_t)st.st_size - 1 : 0);
		return depot_refuse(c, 416, "BLOB_UPLOAD_INVALID", "that is not what comes next",
				    e);
	}
	r = append(c, fd, (uint64_t)st.st_size, e);
	if (r < 0)
		return r;
	if (streq(c->method, "PUT"))
		return finish(c, fd, c->ref, e);
	/* The next piece may come as soon as this one is answered, to another process. */
	flock(fd, LOCK_UN);
	return fstat(fd, &st) < 0 ? err_sys(e, "fstat")
				  : say(c, 202, c->ref, (uint64_t)st.st_size, e);
}

int depot_upload_step(struct depot_call *c, struct err *e)
{
	auto_fd int fd = -1;
	struct stat st;

	if (strlen(c->ref) == ID_LEN && strspn(c->ref, "0123456789abcdef") == ID_LEN)
		fd = openat(stage_fd(c->d->stage), file_name(c, c->ref),
			    O_RDWR | O_APPEND | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return depot_refuse(c, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload", e);
	if (streq(c->method, "GET") || streq(c->method, "HEAD"))
		return say(c, 204, c->ref, (uint64_t)st.st_size, e);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return depot_refuse(c, 409, "BLOB_UPLOAD_INVALID", "another request feeds it", e);
	if (streq(c->method, "DELETE")) {
		unlinkat(stage_fd(c->d->stage), file_name(c, c->ref), 0);
		return exchange_send(c->x, 204, NULL, NULL, 0, e);
	}
	if (streq(c->method, "PATCH") || streq(c->method, "PUT"))
		return grow(c, fd, e);
	return depot_refuse(c, 405, "UNSUPPORTED", "this method is not known here", e);
}
