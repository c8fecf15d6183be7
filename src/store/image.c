/* SPDX-License-Identifier: Apache-2.0 */
#include "store/image.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image_record.h"
#include "store/layer.h"
#include "store/snapshot.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define HEXDIGITS "0123456789abcdef"

const char *image_chain(const struct strs *diff_ids, struct arena *a)
{
	char chain[DIGEST_LEN + 1] = "";
	unsigned char sum[32];

	if (!diff_ids->n)
		sha256_of("", 0, sum);
	for (size_t i = 0; i < diff_ids->n; i++) {
		struct sha256 s;

		if (i == 0) {
			snprintf(chain, sizeof(chain), "%s", diff_ids->v[0]);
			continue;
		}
		sha256_init(&s);
		sha256_add(&s, chain, strlen(chain));
		sha256_add(&s, " ", 1);
		sha256_add(&s, diff_ids->v[i], strlen(diff_ids->v[i]));
		sha256_done(&s, sum);
		digest_print(sum, chain);
	}
	if (!diff_ids->n)
		digest_print(sum, chain);
	return arena_dup(a, digest_hex(chain));
}

/* ---- finding ---- */

static int not_found(const char *what, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no image '%.200s'", what);
}

/* The digits of an id or the beginning of one, or NULL. */
static const char *id_prefix(const char *s)
{
	const char *hex = str_after(s, "sha256:");

	hex = hex ? hex : s;
	return *hex && strspn(hex, HEXDIGITS) == strlen(hex) && strlen(hex) <= DIGEST_HEX ? hex
											  : NULL;
}

static int by_prefix(struct store *s, const char *hex, const char *asked, struct arena *a,
		     struct image_record *out, struct err *e)
{
	const struct image_record *found = NULL;
	struct image_records all;
	int r = image_list(s, a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		if (!str_after(digest_hex(all.v[i].id), hex))
			continue;
		if (found && !streq(found->id, all.v[i].id))
			return err_set(e, ERR_USAGE,
				       "'%s' is the beginning of more than one image id", asked);
		if (!found || !found->name)
			found = &all.v[i];
	}
	if (!found)
		return not_found(asked, e);
	*out = *found;
	return 0;
}

/* name@digest, when nobody pulled it by that name: any record of the repository with that digest.
 */
static int by_digest(struct store *s, const struct reference *ref, const char *asked,
		     struct arena *a, struct image_record *out, struct err *e)
{
	const char *repo = arena_printf(a, "%s/%s", ref->domain, ref->path);
	struct image_records all;
	int r = image_list(s, a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		const struct image_record *c = &all.v[i];
		const char *rest = c->name ? str_after(c->name, repo) : NULL;

		if (rest && (*rest == ':' || *rest == '@') &&
		    (streq(c->manifest, ref->digest) ||
		     (c->source && streq(c->source, ref->digest)))) {
			*out = *c;
			return 0;
		}
	}
	return not_found(asked, e);
}

static int find_record(struct store *s, const char *asked, struct arena *a,
		       struct image_record *out, struct err *e)
{
	const char *hex = id_prefix(asked);
	struct image_record key = {0};
	struct reference ref;
	int r;

	/* "sha256:..." and 64 digits are ids only; else a name wins over an id that begins so. */
	if (hex && (hex != asked || strlen(hex) == DIGEST_HEX))
		return by_prefix(s, hex, asked, a, out, e);
	r = reference_parse(asked, a, &ref, e);
	if (r < 0)
		return r;
	key.name = reference_canonical(a, &ref);
	r = image_record_read(s, image_record_file(&key, a), a, out, e);
	if (r != -ENOENT)
		return r;
	if (hex)
		return by_prefix(s, hex, asked, a, out, e);
	return ref.digest ? by_digest(s, &ref, asked, a, out, e) : not_found(asked, e);
}

static int check_platform(const struct image_record *r, const char *platform, const char *asked,
			  struct arena *a, struct err *e)
{
	struct oci_platform want, have;
	int rc;

	if (!platform || !r->platform)
		return 0;
	rc = oci_image_platform(platform, a, &want, e);
	if (rc < 0)
		return rc;
	if (oci_image_platform(r->platform, a, &have, NULL) == 0 && !oci_image_fits(&have, &want))
		return err_set(e, ERR_NOT_FOUND, "image '%.200s' is here for platform %s, not %s",
			       asked, r->platform, platform);
	return 0;
}

static void collect_names(struct store *s, struct image *i)
{
	struct image_records all;

	if (i->record.name)
		arena_strs_add(&i->arena, &i->names, i->record.name);
	if (image_list(s, &i->arena, &all, NULL) < 0)
		return;
	for (size_t k = 0; k < all.n; k++)
		if (all.v[k].name && streq(all.v[k].id, i->record.id) &&
		    !(i->record.name && streq(all.v[k].name, i->record.name)))
			arena_strs_add(&i->arena, &i->names, all.v[k].name);
}

static int load_config(struct store *s, struct image *i, struct err *e)
{
	auto_free char *text = NULL;
	int r = blob_read(s, i->record.id, OCI_CONFIG_MAX, &text, &i->config_len, e);

	if (r < 0)
		return r;
	i->config_text = arena_dupn(&i->arena, text, i->config_len);
	return oci_image_config(text, i->config_len, "image configuration", &i->arena, &i->config,
				e);
}

static int open_record(struct store *s, struct image *i, const char *asked, const char *platform,
		       struct image **out, struct err *e)
{
	int r = check_platform(&i->record, platform, asked, &i->arena, e);

	if (r >= 0) {
		r = load_config(s, i, e);
		if (r < 0)
			err_wrap(e, r, "image '%.100s'", asked);
	}
	if (r < 0) {
		image_close(i);
		return r;
	}
	*out = i;
	return 0;
}

static struct image *new_image(void)
{
	struct image *i = calloc(1, sizeof(*i));

	if (!i)
		abort();
	return i;
}

int image_find(struct store *s, const char *name_or_id, const char *platform, struct image **out,
	       struct err *e)
{
	struct image *i = new_image();
	int r = find_record(s, name_or_id, &i->arena, &i->record, e);

	if (r < 0) {
		image_close(i);
		return r;
	}
	return open_record(s, i, name_or_id, platform, out, e);
}

int image_find_id(struct store *s, const char *id, struct image **out, struct err *e)
{
	return digest_valid(id) ? image_find(s, id, NULL, out, e) : not_found(id, e);
}

const struct strs *image_names(struct store *s, struct image *i)
{
	if (!i->names.n)
		collect_names(s, i);
	return &i->names;
}

void image_close(struct image *i)
{
	if (!i)
		return;
	arena_free(&i->arena);
	free(i);
}

int image_list(struct store *s, struct arena *a, struct image_records *out, struct err *e)
{
	return image_record_list(s, a, out, e);
}

/* ---- recording ---- */

/* The record that a name had goes on without name when nothing else names its image. */
static int displace(struct store *s, const struct image_record *by, struct arena *a, struct err *e)
{
	struct image_record old;
	struct image_records all;
	int r = image_record_read(s, image_record_file(by, a), a, &old, NULL);

	if (r < 0 || streq(old.manifest, by->manifest))
		return 0;
	r = image_list(s, a, &all, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].manifest, old.manifest) &&
		    !(all.v[i].name && streq(all.v[i].name, by->name)))
			return 0;
	old.name = NULL;
	return image_record_write(s, &old, e);
}

static int write_named(struct store *s, struct image_record *rec, const char *name, struct arena *a,
		       struct err *e)
{
	struct image_record bare = *rec;
	int r;

	rec->name = name;
	r = displace(s, rec, a, e);
	if (r >= 0)
		r = image_record_write(s, rec, e);
	if (r < 0)
		return r;
	bare.name = NULL;
	return image_record_unlink(s, &bare, e);
}

static int read_manifest(struct store *s, const char *digest, struct arena *a,
			 struct oci_manifest *m, struct oci_config *c, struct err *e)
{
	auto_free char *mtext = NULL;
	auto_free char *ctext = NULL;
	size_t mlen, clen;
	int r = blob_read(s, digest, OCI_MANIFEST_MAX, &mtext, &mlen, e);

	if (r >= 0)
		r = oci_image_manifest(mtext, mlen, "manifest", a, m, e);
	if (r >= 0)
		r = blob_read(s, m->config.digest, OCI_CONFIG_MAX, &ctext, &clen, e);
	if (r >= 0)
		r = oci_image_config(ctext, clen, "image configuration", a, c, e);
	return r < 0 ? r : oci_image_match(m, c, "image", e);
}

int image_commit(struct store *s, struct stage *st, const char *manifest, const char *source,
		 const struct strs *names, char *id_out, struct err *e)
{
	static const struct strs none;

	return image_commit_whole(s, st, manifest, source, &none, names, id_out, e);
}

int image_commit_whole(struct store *s, struct stage *st, const char *manifest, const char *source,
		       const struct strs *others, const struct strs *names, char *id_out,
		       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_record rec = {.manifest = manifest, .source = source, .others = *others};
	struct oci_manifest m;
	struct oci_config c;
	int r = read_manifest(s, manifest, &a, &m, &c, e);

	if (r < 0)
		return r;
	rec.id = m.config.digest;
	rec.created = c.created;
	rec.platform = oci_image_platform_print(&c.platform, &a);
	rec.layers = c.rootfs.diff_ids;
	rec.chain = image_chain(&rec.layers, &a);
	for (size_t i = 0; i < m.layers.n; i++) {
		struct layer l;

		arena_strs_add(&a, &rec.blobs, m.layers.v[i].digest);
		r = layer_find(s, rec.layers.v[i], &a, &l, e);
		if (r < 0)
			return r;
		rec.size += l.size;
	}
	for (size_t i = 0; r >= 0 && i < names->n; i++)
		r = write_named(s, &rec, names->v[i], &a, e);
	if (r >= 0 && !names->n)
		r = image_record_write(s, &rec, e);
	if (r >= 0 && id_out)
		snprintf(id_out, DIGEST_LEN + 1, "%s", rec.id);
	return r;
}

int image_attest(struct store *s, const char *manifest, const struct strs *digests, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_records all;
	int r = image_list(s, &a, &all, e);

	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		if (!streq(all.v[i].manifest, manifest))
			continue;
		all.v[i].attests = *digests;
		r = image_record_write(s, &all.v[i], e);
	}
	return r;
}

int image_tag(struct store *s, const struct image *i, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_record rec = i->record;
	const char *canonical = NULL;
	int r = reference_tagged(name, &a, &canonical, e);

	return r < 0 ? r : write_named(s, &rec, canonical, &a, e);
}

/* ---- removing ---- */

static bool uses(int dir, const char *instance, const char *id, struct arena *a)
{
	auto_json struct json *j = NULL;
	auto_free char *text = NULL;
	const struct json *mounts;
	const char *have;
	ssize_t n =
	    file_read(dir, arena_printf(a, "%s/record.json", instance), STORE_JSON_MAX, &text);

	if (n < 0 || json_parse(text, (size_t)n, "record", &j, NULL) < 0)
		return false;
	have = json_string(json_member(j, "image_id"));
	if (have && streq(have, id))
		return true;
	/* A mount of type=image has the image's id for its name. */
	mounts = json_member(j, "mounts");
	for (size_t i = 0; json_is_array(mounts) && i < json_length(mounts); i++) {
		const struct json *m = json_at(mounts, i);
		const char *type = json_string(json_member(m, "type"));

		have = json_string(json_member(m, "name"));
		if (type && have && streq(type, "image") && streq(have, id))
			return true;
	}
	return false;
}

const char *image_user(struct store *s, const char *id, struct arena *a)
{
	const char *found = NULL;
	struct dirent *de;
	int fd = store_dir(s, "instances", NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	while (d && !found && (de = readdir(d)))
		if (de->d_name[0] != '.' && uses(fd, de->d_name, id, a))
			found = arena_dup(a, de->d_name);
	if (d)
		closedir(d);
	return found;
}

struct removal {
	struct image_records all; /* those of the image only */
	const struct image_record *named;
	bool by_id;
};

static int plan_removal(struct store *s, const char *asked, struct arena *a, struct removal *rm,
			struct err *e)
{
	struct image_record *rec = arena_alloc(a, sizeof(*rec));
	const char *hex = id_prefix(asked);
	struct image_records all;
	int r = find_record(s, asked, a, rec, e);

	if (r >= 0)
		r = image_list(s, a, &all, e);
	if (r < 0)
		return r;
	rm->named = rec;
	rm->by_id = !rec->name || (hex && str_after(digest_hex(rec->id), hex) &&
				   !str_after(reference_familiar(a, rec->name), asked));
	rm->all.v = arena_array(a, all.n, sizeof(*rm->all.v));
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].id, rec->id))
			rm->all.v[rm->all.n++] = all.v[i];
	return 0;
}

static int in_use(struct store *s, const char *id, const char *asked, struct arena *a,
		  struct err *e)
{
	const char *user = snapshot_user(s, id, a);

	if (user)
		return err_set(e, ERR_CONFLICT, "image '%.100s' is used by snapshot '%s'", asked,
			       user);
	user = image_user(s, id, a);
	return user ? err_set(e, ERR_CONFLICT, "image '%.100s' is used by instance %.12s", asked,
			      user)
		    : 0;
}

static int drop(struct store *s, const struct image_record *rec, struct arena *a,
		struct image_removed *out, struct err *e)
{
	int r = image_record_unlink(s, rec, e);

	if (r >= 0 && rec->name)
		arena_strs_add(a, &out->untagged, reference_familiar(a, rec->name));
	return r;
}

/* The last names go: the record too, or, under an instance, on as a nameless one. */
static int drop_all(struct store *s, const struct removal *rm, bool keep, struct arena *a,
		    struct image_removed *out, struct err *e)
{
	int r = 0;

	if (keep) {
		struct image_record bare = *rm->named;

		bare.name = NULL;
		r = image_record_write(s, &bare, e);
	}
	for (size_t i = 0; r >= 0 && i < rm->all.n; i++)
		if (!keep || rm->all.v[i].name)
			r = drop(s, &rm->all.v[i], a, out, e);
	if (r >= 0 && !keep)
		out->deleted = rm->named->id;
	return r;
}

int image_remove(struct store *s, const char *name_or_id, bool force, struct arena *a,
		 struct image_removed *out, struct err *e)
{
	struct image_removed done = {0};
	struct removal rm = {0};
	size_t names = 0;
	int used = 0, r;
	struct err why = ERR_INIT;

	r = plan_removal(s, name_or_id, a, &rm, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rm.all.n; i++)
		names += rm.all.v[i].name != NULL;
	if (!rm.by_id && names > 1) {
		r = drop(s, rm.named, a, &done, e);
	} else {
		if (rm.by_id && names > 1 && !force)
			return err_set(e, ERR_CONFLICT,
				       "image '%.100s' has %zu names; remove them or use --force",
				       name_or_id, names);
		used = in_use(s, rm.named->id, name_or_id, a, &why);
		if (used < 0 && !force) {
			if (e)
				*e = why;
			return used;
		}
		r = drop_all(s, &rm, used < 0, a, &done, e);
	}
	if (r >= 0)
		*out = done;
	return r;
}
