/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_fetch.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define PROGRAM	  "caisson-fetch"
#define SOCK_FD	  3
#define FILE_FD	  4
#define CONFIG_FD 5
#define FIRST_ID  (1ull << 32) /* ids of our own requests; those of blobs are the caller's */

struct image_fetch {
	pid_t pid;
	int sock;
	uint64_t id;
};

int image_fetch_start(struct store *s, const struct image_fetch_source *src,
		      struct image_fetch **out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *path = store_helper(s, PROGRAM, &a);
	struct image_fetch *f = calloc(1, sizeof(*f));
	auto_fd int theirs = -1;
	struct strs args = {0};
	struct child_fd fds[3];
	struct child_opts o = {.path = path, .env = child_environ(), .fds = fds};
	int pair[2];

	if (!f)
		abort();
	*f = (struct image_fetch){.pid = -1, .sock = -1, .id = FIRST_ID};
	if (!path || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(f);
		return path ? err_sys(e, "socketpair")
			    : err_set(e, ERR_NOT_FOUND, "the program " PROGRAM " is not installed");
	}
	f->sock = pair[0];
	theirs = pair[1];
	arena_strs_add(&a, &args, PROGRAM);
	arena_strs_add(&a, &args, "--sock=3");
	arena_strs_add(&a, &args, arena_printf(&a, "--transport=%s", src->transport));
	fds[o.nfds++] = (struct child_fd){theirs, SOCK_FD};
	if (src->host) {
		arena_strs_add(&a, &args, arena_printf(&a, "--host=%s", src->host));
		arena_strs_add(&a, &args,
			       src->login ? "--login"
			       : src->search
				   ? "--search"
				   : arena_printf(&a, "--repository=%s", src->repository));
		if (store_credentials(s) >= 0) {
			arena_strs_add(&a, &args, "--config=5");
			fds[o.nfds++] = (struct child_fd){store_credentials(s), CONFIG_FD};
		}
		if (src->remove)
			arena_strs_add(&a, &args, "--remove");
		if (src->push)
			arena_strs_add(&a, &args, "--push");
		for (size_t i = 0; i < src->from.n; i++)
			arena_strs_add(&a, &args, arena_printf(&a, "--from=%s", src->from.v[i]));
	} else if (!streq(src->transport, "web")) {
		arena_strs_add(&a, &args, "--file=4");
		fds[o.nfds++] = (struct child_fd){src->file, FILE_FD};
	}
	o.argv = args.v;
	f->pid = child_start(&o);
	if (f->pid < 0) {
		errno = -f->pid;
		err_sys(e, "cannot start " PROGRAM);
		image_fetch_stop(f);
		return -EIO;
	}
	*out = f;
	return 0;
}

void image_fetch_stop(struct image_fetch *f)
{
	if (!f)
		return;
	fd_close(f->sock);
	child_kill(f->pid);
	free(f);
}

int image_fetch_fd(const struct image_fetch *f)
{
	return f->sock;
}

static int gone(struct err *e)
{
	return err_set(e, ERR_SYSTEM, PROGRAM " ended unexpectedly");
}

static int ask(struct image_fetch *f, const struct fetch_msg *m, const int *fds, size_t n,
	       struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FETCH_PACKET_MAX);
	int r;

	fetch_print(m, &text);
	r = buf_fail(&text, "request to " PROGRAM, e);
	if (r < 0)
		return r;
	return sock_send_fds(f->sock, text.p, text.len, fds, n) < 0 ? gone(e) : 0;
}

int image_fetch_next(struct image_fetch *f, struct arena *a, struct fetch_msg *out, struct err *e)
{
	char text[FETCH_PACKET_MAX];
	size_t nfds = 0;
	ssize_t n = sock_recv_fds(f->sock, text, sizeof(text), NULL, &nfds);

	return n <= 0 ? gone(e) : fetch_parse(text, (size_t)n, a, out, e);
}

/* One request whose answer is waited for, its document in a memory file. */
static int call(struct image_fetch *f, struct fetch_msg *m, size_t max, struct arena *a,
		struct fetch_msg *answer, struct image_fetch_doc *doc, struct err *e)
{
	auto_fd int mem = memfd_create("document", MFD_CLOEXEC);
	auto_free char *text = NULL;
	ssize_t n;
	int r;

	if (mem < 0)
		return err_sys(e, "memfd");
	m->id = f->id++;
	r = ask(f, m, &mem, 1, e);
	do
		r = r < 0 ? r : image_fetch_next(f, a, answer, e);
	while (r >= 0 && (answer->id != m->id || streq(answer->op, "got")));
	if (r >= 0 && !streq(answer->op, "ok"))
		r = fetch_to_err(answer, e);
	if (r < 0)
		return r;
	if (lseek(mem, 0, SEEK_SET) < 0)
		return err_sys(e, "memfd");
	n = fd_slurp(mem, max, &text);
	if (n < 0)
		return n == -EFBIG
			   ? err_set(e, ERR_LIMIT, "a document has more than %zu bytes", max)
			   : (int)n;
	doc->text = arena_dupn(a, text, (size_t)n);
	doc->len = (size_t)n;
	return 0;
}

int image_fetch_list(struct image_fetch *f, struct arena *a, struct fetch_list *out, struct err *e)
{
	struct fetch_msg m = {.op = "list"}, answer;
	struct image_fetch_doc doc = {0};
	int r = call(f, &m, FETCH_LIST_MAX, a, &answer, &doc, e);

	return r < 0 ? r : fetch_parse_list(doc.text, doc.len, a, out, e);
}

/* The program hashed too, but it also reads what strangers send; this is cheap. */
static int check(struct image_fetch_doc *doc, const char *wanted, struct arena *a, struct err *e)
{
	char digest[DIGEST_LEN + 1];
	unsigned char sum[32];

	sha256_of(doc->text, doc->len, sum);
	digest_print(sum, digest);
	if (wanted && digest_valid(wanted) && !streq(wanted, digest))
		return err_set(e, ERR_CORRUPT, "%.19s: wrong digest, the bytes have %.19s", wanted,
			       digest);
	doc->digest = arena_dup(a, digest);
	return 0;
}

int image_fetch_manifest(struct image_fetch *f, const char *ref, struct arena *a,
			 struct image_fetch_doc *out, struct err *e)
{
	struct fetch_msg m = {.op = "manifest", .ref = ref}, answer;
	struct image_fetch_doc doc = {0};
	int r = call(f, &m, OCI_MANIFEST_MAX, a, &answer, &doc, e);

	if (r >= 0)
		r = check(&doc, ref, a, e);
	if (r < 0)
		return r;
	doc.media_type = answer.media_type;
	*out = doc;
	return 0;
}

int image_fetch_document(struct image_fetch *f, const char *digest, size_t size, size_t max,
			 struct arena *a, struct image_fetch_doc *out, struct err *e)
{
	struct fetch_msg m = {.op = "blob", .digest = digest, .size = size}, answer;
	struct image_fetch_doc doc = {0};
	int r = call(f, &m, max, a, &answer, &doc, e);

	if (r >= 0)
		r = check(&doc, digest, a, e);
	if (r >= 0)
		*out = doc;
	return r;
}

int image_fetch_blob(struct image_fetch *f, uint64_t id, const char *digest, uint64_t size,
		     uint64_t have, int file, int pipe, struct err *e)
{
	struct fetch_msg m = {.id = id, .op = "blob", .digest = digest, .size = size, .have = have};
	int fds[2] = {file, pipe};

	return ask(f, &m, fds, pipe < 0 ? 1 : 2, e);
}

int image_fetch_push(struct image_fetch *f, uint64_t id, const struct image_fetch_push *p,
		     struct err *e)
{
	struct fetch_msg m = {.id = id,
			      .op = p->ref ? "push-manifest" : "push-blob",
			      .digest = p->digest,
			      .from = p->from,
			      .ref = p->ref,
			      .media_type = p->media_type,
			      .size = p->size};

	return ask(f, &m, &p->file, 1, e);
}

int image_fetch_login(struct image_fetch *f, const char *user, const char *secret, struct err *e)
{
	struct fetch_msg m = {.id = f->id++, .op = "login", .user = user, .secret = secret};
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg answer;
	int r = ask(f, &m, NULL, 0, e);

	if (r >= 0)
		r = image_fetch_next(f, &a, &answer, e);
	if (r < 0)
		return r;
	return streq(answer.op, "ok") ? 0 : fetch_to_err(&answer, e);
}

int image_fetch_referrers(struct image_fetch *f, const char *digest, const char *artifact_type,
			  struct arena *a, struct image_fetch_doc *out, struct err *e)
{
	struct fetch_msg m = {.op = "referrers", .digest = digest, .media_type = artifact_type};
	struct image_fetch_doc doc = {0};
	struct fetch_msg answer;
	int r = call(f, &m, OCI_MANIFEST_MAX, a, &answer, &doc, e);

	if (r >= 0)
		*out = doc;
	return r;
}

int image_fetch_search(struct image_fetch *f, const char *term, uint64_t limit, struct arena *a,
		       struct fetch_search *out, struct err *e)
{
	struct fetch_msg m = {.op = "search", .ref = term, .size = limit}, answer;
	struct image_fetch_doc doc = {0};
	int r = call(f, &m, FETCH_FOUND_MAX, a, &answer, &doc, e);

	return r < 0 ? r : fetch_parse_search(doc.text, doc.len, a, out, e);
}

int image_fetch_remove(struct image_fetch *f, const char *ref, struct arena *a,
		       const char **removed, struct err *e)
{
	struct fetch_msg m = {.id = f->id++, .op = "remove", .ref = ref};
	struct fetch_msg answer;
	int r = ask(f, &m, NULL, 0, e);

	if (r >= 0)
		r = image_fetch_next(f, a, &answer, e);
	if (r >= 0 && !streq(answer.op, "ok"))
		r = fetch_to_err(&answer, e);
	if (r >= 0)
		*removed = answer.how ? answer.how : ref;
	return r;
}

int image_fetch_have(struct image_fetch *f, const char *digest, uint64_t size, const char *from,
		     struct err *e)
{
	struct fetch_msg m = {
	    .id = f->id++, .op = "have", .digest = digest, .size = size, .from = from};
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg answer;
	int r = ask(f, &m, NULL, 0, e);

	if (r >= 0)
		r = image_fetch_next(f, &a, &answer, e);
	if (r >= 0 && !streq(answer.op, "ok"))
		r = fetch_to_err(&answer, e);
	return r < 0 ? r : !answer.how || !streq(answer.how, "absent");
}

int image_fetch_get(struct image_fetch *f, const char *url, int file, struct arena *a,
		    struct image_fetch_got *out, struct err *e)
{
	struct fetch_msg m = {.id = f->id++, .op = "get", .ref = url};
	struct fetch_msg answer;
	int r = ask(f, &m, &file, 1, e);

	do
		r = r < 0 ? r : image_fetch_next(f, a, &answer, e);
	while (r >= 0 && (answer.id != m.id || streq(answer.op, "got")));
	if (r >= 0 && !streq(answer.op, "ok"))
		r = fetch_to_err(&answer, e);
	if (r >= 0 && (!answer.digest || !digest_valid(answer.digest)))
		r = err_set(e, ERR_CORRUPT, PROGRAM " says no digest of what it fetched");
	if (r >= 0)
		*out =
		    (struct image_fetch_got){answer.digest, answer.size, (int64_t)answer.modified};
	return r;
}

int image_fetch_wait(struct image_fetch *f, uint64_t id, void (*report)(void *arg, uint64_t moved),
		     void *arg, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg m;
	int r;

	for (;;) {
		r = image_fetch_next(f, &a, &m, e);
		if (r < 0)
			return r;
		if (m.id == id && !streq(m.op, "got"))
			return streq(m.op, "ok") ? 0 : fetch_to_err(&m, e);
		if (m.id == id && report)
			report(arg, m.size);
	}
}
