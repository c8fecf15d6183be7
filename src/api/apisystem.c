/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apibuild.h"
#include "api/apicall.h"
#include "api/apiimage.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/dockerinfo.h"
#include "engine/eventlog.h"
#include "engine/image_ctl.h"
#include "engine/info.h"
#include "engine/members.h"
#include "engine/session.h"
#include "engine/usage.h"
#include "engine/volume_ctl.h"

#include <string.h>
#include <time.h>

int apisystem_ping(struct apicall *c, struct err *e)
{
	exchange_field(c->x, "Cache-Control", "no-cache, no-store, must-revalidate");
	exchange_field(c->x, "Pragma", "no-cache");
	exchange_field(c->x, "Builder-Version", "1");
	exchange_field(c->x, "Swarm", "inactive");
	return exchange_send(c->x, 200, "text/plain; charset=utf-8", "OK", 2, e);
}

int apisystem_version(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};

	buf_puts(&b, "{");
	dockerinfo_version(&w);
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

int apisystem_info(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct info i;
	int r = info_gather(c->s, c->a, &i, e);

	if (r < 0)
		return r;
	buf_puts(&b, "{");
	dockerinfo_info(&w, &i, c->a);
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

/* ---- disk usage ---- */

static int df_images(struct apicall *c, struct members *w, const struct usage *u, struct err *e)
{
	struct image_rows all;
	int r = image_ctl_list(c->s, NULL, c->a, &all, e);

	if (r < 0)
		return r;
	members_array(w, "Images");
	for (size_t k = 0; k < all.n; k++) {
		const struct usage_image *of = NULL;

		for (size_t i = 0; !of && i < u->image_list.n; i++)
			if (streq(u->image_list.v[i].id, all.v[k].id))
				of = &u->image_list.v[i];
		if (!of || apiimage_seen(&all, k))
			continue;
		members_item(w);
		apiimage_row(c, w, &all, k, of);
		members_close(w);
	}
	members_end(w);
	return 0;
}

static void df_instances(struct members *w, const struct usage *u, struct arena *a)
{
	members_array(w, "Containers");
	for (size_t i = 0; i < u->instance_list.n; i++) {
		const struct usage_instance *v = &u->instance_list.v[i];
		struct strs names = {0};

		arena_strs_add(a, &names, arena_printf(a, "/%s", v->name));
		members_item(w);
		members_str(w, "Id", v->id);
		members_list(w, "Names", &names, "[]");
		members_str(w, "Image", v->image);
		members_str(w, "State", v->status);
		members_num(w, "SizeRw", (int64_t)v->bytes);
		members_close(w);
	}
	members_end(w);
}

static int df_volumes(struct apicall *c, struct members *w, const struct usage *u, struct err *e)
{
	struct strs none = {0};
	struct volumes all;
	int r = volume_ctl_list(c->s, &none, c->a, &all, e);

	if (r < 0)
		return r;
	members_array(w, "Volumes");
	for (size_t i = 0; i < u->volume_list.n; i++) {
		const struct usage_volume *v = &u->volume_list.v[i];
		struct strs labels = {0}, options = {0};

		for (size_t k = 0; k < all.n; k++)
			if (streq(all.v[k].name, v->name)) {
				labels = volume_ctl_labels(&all.v[k], c->a);
				options = all.v[k].options;
			}
		members_item(w);
		members_str(w, "Name", v->name);
		members_str(w, "Driver", "local");
		members_str(w, "Scope", "local");
		members_str(w, "Mountpoint",
			    arena_printf(c->a, "%s/volumes/%s/_data", c->s->root, v->name));
		members_map(w, "Labels", &labels, c->a);
		members_map(w, "Options", &options, c->a);
		members_open(w, "UsageData");
		members_num(w, "Size", (int64_t)v->bytes);
		members_num(w, "RefCount", (int64_t)v->instances);
		members_close(w);
		members_close(w);
	}
	members_end(w);
	return 0;
}

int apisystem_df(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct usage u = {0};
	int r = usage_gather(c->s, c->a, &u, e);

	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_num(&w, "LayersSize", (int64_t)u.images.bytes);
	r = df_images(c, &w, &u, e);
	if (r == 0)
		df_instances(&w, &u, c->a);
	if (r == 0)
		r = df_volumes(c, &w, &u, e);
	if (r == 0)
		r = apibuild_usage(c, &w, e);
	if (r < 0)
		return r;
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

/* ---- events ---- */

static int show(const struct event *ev, const char *json, size_t len, void *arg)
{
	struct apicall *c = arg;
	int r = exchange_write(c->x, json, len, NULL);

	return r < 0 ? r : exchange_write(c->x, "\n", 1, NULL);
}

int apisystem_events(struct apicall *c, struct err *e)
{
	struct eventlog_query q = {0};
	int r = apicall_filters(c, &q.filters, e);

	if (r == 0)
		r = apicall_time(c, "since", &q.since_ns, e);
	if (r == 0)
		r = apicall_time(c, "until", &q.until_ns, e);
	if (r == 0)
		r = eventlog_check(&q.filters, e);
	if (r == 0)
		r = exchange_begin(c->x, 200, "application/json", e);
	if (r < 0)
		return r;
	apicall_leave_with_client(c);
	return eventlog_read(c->s, &q, show, c, e);
}
