/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct name {
	char s[96];
};

static struct name published(const char *digest)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "blobs/sha256/%s", digest_hex(digest));
	return n;
}

static struct name staged(const char *digest)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "blob-%s", digest ? digest_hex(digest) : "new");
	return n;
}

int blob_open(const struct store *s, const char *digest, struct err *e)
{
	int fd = openat(s->root_fd, published(digest).s, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "blob %.19s", digest) : fd;
}

uint64_t blob_size(const struct store *s, const char *digest)
{
	struct stat st;

	return fstatat(s->root_fd, published(digest).s, &st, 0) < 0 ? 0 : (uint64_t)st.st_size;
}

bool blob_have(const struct store *s, const char *digest, uint64_t size)
{
	struct stat st;

	return fstatat(s->root_fd, published(digest).s, &st, 0) == 0 &&
	       (!size || (uint64_t)st.st_size == size);
}

int blob_read(const struct store *s, const char *digest, size_t max, char **data, size_t *len,
	      struct err *e)
{
	auto_fd int fd = blob_open(s, digest, e);
	auto_free char *p = NULL;
	unsigned char sum[32];
	char have[DIGEST_LEN + 1];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_slurp(fd, max, &p);
	if (n == -EFBIG)
		return err_set(e, ERR_LIMIT, "blob %.19s has more than %zu bytes", digest, max);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "blob %.19s", digest);
	}
	sha256_of(p, (size_t)n, sum);
	digest_print(sum, have);
	if (!streq(have, digest))
		return err_set(e, ERR_CORRUPT,
			       "blob %.19s was damaged on disk; pull the image again", digest);
	*data = take_ptr(&p);
	*len = (size_t)n;
	return 0;
}

int blob_put(struct store *s, struct stage *st, const void *data, size_t len, char *digest_out,
	     struct err *e)
{
	char digest[DIGEST_LEN + 1];
	unsigned char sum[32];
	auto_free char *old = NULL;
	auto_fd int fd = -1;
	size_t old_len = 0;
	int r;

	sha256_of(data, len, sum);
	digest_print(sum, digest);
	r = stage_lease(st, STAGE_BLOB, digest_hex(digest), e);
	if (r < 0)
		return r;
	/* A build that changes nothing waits for no disk; a damaged one is written again. */
	if (blob_read(s, digest, len, &old, &old_len, NULL) == 0) {
		memcpy(digest_out, digest, sizeof(digest));
		return 0;
	}
	fd = blob_stage(st, digest, e);
	if (fd < 0)
		return fd;
	errno = -fd_write_all(fd, data, len);
	if (errno)
		return err_sys(e, "cannot write to '%s'", s->root);
	r = blob_commit(s, st, digest, len, e);
	if (r == 0)
		memcpy(digest_out, digest, sizeof(digest));
	return r;
}

int blob_stage(struct stage *st, const char *digest, struct err *e)
{
	int fd = fault_point("blob-stage");

	if (fd == 0)
		fd = openat(stage_fd(st), staged(digest).s, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0600);

	return fd < 0 ? err_sys(e, "cannot write to the store") : fd;
}

int blob_adopt(struct stage *st, const char *file, const char *digest, struct err *e)
{
	if (renameat(stage_fd(st), file, stage_fd(st), staged(digest).s) < 0)
		return err_sys(e, "blob %.19s", digest);
	return 0;
}

int blob_identify(struct stage *st, const char *digest, struct err *e)
{
	return blob_adopt(st, staged(NULL).s, digest, e);
}

int blob_commit(struct store *s, struct stage *st, const char *digest, uint64_t size, struct err *e)
{
	auto_fd int fd = openat(stage_fd(st), staged(digest).s, O_RDONLY | O_CLOEXEC);
	auto_fd int dir = -1;
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) < 0)
		return err_sys(e, "blob %.19s", digest);
	if ((uint64_t)sb.st_size != size)
		return err_set(e, ERR_CORRUPT, "blob %.19s has %llu bytes, expected %llu", digest,
			       (unsigned long long)sb.st_size, (unsigned long long)size);
	/* Synced before it has its name (SAFETY.md, rule 1): a power cut leaves it whole or absent.
	 */
	if (fault_point("blob-sync") < 0 || fdatasync(fd) < 0 || fault_point("blob-rename") < 0 ||
	    renameat(stage_fd(st), staged(digest).s, s->root_fd, published(digest).s) < 0)
		return err_sys(e, "blob %.19s", digest);
	dir = store_dir(s, "blobs/sha256", e);
	if (dir < 0)
		return dir;
	if (fault_point("blob-dirsync") < 0 || fsync(dir) < 0)
		return err_sys(e, "blob %.19s", digest);
	return 0;
}

int blob_remove(const struct store *s, const char *digest)
{
	if (fault_point("blob-unlink") < 0)
		return -errno;
	if (unlinkat(s->root_fd, published(digest).s, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}
