/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mirrors.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/registries_conf.h"
#include "registry/blob_sink.h"
#include "registry/source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX (REGISTRIES_MIRRORS_MAX + 1)

struct mirrors {
	struct source source;
	struct mirrors_place v[PLACES_MAX];
	size_t n;
	atomic_size_t first; /* which had the last manifest */
};

static struct mirrors *self(struct source *s)
{
	return (struct mirrors *)s;
}

static bool suits(const struct mirrors_place *p, const char *ref)
{
	bool digest = ref && digest_valid(ref);

	return p->only == REGISTRIES_ANY || (p->only == REGISTRIES_DIGEST) == digest;
}

/* What was asked for by digest and is something else does not count as an answer. */
static bool is_right(const char *ref, const struct buf *text)
{
	char digest[DIGEST_LEN + 1];
	unsigned char sum[32];

	if (text->failed)
		return false;
	if (!ref || !digest_valid(ref))
		return true;
	sha256_of(text->p, text->len, sum);
	digest_print(sum, digest);
	return streq(digest, ref);
}

static int mirrored_manifest(struct source *s, const char *ref, struct buf *out,
			     const char **media_type, struct arena *a, struct err *e)
{
	struct mirrors *m = self(s);

	for (size_t i = 0;; i++) {
		struct source *place = m->v[i].source;
		bool last = i + 1 == m->n;
		int r;

		if (!last && !suits(&m->v[i], ref))
			continue;
		out->len = 0;
		out->failed = false;
		r = place->ops->manifest(place, ref, out, media_type, a, last ? e : NULL);
		if (last || (r >= 0 && is_right(ref, out))) {
			atomic_store(&m->first, r < 0 ? 0 : i);
			return r;
		}
	}
}

static int mirrored_blob(struct source *s, const char *digest, struct blob_sink *sink,
			 struct err *e)
{
	struct mirrors *m = self(s);
	size_t first = atomic_load(&m->first);
	struct err why = ERR_INIT;
	int r = -ENOENT;

	/* Those before the first did not have the manifest; the registry itself is the last. */
	for (size_t i = first; r < 0 && i < m->n; i++) {
		struct source *place = m->v[i].source;

		if (i > first && i + 1 < m->n && !suits(&m->v[i], digest))
			continue;
		why = ERR_INIT;
		r = place->ops->blob(place, digest, sink, &why);
		if (r < 0 && blob_sink_failed(sink))
			break;
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

static int mirrored_list(struct source *s, struct arena *a, struct fetch_list *out, struct err *e)
{
	struct source *last = self(s)->v[self(s)->n - 1].source;

	return last->ops->list(last, a, out, e);
}

/* Who knows what was made of an image later is the registry itself. */
static int mirrored_referrers(struct source *s, const char *digest, const char *artifact_type,
			      struct buf *out, struct err *e)
{
	struct source *last = self(s)->v[self(s)->n - 1].source;

	return last->ops->referrers(last, digest, artifact_type, out, e);
}

static void mirrored_close(struct source *s)
{
	struct mirrors *m = self(s);

	for (size_t i = 0; i < m->n; i++)
		m->v[i].source->ops->close(m->v[i].source);
	free(m);
}

struct source *mirrors_new(const struct mirrors_place *places, size_t n)
{
	static const struct source_ops ops = {.list = mirrored_list,
					      .manifest = mirrored_manifest,
					      .blob = mirrored_blob,
					      .referrers = mirrored_referrers,
					      .close = mirrored_close};
	struct mirrors *m = calloc(1, sizeof(*m));

	if (!m || n > PLACES_MAX)
		abort();
	m->source.ops = &ops;
	m->n = n;
	memcpy(m->v, places, n * sizeof(*places));
	return &m->source;
}
