/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/sigpolicy.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/base64.h"
#include "fmt/jbind.h"
#include "fmt/json.h"
#include "fmt/reference.h"

#include <string.h>

#define PAYLOAD_TYPE "cosign container image signature"

/* ---- the file ---- */

struct identity_doc {
	const char *type, *reference, *repository, *prefix, *signed_prefix;
};
static const struct jbind_field identity_fields[] = {
    JB(struct identity_doc, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct identity_doc, reference, "dockerReference", JBIND_STR),
    JB(struct identity_doc, repository, "dockerRepository", JBIND_STR),
    JB(struct identity_doc, prefix, "prefix", JBIND_STR),
    JB(struct identity_doc, signed_prefix, "signedPrefix", JBIND_STR),
    JB_END,
};
static const struct jbind identity_table = {sizeof(struct identity_doc), identity_fields, true};

struct rule_doc {
	const char *type, *key_type, *key_path, *key_data;
	struct strs key_paths, key_datas;
	const char *fulcio, *pki, *rekor_path, *rekor_data, *rekor_paths, *rekor_datas;
	struct identity_doc *identity;
};
static const struct jbind_field rule_fields[] = {
    JB(struct rule_doc, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct rule_doc, key_type, "keyType", JBIND_STR),
    JB(struct rule_doc, key_path, "keyPath", JBIND_STR),
    JB(struct rule_doc, key_paths, "keyPaths", JBIND_STRS),
    JB(struct rule_doc, key_data, "keyData", JBIND_STR),
    JB(struct rule_doc, key_datas, "keyDatas", JBIND_STRS),
    JB(struct rule_doc, fulcio, "fulcio", JBIND_RAW),
    JB(struct rule_doc, pki, "pki", JBIND_RAW),
    JB(struct rule_doc, rekor_path, "rekorPublicKeyPath", JBIND_RAW),
    JB(struct rule_doc, rekor_data, "rekorPublicKeyData", JBIND_RAW),
    JB(struct rule_doc, rekor_paths, "rekorPublicKeyPaths", JBIND_RAW),
    JB(struct rule_doc, rekor_datas, "rekorPublicKeyDatas", JBIND_RAW),
    JB(struct rule_doc, identity, "signedIdentity", JBIND_PTR, .sub = &identity_table),
    JB_END,
};
static const struct jbind rule_table = {sizeof(struct rule_doc), rule_fields, true};

/* What a form of signedIdentity takes. */
static const struct {
	const char *type;
	bool reference, repository, prefix;
} identities[] = {
    [SIGPOLICY_MATCH_REPO_DIGEST_OR_EXACT] = {"matchRepoDigestOrExact", false, false, false},
    [SIGPOLICY_MATCH_EXACT] = {"matchExact", false, false, false},
    [SIGPOLICY_MATCH_REPOSITORY] = {"matchRepository", false, false, false},
    [SIGPOLICY_EXACT_REFERENCE] = {"exactReference", true, false, false},
    [SIGPOLICY_EXACT_REPOSITORY] = {"exactRepository", false, true, false},
    [SIGPOLICY_REMAP] = {"remapIdentity", false, false, true},
};

static int read_identity(const struct identity_doc *d, struct sigpolicy_identity *out,
			 struct err *e)
{
	size_t i = 0, n = sizeof(identities) / sizeof(identities[0]);

	if (!d) {
		*out = (struct sigpolicy_identity){.match = SIGPOLICY_MATCH_REPO_DIGEST_OR_EXACT};
		return 0;
	}
	while (i < n && !streq(d->type, identities[i].type))
		i++;
	if (i == n)
		return err_set(e, ERR_USAGE, "signedIdentity '%s' is not known", d->type);
	if (identities[i].reference != (d->reference != NULL) ||
	    identities[i].repository != (d->repository != NULL) ||
	    identities[i].prefix != (d->prefix != NULL) ||
	    identities[i].prefix != (d->signed_prefix != NULL))
		return err_set(e, ERR_USAGE, "signedIdentity '%s' has wrong members", d->type);
	*out = (struct sigpolicy_identity){
	    .match = (int)i,
	    .name = d->reference    ? d->reference
		    : d->repository ? d->repository
				    : d->prefix,
	    .signed_prefix = d->signed_prefix,
	};
	return 0;
}

static int read_keys(const struct rule_doc *d, struct arena *a, struct sigpolicy_rule *out,
		     struct err *e)
{
	int sources = (d->key_path != NULL) + (d->key_data != NULL) + (d->key_paths.n > 0) +
		      (d->key_datas.n > 0) + (d->fulcio != NULL) + (d->pki != NULL);

	if (sources != 1)
		return err_set(e, ERR_USAGE,
			       "sigstoreSigned wants exactly one of keyPath, keyPaths, keyData, "
			       "keyDatas, fulcio and pki");
	if (d->fulcio || d->pki || d->rekor_path || d->rekor_data || d->rekor_paths ||
	    d->rekor_datas) {
		out->type = SIGPOLICY_NOT_CHECKED;
		out->why = "sigstoreSigned with fulcio, pki or rekor";
		return 0;
	}
	out->key_paths = d->key_paths;
	if (d->key_path)
		arena_strs_add(a, &out->key_paths, d->key_path);
	for (size_t i = 0; i < d->key_datas.n + (d->key_data != NULL); i++) {
		const char *b = d->key_data ? d->key_data : d->key_datas.v[i];
		const char *pem = base64_decode(b, a);

		if (!pem)
			return err_set(e, ERR_USAGE, "keyData is not base64");
		arena_strs_add(a, &out->key_datas, pem);
	}
	return 0;
}

static int read_rule(const struct json *j, struct arena *a, const char *where,
		     struct sigpolicy_rule *out, struct err *e)
{
	struct rule_doc d = {0};
	int r = jbind_read(&rule_table, j, &d, a, where, e);

	if (r < 0)
		return r;
	*out = (struct sigpolicy_rule){0};
	if (streq(d.type, "insecureAcceptAnything")) {
		out->type = SIGPOLICY_ACCEPT;
	} else if (streq(d.type, "reject")) {
		out->type = SIGPOLICY_REJECT;
	} else if (streq(d.type, "signedBy") || streq(d.type, "signedBaseLayer")) {
		out->type = SIGPOLICY_NOT_CHECKED;
		out->why = d.type;
	} else if (streq(d.type, "sigstoreSigned")) {
		out->type = SIGPOLICY_SIGSTORE;
		r = read_keys(&d, a, out, e);
		if (r >= 0)
			r = read_identity(d.identity, &out->identity, e);
	} else {
		r = err_set(e, ERR_USAGE, "requirement '%s' is not known", d.type);
	}
	return r < 0 ? err_wrap(e, r, "%s", where) : 0;
}

static int read_rules(const struct json *j, struct arena *a, const char *where,
		      struct sigpolicy_rules *out, struct err *e)
{
	int r = 0;

	if (!json_is_array(j) || !json_length(j))
		return err_set(e, ERR_CORRUPT, "%s: expected a list of requirements", where);
	out->n = json_length(j);
	out->v = arena_array(a, out->n, sizeof(*out->v));
	for (size_t i = 0; r >= 0 && i < out->n; i++)
		r = read_rule(json_at(j, i), a, where, &out->v[i], e);
	return r;
}

struct search {
	const char *transport, *in; /* in: the transport that is being read */
	const struct strs *scopes;
	struct arena *a;
	struct sigpolicy_rules *out;
	size_t best; /* index into scopes; n: the transport's own; more: nothing yet */
	bool top_default;
	struct err *e;
};

static int scope(const char *key, struct json *value, void *arg)
{
	struct search *s = arg;
	struct sigpolicy_rules rules;
	size_t i = 0;
	int r = read_rules(value, s->a, arena_printf(s->a, "policy: %s '%s'", s->in, key), &rules,
			   s->e);

	if (r < 0 || !streq(s->in, s->transport))
		return r;
	while (i < s->scopes->n && !streq(s->scopes->v[i], key))
		i++;
	if ((i < s->scopes->n || !*key) && i < s->best) {
		s->best = i;
		*s->out = rules;
	}
	return 0;
}

static int transport(const char *key, struct json *value, void *arg)
{
	struct search *s = arg;

	s->in = key;
	if (!json_is_object(value))
		return err_set(s->e, ERR_CORRUPT, "policy: transports.%s: expected an object", key);
	return json_each(value, scope, s);
}

static int member(const char *key, struct json *value, void *arg)
{
	struct search *s = arg;
	struct sigpolicy_rules rules;
	int r;

	if (streq(key, "default")) {
		r = read_rules(value, s->a, "policy: default", &rules, s->e);
		s->top_default = true;
		if (r >= 0 && s->best > s->scopes->n)
			*s->out = rules;
		return r;
	}
	if (!streq(key, "transports"))
		return err_set(s->e, ERR_CORRUPT, "policy: '%s' is not known", key);
	if (!json_is_object(value))
		return err_set(s->e, ERR_CORRUPT, "policy: transports: expected an object");
	return json_each(value, transport, s);
}

int sigpolicy_find(const char *text, size_t len, const char *name, const struct strs *scopes,
		   struct arena *a, struct sigpolicy_rules *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct sigpolicy_rules found = {0};
	struct search s = {.transport = name,
			   .scopes = scopes,
			   .a = a,
			   .out = &found,
			   .best = scopes->n + 1,
			   .e = e};
	int r = json_parse(text, len, "policy", &j, e);

	if (r >= 0 && !json_is_object(j))
		r = err_set(e, ERR_CORRUPT, "policy: expected an object");
	if (r >= 0)
		r = json_each(j, member, &s);
	if (r >= 0 && !s.top_default)
		r = err_set(e, ERR_CORRUPT, "policy: 'default' is missing");
	if (r < 0)
		return r;
	*out = found;
	return 0;
}

void sigpolicy_scopes(const struct reference *ref, struct arena *a, struct strs *out)
{
	char *name = arena_printf(a, "%s/%s", ref->domain, ref->path), *slash;

	arena_strs_add(a, out, reference_canonical(a, ref));
	for (;;) {
		arena_strs_add(a, out, arena_dup(a, name));
		slash = strrchr(name, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	for (const char *dot = strchr(ref->domain, '.'); dot; dot = strchr(dot + 1, '.'))
		arena_strs_add(a, out, arena_printf(a, "*%s", dot));
}

/* ---- signatures ---- */

struct payload_doc {
	struct {
		struct {
			const char *reference;
		} identity;
		struct {
			const char *digest;
		} image;
		const char *type;
	} critical;
	const char *optional;
};
#define CRITICAL __typeof__(((struct payload_doc *)0)->critical)
#define IDENTITY __typeof__(((struct payload_doc *)0)->critical.identity)
#define IMAGE	 __typeof__(((struct payload_doc *)0)->critical.image)

static const struct jbind_field signed_name_fields[] = {
    JB(IDENTITY, reference, "docker-reference", JBIND_STR, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind signed_name = {sizeof(IDENTITY), signed_name_fields, true};
static const struct jbind_field signed_image_fields[] = {
    JB(IMAGE, digest, "docker-manifest-digest", JBIND_STR, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind signed_image = {sizeof(IMAGE), signed_image_fields, true};
static const struct jbind_field critical_fields[] = {
    JB(CRITICAL, identity, "identity", JBIND_OBJ, .sub = &signed_name, .flags = JBIND_REQUIRED),
    JB(CRITICAL, image, "image", JBIND_OBJ, .sub = &signed_image, .flags = JBIND_REQUIRED),
    JB(CRITICAL, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind critical = {sizeof(CRITICAL), critical_fields, true};
static const struct jbind_field payload_fields[] = {
    JB(struct payload_doc, critical, "critical", JBIND_OBJ, .sub = &critical,
       .flags = JBIND_REQUIRED),
    JB(struct payload_doc, optional, "optional", JBIND_RAW),
    JB_END,
};
static const struct jbind payload = {sizeof(struct payload_doc), payload_fields, true};

int sigpolicy_payload(const char *text, size_t len, struct arena *a, struct sigpolicy_payload *out,
		      struct err *e)
{
	struct payload_doc d = {0};
	int r = jbind_parse(&payload, text, len, &d, a, "signature", e);

	if (r < 0)
		return r;
	if (!streq(d.critical.type, PAYLOAD_TYPE))
		return err_set(e, ERR_CORRUPT, "signature: it is no " PAYLOAD_TYPE);
	if (!digest_valid(d.critical.image.digest))
		return err_set(e, ERR_CORRUPT, "signature: malformed digest");
	*out = (struct sigpolicy_payload){d.critical.identity.reference, d.critical.image.digest};
	return 0;
}

/* "host/path" without tag or digest. */
static bool name_only(const char *s)
{
	const char *slash = strrchr(s, '/');

	return !strpbrk(slash ? slash : s, ":@") && !strchr(s, '@');
}

static const char *repository(const struct reference *r, struct arena *a)
{
	return arena_printf(a, "%s/%s", r->domain, r->path);
}

/* The whole of what was signed, as canonical as what is compared with it. */
static bool same_image(const struct reference *x, const struct reference *y, struct arena *a)
{
	return streq(reference_canonical(a, x), reference_canonical(a, y));
}

/* The name that stands for this one elsewhere: a prefix ends at a slash or at the end. */
static bool remap(const struct sigpolicy_identity *i, const struct reference *asked,
		  struct reference *out, struct arena *a)
{
	const char *name = repository(asked, a), *rest = str_after(name, i->name);

	*out = *asked;
	if (!rest || (*rest && *rest != '/'))
		return true;
	name = arena_printf(a, "%s%s", i->signed_prefix, rest);
	if (reference_parse(name, a, out, NULL) < 0)
		return false;
	out->tag = asked->tag;
	out->digest = asked->digest;
	return true;
}

bool sigpolicy_matches(const struct sigpolicy_identity *i, const struct reference *asked,
		       const char *reference, struct arena *a)
{
	struct reference want = *asked, have, named;

	if (reference_parse(reference, a, &have, NULL) < 0)
		return false;
	switch ((enum sigpolicy_match)i->match) {
	case SIGPOLICY_MATCH_EXACT:
		return !name_only(reference) && same_image(&want, &have, a);
	case SIGPOLICY_MATCH_REPOSITORY:
		return streq(repository(&want, a), repository(&have, a));
	case SIGPOLICY_EXACT_REFERENCE:
		return !name_only(reference) && reference_parse(i->name, a, &named, NULL) == 0 &&
		       same_image(&named, &have, a);
	case SIGPOLICY_EXACT_REPOSITORY:
		return reference_parse(i->name, a, &named, NULL) == 0 &&
		       streq(repository(&named, a), repository(&have, a));
	case SIGPOLICY_REMAP:
		if (!remap(i, asked, &want, a))
			return false;
		__attribute__((fallthrough));
	case SIGPOLICY_MATCH_REPO_DIGEST_OR_EXACT:
		if (name_only(reference))
			return false;
		/* Asked for by digest: the digest itself is compared elsewhere. */
		if (want.digest)
			return streq(repository(&want, a), repository(&have, a));
		return same_image(&want, &have, a);
	}
	return false;
}
