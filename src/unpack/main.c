/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-unpack - one layer blob into one EROFS image or one directory; or the metadata of several
 * layers into one image.  Lives for one layer; has a blob in, an output, nothing else: no network,
 * no names in the file system, no credentials, as root not even root's identity (unpack/jail.h).
 * Parses hostile bytes from: image authors.
 *
 *   caisson-unpack --out FD [options]            read a layer, write an EROFS image (empty file,
 * O_RDWR) caisson-unpack --out-dir FD [options]        the same into an empty directory
 *   caisson-unpack --merge OUT LAYER...          layers (images made by us, bottom first) into a
 * new file
 *
 * stdout: one JSON object.  --err-fd: on failure one struct err (base/err.h), else its text on
 * stderr. Exit codes: 0, 1 failure, 2 usage.  The protocol is described in
 * docs/protocols/unpack.md.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/limits.h"
#include "sys/fd.h"
#include "unpack/dir_sink.h"
#include "unpack/erofs_data.h"
#include "unpack/erofs_meta.h"
#include "unpack/jail.h"
#include "unpack/merge.h"
#include "unpack/sink.h"
#include "unpack/spill.h"
#include "unpack/stream.h"
#include "unpack/tree.h"
#include "unpack/untar.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum marks { MARKS_TRUSTED, MARKS_USER };

struct args {
	int64_t in, out, out_dir, err_fd, progress_fd, spill, blob_size;
	const char *blob_digest, *diff_id;
	uint64_t max_size;
	int marks;
	bool merge, archive;
};

static const char *const marks_names[] = {"trusted", "user", NULL};

#define FD_OPT(field, name_, preset_, help_)                                                       \
	OPT(struct args, field, .name = name_, .type = OPT_INT, .arg = "FD", .min = -1,            \
	    .max = 1 << 20, .preset = preset_, .help = help_)

static const struct opt opts[] = {
    OPT(struct args, archive, .name = "archive", .type = OPT_BOOL,
	.help = "it may be compressed with xz or bzip2, as archives are and layers are not"),
    FD_OPT(in, "in", "0", "read the blob from this descriptor"),
    FD_OPT(out, "out", "-1", "write an EROFS image to this descriptor, an empty file"),
    FD_OPT(out_dir, "out-dir", "-1", "fill the empty directory open on this descriptor"),
    FD_OPT(err_fd, "err-fd", "-1", "write a failure there, as a struct err"),
    FD_OPT(progress_fd, "progress-fd", "-1", "write lines '<blob bytes> <tar bytes>' there"),
    FD_OPT(spill, "spill", "-1", "an empty file to keep names in that memory should not hold"),
    OPT(struct args, blob_digest, .name = "blob-digest", .type = OPT_STR, .arg = "SHA256",
	.help = "what the blob must be"),
    OPT(struct args, blob_size, .name = "blob-size", .type = OPT_INT, .arg = "BYTES", .min = -1,
	.max = INT64_MAX, .preset = "-1", .help = "how long it must be"),
    OPT(struct args, diff_id, .name = "diff-id", .type = OPT_STR, .arg = "SHA256",
	.help = "what the uncompressed tar must be"),
    OPT(struct args, max_size, .name = "max-size", .type = OPT_BYTES, .arg = "BYTES",
	.preset = "64g", .help = "largest uncompressed tar that is accepted"),
    OPT(struct args, marks, .name = "marks", .type = OPT_ENUM, .values = marks_names,
	.arg = "trusted|user", .preset = "trusted",
	.help = "overlay attributes for a mount by root, or with the option userxattr"),
    OPT(struct args, merge, .name = "merge", .type = OPT_BOOL,
	.help = "make one metadata image of layer images"),
    OPT_END,
};

static const char *opaque_name(const struct args *a)
{
	return a->marks == MARKS_USER ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

/* "sha256:<64 hex>" to the 16 bytes of a version 8 UUID (RFC 9562: custom). */
static void uuid_of(const char *digest, uint8_t uuid[16])
{
	const char *hex = digest_hex(digest);

	for (int i = 0; i < 16; i++) {
		unsigned int byte = 0;

		sscanf(hex + 2 * i, "%2x", &byte);
		uuid[i] = (uint8_t)byte;
	}
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static ssize_t next_piece(void *arg, const void **data, struct err *e)
{
	return stream_next(arg, data, e);
}

static int print(const struct buf *b, struct err *e)
{
	int n = fd_write_all(STDOUT_FILENO, b->p, b->len);

	if (n < 0) {
		errno = -n;
		return err_sys(e, "write the result");
	}
	return 0;
}

static int print_result(const struct stream_result *r, const struct untar_stats *st, uint64_t size,
			struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b,
		   "{\"diffId\":\"%s\",\"blobDigest\":\"%s\",\"blobSize\":%llu,\"size\":%llu,"
		   "\"entries\":%llu,\"tarSize\":%llu,\"droppedXattrs\":%llu,\"skipped\":%llu,",
		   r->diff_id, r->blob_digest, (unsigned long long)r->blob_size,
		   (unsigned long long)size, (unsigned long long)st->entries,
		   (unsigned long long)r->tar_size, (unsigned long long)st->dropped_xattrs,
		   (unsigned long long)st->skipped);
	/* Inflating includes reading the blob; writing is everything that this thread did. */
	buf_printf(&b,
		   "\"cpuNs\":{\"blobHash\":%lld,\"inflate\":%lld,\"tarHash\":%lld,"
		   "\"write\":%lld}}\n",
		   (long long)r->blob_hash_ns, (long long)r->inflate_ns, (long long)r->tar_hash_ns,
		   (long long)stream_cpu_ns());
	return print(&b, e);
}

/* The layer into tree and sink, compared with what was promised. */
static int read_layer(const struct args *a, struct tree *t, const struct sink *sink,
		      struct untar_stats *stats, struct stream_result *result, struct err *e)
{
	struct stream_opts so = {
	    .in_fd = (int)a->in,
	    .progress_fd = (int)a->progress_fd,
	    .max_bytes = a->max_size,
	    .blob_digest = a->blob_digest,
	    .blob_size = a->blob_size,
	    .diff_id = a->diff_id,
	    .any_codec = a->archive,
	};
	struct tarread_source src = {.next = next_piece};
	struct stream *s;
	int r = stream_open(&so, &s, e);

	if (r < 0)
		return r;
	src.arg = s;
	r = untar_run(&src, t, sink, stats, e);
	/* When it went wrong the threads are left alone: they may wait for a slow input, and the
	 * process is about to end. */
	if (r < 0)
		return r;
	r = stream_finish(s, result, e);
	if (r >= 0)
		stream_close(s);
	return r;
}

static int to_image(const struct args *a, struct err *e)
{
	auto_tree struct tree t = {0};
	struct erofs_meta_opts mo = {.opaque_xattr = opaque_name(a)};
	struct untar_stats stats = {0};
	struct stream_result result;
	struct erofs_data *d;
	struct sink sink;
	uint64_t size;
	int r;

	tree_init(&t, spill_new((int)a->spill));
	r = erofs_data_new((int)a->out, &t, &d, e);
	if (r < 0)
		return r;
	erofs_data_sink(d, &sink);
	r = read_layer(a, &t, &sink, &stats, &result, e);
	if (r >= 0) {
		uuid_of(result.diff_id, mo.uuid);
		r = erofs_meta_write(&t, d, &mo, &size, e);
	}
	erofs_data_free(d);
	return r < 0 ? r : print_result(&result, &stats, size, e);
}

static int to_directory(const struct args *a, struct err *e)
{
	auto_tree struct tree t = {0};
	struct dir_sink_stats written;
	struct untar_stats stats = {0};
	struct stream_result result;
	struct dir_sink *d;
	struct sink sink;
	int r;

	tree_init(&t, spill_new((int)a->spill));
	r = dir_sink_new((int)a->out_dir, &d, e);
	if (r < 0)
		return r;
	dir_sink_ops(d, &sink);
	r = read_layer(a, &t, &sink, &stats, &result, e);
	if (r >= 0)
		r = dir_sink_finish(d, &t, opaque_name(a), &written, e);
	dir_sink_free(d);
	if (r < 0)
		return r;
	stats.dropped_xattrs += written.dropped_xattrs;
	stats.skipped += written.dropped_nodes;
	return print_result(&result, &stats, written.bytes, e);
}

static int check_args(const struct args *a, int operands, struct err *e)
{
	if (a->blob_digest && !digest_valid(a->blob_digest))
		return err_set(e, ERR_USAGE, "--blob-digest wants sha256:<64 hex digits>, not '%s'",
			       a->blob_digest);
	if (a->diff_id && !digest_valid(a->diff_id))
		return err_set(e, ERR_USAGE, "--diff-id wants sha256:<64 hex digits>, not '%s'",
			       a->diff_id);
	if (operands)
		return err_set(e, ERR_USAGE, "no operands are expected");
	if ((a->out >= 0) + (a->out_dir >= 0) != 1)
		return err_set(e, ERR_USAGE, "one of --out and --out-dir is needed");
	return 0;
}

static int unpack(const struct args *a, struct err *e)
{
	int keep[] = {(int)a->in,     (int)a->out,	   (int)a->out_dir,
		      (int)a->err_fd, (int)a->progress_fd, (int)a->spill};
	struct jail_opts jo = {
	    .keep_fds = keep,
	    .n_keep = sizeof(keep) / sizeof(keep[0]),
	    .dir_fd = (int)a->out_dir,
	    .trusted_xattrs = a->marks == MARKS_TRUSTED,
	};
	int r = stream_prepare(e);

	if (r < 0)
		return r;
	r = jail_enter(&jo, e);
	if (r < 0)
		return r;
	return a->out_dir >= 0 ? to_directory(a, e) : to_image(a, e);
}

static int print_merged(const struct merge_result *m, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b, "{\"size\":%llu,\"blocks\":%llu,\"entries\":%llu}\n",
		   (unsigned long long)m->size, (unsigned long long)m->blocks,
		   (unsigned long long)m->entries);
	return print(&b, e);
}

static int merge(struct args *a, size_t n, char **paths, struct err *e)
{
	struct merge_layer layers[LIMIT_LAYERS];
	struct jail_opts jo = {.dir_fd = -1};
	struct merge_result result;
	int r, keep[2];

	if (a->out < 0 && n) {
		a->out = open(paths[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (a->out < 0)
			return err_sys(e, "'%s'", paths[0]);
		paths++;
		n--;
	}
	if (a->out < 0 || n == 0 || n > LIMIT_LAYERS)
		return err_set(e, ERR_USAGE, "--merge wants an output and 1 to %d layers",
			       LIMIT_LAYERS);
	for (size_t i = 0; i < n; i++) {
		r = merge_map(paths[i], &layers[i], e);
		if (r < 0)
			return r;
	}
	keep[0] = (int)a->out;
	keep[1] = (int)a->err_fd;
	jo.keep_fds = keep;
	jo.n_keep = 2;
	r = jail_enter(&jo, e);
	if (r >= 0)
		r = merge_write(layers, n, (int)a->out, &result, e);
	return r < 0 ? r : print_merged(&result, e);
}

static int run(struct args *a, int argc, char **argv, struct err *e)
{
	int first = opt_parse(opts, argc, argv, OPT_MIXED, a, e), r;

	if (first < 0)
		return first;
	if (a->merge)
		return merge(a, (size_t)(argc - first), argv + first, e);
	r = check_args(a, argc - first, e);
	return r < 0 ? r : unpack(a, e);
}

static int help(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	buf_puts(&b, "caisson-unpack --out FD | --out-dir FD | --merge OUT LAYER...\n\n");
	opt_help(opts, &b);
	return fd_write_all(STDOUT_FILENO, b.p, b.len) < 0;
}

int main(int argc, char **argv)
{
	struct args a = {.err_fd = -1};
	struct err e = ERR_INIT;
	char text[600];
	int r, n;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = run(&a, argc, argv, &e);
	if (r == -ECANCELED && e.kind == ERR_CANCELED && a.err_fd < 0)
		return help();
	if (r < 0) {
		if (a.err_fd >= 0) {
			(void)!write((int)a.err_fd, &e, sizeof(e));
		} else {
			n = snprintf(text, sizeof(text), "caisson-unpack: %s\n", e.msg);
			(void)!write(STDERR_FILENO, text, (size_t)n);
		}
	}
	/* _exit: after a failure other threads may still be reading. */
	_exit(r >= 0 ? 0 : e.kind == ERR_USAGE ? 2 : 1);
}
