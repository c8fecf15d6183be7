/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp_cache.h"
#include "base/auto.h"
#include "base/buf.h"
#include "runtime/seccomp.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Native byte order: the key holds the architecture, and the file never leaves the machine. */
struct head {
	char magic[8];
	uint32_t version;
	uint16_t len;
	uint16_t notify;
	unsigned char key[32];
	unsigned char sum[32]; /* of the instructions */
};
static const char magic[8] = "CAISBPF";
#define VERSION 1

void seccomp_cache_name(const struct seccomp_cache_key *key, char out[80])
{
	char *p = out;

	for (size_t i = 0; i < sizeof(key->sum); i++)
		p += snprintf(p, 3, "%02x", key->sum[i]);
	memcpy(p, ".bpf", 5);
}

static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool take(const struct head *h, const char *insns, size_t len,
		 const struct seccomp_cache_key *key, struct seccomp_program *out)
{
	unsigned char sum[32];

	if (memcmp(h->magic, magic, sizeof(magic)) || h->version != VERSION || !h->len ||
	    h->len > BPF_MAXINSNS || len != h->len * sizeof(struct sock_filter) ||
	    memcmp(h->key, key->sum, sizeof(h->key)))
		return false;
	sha256_of(insns, len, sum);
	if (memcmp(sum, h->sum, sizeof(sum)))
		return false;
	out->insns = malloc(len);
	if (!out->insns)
		abort();
	memcpy(out->insns, insns, len);
	out->len = h->len;
	out->notify = h->notify;
	out->cached = true;
	return true;
}

bool seccomp_cache_parse(const char *text, size_t n, const struct seccomp_cache_key *key,
			 struct seccomp_program *out)
{
	struct head h;

	if (n < sizeof(h))
		return false;
	memcpy(&h, text, sizeof(h));
	return take(&h, text + sizeof(h), n - sizeof(h), key, out);
}

bool seccomp_cache_load(const char *dir, const struct seccomp_cache_key *key,
			struct seccomp_program *out)
{
	auto_fd int dir_fd = -1, fd = -1;
	auto_free char *text = NULL;
	char name[80];
	ssize_t n;

	if (!dir)
		return false;
	seccomp_cache_name(key, name);
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !is_ours(fd))
		return false;
	n = fd_slurp(fd, sizeof(struct head) + BPF_MAXINSNS * sizeof(struct sock_filter), &text);
	return n >= 0 && seccomp_cache_parse(text, (size_t)n, key, out);
}

void seccomp_cache_save(const char *dir, const struct seccomp_cache_key *key,
			const struct seccomp_program *sp)
{
	auto_buf struct buf b =
	    BUF_INIT(sizeof(struct head) + BPF_MAXINSNS * sizeof(struct sock_filter));
	struct head h = {.version = VERSION, .len = sp->len, .notify = sp->notify};
	auto_fd int dir_fd = -1;
	char name[80];

	if (!dir || (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return;
	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.key, key->sum, sizeof(h.key));
	sha256_of(sp->insns, sp->len * sizeof(*sp->insns), h.sum);
	buf_add(&b, &h, sizeof(h));
	buf_add(&b, sp->insns, sp->len * sizeof(*sp->insns));
	seccomp_cache_name(key, name);
	(void)file_replace(dir_fd, name, b.p, b.len, 0600, FILE_LAZY);
}
