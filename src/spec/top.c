/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/top.h"

#define P(member, type) JB(struct top_process, member, #member, type)
static const struct jbind_field process_fields[] = {
    P(pid, JBIND_INT),	      P(ppid, JBIND_INT),
    P(uid, JBIND_U32),	      P(state, JBIND_STR),
    P(tty, JBIND_INT),	      P(nice, JBIND_INT),
    P(threads, JBIND_INT),    P(cpu_ms, JBIND_INT),
    P(started_ms, JBIND_INT), P(vsize_bytes, JBIND_UINT),
    P(rss_bytes, JBIND_UINT), P(comm, JBIND_STR),
    P(args, JBIND_STR),	      JB_END,
};
static const struct jbind process_table = {.size = sizeof(struct top_process),
					   .fields = process_fields};

static const struct jbind_field fields[] = {
    JB(struct top_list, memory_bytes, "memory_bytes", JBIND_UINT),
    JB(struct top_list, processes, "processes", JBIND_LIST, .sub = &process_table),
    JB_END,
};
const struct jbind top_table = {.size = sizeof(struct top_list), .fields = fields};
