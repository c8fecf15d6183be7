/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/event.h"
#include "base/buf.h"
#include "base/str.h"

static const struct jbind_field actor_fields[] = {
    JB(struct event_actor, id, "ID", JBIND_STR),
    JB(struct event_actor, attributes, "Attributes", JBIND_MAP, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind actor_table = {.size = sizeof(struct event_actor),
					 .fields = actor_fields};

#define E(member, key, type, ...) JB(struct event, member, key, type, ##__VA_ARGS__)
static const struct jbind_field fields[] = {
    E(status, "status", JBIND_STR),
    E(id, "id", JBIND_STR),
    E(from, "from", JBIND_STR),
    E(type, "Type", JBIND_STR, .flags = JBIND_REQUIRED),
    E(action, "Action", JBIND_STR, .flags = JBIND_REQUIRED),
    E(actor, "Actor", JBIND_OBJ, .sub = &actor_table),
    E(scope, "scope", JBIND_STR),
    E(time, "time", JBIND_INT),
    E(time_ns, "timeNano", JBIND_INT),
    JB_END,
};
const struct jbind event_table = {.size = sizeof(struct event), .fields = fields};

void event_write(const struct event *e, int64_t now_ns, struct buf *out)
{
	struct event all = *e;

	/* Docker's older clients read these; networks and volumes never had them. */
	if (streq(e->type, "container") || streq(e->type, "image")) {
		all.status = e->action;
		all.id = e->actor.id;
	}
	if (streq(e->type, "container"))
		all.from = jbind_lookup(&e->actor.attributes, "image");
	all.scope = "local";
	all.time = now_ns / 1000000000;
	all.time_ns = now_ns;
	jbind_write(&event_table, &all, out);
	buf_puts(out, "\n");
}
