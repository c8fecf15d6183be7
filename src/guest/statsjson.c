/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/statsjson.h"
#include "fmt/jbind.h"
#include "runtime/cgroup.h"

#define NUMBER(member, key) JB(struct cgroup_stats, member, key, JBIND_UINT, .flags = JBIND_KEEP)

static const struct jbind table = {
    .size = sizeof(struct cgroup_stats),
    .fields =
	(const struct jbind_field[]){
	    NUMBER(cpu_ns, "cpu_ns"),
	    NUMBER(cpu_user_ns, "cpu_user_ns"),
	    NUMBER(cpu_system_ns, "cpu_system_ns"),
	    NUMBER(memory_bytes, "memory_bytes"),
	    NUMBER(memory_limit_bytes, "memory_limit_bytes"),
	    NUMBER(memory_peak_bytes, "memory_peak_bytes"),
	    NUMBER(memory_cache_bytes, "memory_cache_bytes"),
	    NUMBER(memory_anon_bytes, "memory_anon_bytes"),
	    NUMBER(oom_kills, "oom_kills"),
	    NUMBER(pids, "pids"),
	    NUMBER(pids_limit, "pids_limit"),
	    NUMBER(io_read_bytes, "io_read_bytes"),
	    NUMBER(io_write_bytes, "io_write_bytes"),
	    JB_END,
	},
};

void statsjson_write(const struct cgroup_stats *s, struct buf *out)
{
	jbind_write(&table, s, out);
}
