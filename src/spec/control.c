/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/control.h"

#include <stddef.h>

#define TABLE(name_, struct_, ...)                                                                 \
	static const struct jbind_field name_##_fields[] = {__VA_ARGS__, JB_END};                  \
	const struct jbind name_ = {.size = sizeof(struct_), .fields = name_##_fields}

TABLE(control_hello_table, struct control_hello,
      JB(struct control_hello, version, "version", JBIND_I32, .flags = JBIND_REQUIRED),
      JB(struct control_hello, program, "program", JBIND_STR));

TABLE(control_attach_table, struct control_attach,
      JB(struct control_attach, in, "stdin", JBIND_BOOL),
      JB(struct control_attach, out, "stdout", JBIND_BOOL),
      JB(struct control_attach, err, "stderr", JBIND_BOOL),
      JB(struct control_attach, owner, "owner", JBIND_BOOL));

TABLE(control_start_table, struct control_start, JB(struct control_start, reap, "reap", JBIND_BOOL),
      JB(struct control_start, tied, "tied", JBIND_BOOL));

TABLE(control_exec_table, struct control_exec,
      JB(struct control_exec, process, "process", JBIND_OBJ, .sub = &plan_process_table),
      JB(struct control_exec, in, "stdin", JBIND_BOOL),
      JB(struct control_exec, out, "stdout", JBIND_BOOL),
      JB(struct control_exec, err, "stderr", JBIND_BOOL),
      JB(struct control_exec, rows, "rows", JBIND_OPTINT),
      JB(struct control_exec, columns, "columns", JBIND_OPTINT));

TABLE(control_stop_table, struct control_stop, JB(struct control_stop, signal, "signal", JBIND_INT),
      JB(struct control_stop, timeout_ms, "timeout_ms", JBIND_OPTINT),
      JB(struct control_stop, discard, "discard", JBIND_BOOL));

TABLE(control_snapshot_table, struct control_snapshot,
      JB(struct control_snapshot, dir, "dir", JBIND_STR, .flags = JBIND_REQUIRED));

TABLE(control_snapshot_done_table, struct control_snapshot_done,
      JB(struct control_snapshot_done, pause_ns, "pause_ns", JBIND_INT, .flags = JBIND_KEEP));

TABLE(control_update_table, struct control_update,
      JB(struct control_update, resources, "resources", JBIND_PTR, .sub = &plan_resources_table),
      JB(struct control_update, restart, "restart", JBIND_STR),
      JB(struct control_update, name, "name", JBIND_STR));

TABLE(control_update_in_table, struct control_update,
      JB(struct control_update, resources_json, "resources", JBIND_RAW),
      JB(struct control_update, restart, "restart", JBIND_STR),
      JB(struct control_update, name, "name", JBIND_STR));
