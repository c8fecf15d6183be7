/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/signature_gate.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/helper.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_TYPE   "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIGNATURE_NOTE "dev.cosignproject.cosign/signature"
#define KEY_MAX	       (64u << 10)
#define TRIES_MAX      64 /* signatures of one image that are looked at */

/* ---- before anything is fetched ---- */

/* Of files: the file and the directories above it. */
static void path_scopes(const char *path, struct arena *a, struct strs *out)
{
	auto_free char *real = path ? realpath(path, NULL) : NULL;
	char *p = real ? arena_dup(a, real) : NULL, *slash;

	while (p && *p) {
		arena_strs_add(a, out, arena_dup(a, p));
		slash = strrchr(p, '/');
		*slash = '\0';
	}
}

static int demand(struct signature_gate *g, const struct sigpolicy_rule *rule, bool registry,
		  struct err *e)
{
	switch ((enum sigpolicy_type)rule->type) {
	case SIGPOLICY_ACCEPT:
		return 0;
	case SIGPOLICY_REJECT:
		return err_set(e, ERR_DENIED, "rejected by '%.150s'", g->file);
	case SIGPOLICY_NOT_CHECKED:
		return err_set(e, ERR_UNSUPPORTED, "'%.150s' demands %s, which is not checked here",
			       g->file, rule->why);
	case SIGPOLICY_SIGSTORE:
		break;
	}
	if (!registry)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%.150s' demands a signature, which only a registry can show",
			       g->file);
	g->rules.v[g->rules.n++] = *rule;
	return 0;
}

int signature_gate_open(const char *file, const struct signature_gate_what *what, struct arena *a,
			struct signature_gate *out, struct err *e)
{
	auto_free char *text = NULL;
	struct signature_gate g = {.file = file, .a = a};
	struct sigpolicy_rules found;
	struct strs scopes = {0};
	ssize_t n;
	int r;

	*out = g;
	if (!file)
		return 0;
	n = file_read(AT_FDCWD, file, SIGPOLICY_MAX, &text);
	errno = n < 0 ? (int)-n : 0;
	if (n < 0)
		return err_sys(e, "signature policy '%.150s'", file);
	if (what->ref) {
		g.asked = *what->ref;
		sigpolicy_scopes(what->ref, a, &scopes);
	} else {
		path_scopes(what->path, a, &scopes);
	}
	r = sigpolicy_find(text, (size_t)n, what->transport, &scopes, a, &found, e);
	if (r < 0)
		return err_wrap(e, r, "signature policy '%.150s'", file);
	g.rules.v = arena_array(a, found.n, sizeof(*g.rules.v));
	for (size_t i = 0; r >= 0 && i < found.n; i++)
		r = demand(&g, &found.v[i], what->ref != NULL, e);
	if (r >= 0)
		*out = g;
	return r;
}

/* ---- signatures ---- */

struct candidate {
	const char *payload, *signature;
	size_t len;
};

struct checking {
	const struct signature_gate *g;
	struct store *s;
	struct image_fetch *f;
	const struct strs *digests;
	struct candidate v[TRIES_MAX];
	size_t n;
	struct err why; /* of the last signature that did not count */
};

/* One image of signatures: the tag that cosign derives from the digest. */
static int collect(struct checking *c, const char *digest, struct err *e)
{
	struct arena *a = c->g->a;
	const char *tag = arena_printf(a, "sha256-%s.sig", digest_hex(digest));
	struct image_fetch_doc doc;
	struct oci_manifest m;
	struct err none = ERR_INIT;
	int r = image_fetch_manifest(c->f, tag, a, &doc, &none);

	if (r < 0 && none.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0) {
		if (e)
			*e = none;
		return r;
	}
	r = oci_image_kind(doc.text, doc.len, doc.media_type, "signatures", e);
	if (r == OCI_INDEX)
		return err_set(e, ERR_CORRUPT, "'%s' is an index", tag);
	if (r >= 0)
		r = oci_image_artifact(doc.text, doc.len, "signatures", a, &m, e);
	for (size_t i = 0; r >= 0 && i < m.layers.n && c->n < TRIES_MAX; i++) {
		const struct oci_descriptor *l = &m.layers.v[i];
		const char *note = jbind_lookup(&l->annotations, SIGNATURE_NOTE);

		if (!note || !l->media_type || !streq(l->media_type, PAYLOAD_TYPE) ||
		    l->size > SIGPOLICY_PAYLOAD_MAX)
			continue;
		r = image_fetch_document(c->f, l->digest, l->size, SIGPOLICY_PAYLOAD_MAX, a, &doc,
					 e);
		if (r >= 0)
			c->v[c->n++] = (struct candidate){doc.text, note, doc.len};
	}
	return r;
}

static int in_memory(const char *name, const void *p, size_t len, struct err *e)
{
	int fd = fd_sealed(name, p, len);

	errno = fd < 0 ? -fd : 0;
	return fd < 0 ? err_sys(e, "%s", name) : fd;
}

/* 1: the key signed it. */
static int signed_by(struct checking *c, const struct candidate *x, const char *pem, size_t len,
		     struct err *e)
{
	auto_fd int key = in_memory("key", pem, len, e);
	auto_fd int payload = in_memory("payload", x->payload, x->len, e);
	auto_fd int signature = in_memory("signature", x->signature, strlen(x->signature), e);
	const char *words[] = {"--key=6", "--payload=7", "--signature=8"};
	struct child_fd fds[] = {{key, 6}, {payload, 7}, {signature, 8}};
	auto_helper struct helper h = HELPER_INIT;
	auto_free char *answer = NULL;
	ssize_t n;
	int r;

	if (key < 0 || payload < 0 || signature < 0)
		return -EIO;
	r = helper_start(c->s, "caisson-verify", &(struct strs){words, 3}, fds, 3, &h, e);
	if (r < 0)
		return r;
	n = helper_finish(&h, 64, &answer, e);
	return n < 0 ? (int)n : streq(answer, "good\n");
}

static int signed_by_any(struct checking *c, const struct sigpolicy_rule *rule,
			 const struct candidate *x, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rule->key_datas.n; i++)
		r = signed_by(c, x, rule->key_datas.v[i], strlen(rule->key_datas.v[i]), e);
	for (size_t i = 0; r == 0 && i < rule->key_paths.n; i++) {
		auto_free char *pem = NULL;
		const char *path = rule->key_paths.v[i];
		ssize_t n = file_read(AT_FDCWD, path, KEY_MAX, &pem);

		errno = n < 0 ? (int)-n : 0;
		if (n < 0)
			return err_sys(e, "key '%.150s'", path);
		r = signed_by(c, x, pem, (size_t)n, e);
		if (r < 0)
			return err_wrap(e, r, "key '%.150s'", path);
	}
	return r;
}

/* Does this signature satisfy the requirement?  1, 0 with the reason in c->why, or an error of
 * ours.  The payload is not even parsed before its signature was found good. */
static int counts(struct checking *c, const struct sigpolicy_rule *rule, const struct candidate *x,
		  struct err *e)
{
	struct sigpolicy_payload said;
	bool same = false;
	int r = signed_by_any(c, rule, x, e);

	if (r < 0)
		return r;
	if (r == 0) {
		err_set(&c->why, ERR_DENIED, "a signature is not by a key of the policy");
		return 0;
	}
	if (sigpolicy_payload(x->payload, x->len, c->g->a, &said, &c->why) < 0)
		return 0;
	for (size_t i = 0; i < c->digests->n; i++)
		same |= streq(c->digests->v[i], said.digest);
	if (!same) {
		err_set(&c->why, ERR_DENIED, "a signature is for another image, %.19s",
			said.digest);
		return 0;
	}
	if (sigpolicy_matches(&rule->identity, &c->g->asked, said.reference, c->g->a))
		return 1;
	err_set(&c->why, ERR_DENIED, "a signature is for the name '%.200s'", said.reference);
	return 0;
}

int signature_gate_check(const struct signature_gate *g, struct store *s, struct image_fetch *f,
			 const struct strs *digests, struct err *e)
{
	struct checking c = {.g = g, .s = s, .f = f, .digests = digests};
	int r = 0;

	if (!g->rules.n)
		return 0;
	err_set(&c.why, ERR_DENIED, "it has no signature");
	for (size_t i = 0; r >= 0 && i < digests->n; i++)
		r = collect(&c, digests->v[i], e);
	for (size_t i = 0; r >= 0 && i < g->rules.n; i++) {
		r = 0;
		for (size_t k = 0; r == 0 && k < c.n; k++)
			r = counts(&c, &g->rules.v[i], &c.v[k], e);
		if (r == 0)
			r = err_set(e, ERR_DENIED, "not signed as '%.150s' demands: %s", g->file,
				    c.why.msg);
	}
	return r < 0 ? err_wrap(e, r, "signature") : 0;
}
