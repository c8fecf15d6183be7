/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "api/apiread.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/members.h"
#include "engine/prune.h"
#include "engine/volume_ctl.h"

#define ALL_SAID 42 /* from 1.42 on, all=true says that volumes with names may go, too */

struct create {
	const char *name, *driver;
	struct jbind_map options, labels;
};
#define K(member, key, type) JB(struct create, member, key, JBIND_##type)
static const struct jbind_field create_fields[] = {K(name, "Name", STR), K(driver, "Driver", STR),
						   K(options, "DriverOpts", MAP),
						   K(labels, "Labels", MAP), JB_END};
#undef K
const struct jbind apivolume_table = {sizeof(struct create), create_fields, false};

int apivolume_create(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(APICALL_ANSWER_MAX);
	struct create said = {0};
	struct volume v = {0};
	const char *name = NULL;
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apiread_body(&apivolume_table, body.p, body.len, &said, c->a, e);
	if (r == 0 && said.driver && *said.driver && !streq(said.driver, "local"))
		return err_set(e, ERR_UNSUPPORTED,
			       "Driver '%.60s': there are no volume plugins, only local",
			       said.driver);
	v.name = said.name && *said.name ? said.name : NULL;
	apiread_pairs(&said.options, c->a, &v.options);
	apiread_pairs(&said.labels, c->a, &v.labels);
	if (r == 0)
		r = volume_ctl_create(c->s, &v, c->a, &name, e);
	if (r == 0)
		r = volume_ctl_inspect(c->s, name, &b, e);
	return r < 0 ? r : apicall_json(c, 201, &b, e);
}

int apivolume_list(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct volumes all = {0};
	struct strs filters;
	int r = apicall_filters(c, &filters, e);
	bool first = true;

	if (r == 0)
		r = volume_ctl_list(c->s, &filters, c->a, &all, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{\"Volumes\":[");
	for (size_t i = 0; i < all.n; i++) {
		auto_buf struct buf one = BUF_INIT(1 << 20);

		/* One that goes meanwhile is not there. */
		if (volume_ctl_inspect(c->s, all.v[i].name, &one, NULL) < 0)
			continue;
		buf_puts(&b, first ? "" : ",");
		buf_add(&b, one.p, one.len);
		first = false;
	}
	buf_puts(&b, "],\"Warnings\":null}\n");
	return apicall_json(c, 200, &b, e);
}

/* What could not be a name is none that exists. */
static int missing(struct apicall *c, int r, struct err *e)
{
	if (r < 0 && e && e->kind == ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "get %.128s: no such volume", c->id);
	return r;
}

int apivolume_inspect(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	int r = volume_check_name(c->id, NULL);

	r = r < 0 ? err_set(e, ERR_NOT_FOUND, "no volume") : 0;
	if (r == 0)
		r = volume_ctl_inspect(c->s, c->id, &b, e);
	return r < 0 ? missing(c, r, e) : apicall_json(c, 200, &b, e);
}

int apivolume_remove(struct apicall *c, struct err *e)
{
	int r = volume_check_name(c->id, NULL);

	r = r < 0 ? err_set(e, ERR_NOT_FOUND, "no volume") : 0;
	if (r == 0)
		r = volume_ctl_remove(c->s, c->id, apicall_yes(c, "force"), e);
	return r < 0 ? missing(c, r, e) : apicall_nothing(c, e);
}

int apivolume_prune(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct prune_result done = {0};
	struct prune_opts o = {.all = c->minor < ALL_SAID};
	struct strs f;
	int r = apicall_filters(c, &f, e);

	for (size_t i = 0; r == 0 && i < f.n; i++) {
		const char *all = str_after(f.v[i], "all=");

		if (all)
			o.all = streq(all, "true") || streq(all, "1");
		else
			arena_strs_add(c->a, &o.filters, f.v[i]);
	}
	if (r == 0)
		r = prune_volumes(c->s, &o, c->a, &done, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_list(&w, "VolumesDeleted", &done.volumes, "[]");
	members_num(&w, "SpaceReclaimed", (int64_t)done.bytes);
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}
