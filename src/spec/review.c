/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/review.h"

const char *const review_kinds[] = {"setuid", "setgid", "capabilities", "world-writable", "device",
				    "secret", NULL};
_Static_assert(sizeof(review_kinds) / sizeof(review_kinds[0]) == REVIEW_KIND_MAX_ + 1,
	       "a name per kind");

static const struct jbind_field finding_fields[] = {
    JB(struct review_finding, kind, "kind", JBIND_ENUM, .names = review_kinds,
       .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct review_finding, path, "path", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_finding, detail, "detail", JBIND_STR),
    JB(struct review_finding, layer, "layer", JBIND_U32),
    JB(struct review_finding, hidden, "hidden", JBIND_BOOL),
    JB_END,
};
static const struct jbind finding_table = {sizeof(struct review_finding), finding_fields, true};

static const struct jbind_field package_fields[] = {
    JB(struct review_package, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_package, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_package, version, "version", JBIND_STR),
    JB(struct review_package, arch, "arch", JBIND_STR),
    JB(struct review_package, license, "license", JBIND_STR),
    JB(struct review_package, source, "source", JBIND_STR),
    JB(struct review_package, path, "path", JBIND_STR),
    JB(struct review_package, layer, "layer", JBIND_U32),
    JB_END,
};
static const struct jbind package_table = {sizeof(struct review_package), package_fields, true};

static const struct jbind_field layer_fields[] = {
    JB(struct review_layer, diff_id, "diffId", JBIND_STR),
    JB(struct review_layer, created_by, "createdBy", JBIND_STR),
    JB(struct review_layer, files, "files", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct review_layer, bytes, "bytes", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct review_layer, wasted, "wasted", JBIND_UINT, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind layer_table = {sizeof(struct review_layer), layer_fields, true};

static const struct jbind_field file_fields[] = {
    JB(struct review_file, path, "path", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_file, size, "size", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct review_file, layer, "layer", JBIND_U32),
    JB(struct review_file, mode, "mode", JBIND_U32, .flags = JBIND_KEEP),
    JB(struct review_file, uid, "uid", JBIND_U32, .flags = JBIND_KEEP),
    JB(struct review_file, gid, "gid", JBIND_U32, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind file_table = {sizeof(struct review_file), file_fields, true};

static const struct jbind_field fields[] = {
    JB(struct review, layers, "layers", JBIND_LIST, .sub = &layer_table, .flags = JBIND_KEEP),
    JB(struct review, findings, "findings", JBIND_LIST, .sub = &finding_table, .flags = JBIND_KEEP),
    JB(struct review, cut, "findingsCut", JBIND_BOOL),
    JB(struct review, packages, "packages", JBIND_LIST, .sub = &package_table, .flags = JBIND_KEEP),
    JB(struct review, not_read, "notRead", JBIND_STRS),
    JB(struct review, files, "files", JBIND_LIST, .sub = &file_table),
    JB(struct review, uid_known, "uidKnown", JBIND_BOOL),
    JB(struct review, uid, "uid", JBIND_U32, .flags = JBIND_KEEP),
    JB(struct review, os_id, "osId", JBIND_STR),
    JB(struct review, os_version, "osVersion", JBIND_STR),
    JB(struct review, os_name, "osName", JBIND_STR),
    JB_END,
};
static const struct jbind table = {sizeof(struct review), fields, true};

int review_parse(const char *text, size_t len, struct arena *a, struct review *out, struct err *e)
{
	struct review r = {0};
	int n = jbind_parse(&table, text, len, &r, a, "review", e);

	if (n >= 0)
		*out = r;
	return n;
}

void review_print(const struct review *r, struct buf *out)
{
	jbind_write(&table, r, out);
}

static const struct jbind_field change_fields[] = {
    JB(struct review_change, kind, "kind", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_change, path, "path", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct review_change, detail, "detail", JBIND_STR),
    JB_END,
};
static const struct jbind change_table = {sizeof(struct review_change), change_fields, true};
static const struct jbind_field changes_fields[] = {
    JB(struct review_changes, changes, "changes", JBIND_LIST, .sub = &change_table,
       .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind changes_table = {sizeof(struct review_changes), changes_fields, true};

int review_changes_parse(const char *text, size_t len, struct arena *a, struct review_changes *out,
			 struct err *e)
{
	struct review_changes r = {0};
	int n = jbind_parse(&changes_table, text, len, &r, a, "comparison", e);

	if (n >= 0)
		*out = r;
	return n;
}

void review_changes_print(const struct review_changes *r, struct buf *out)
{
	jbind_write(&changes_table, r, out);
}
