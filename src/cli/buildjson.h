/* SPDX-License-Identifier: Apache-2.0 */
/* buildjson - a build's progress as lines of JSON on stderr, each a solve status as BuildKit's
 * client writes it: "vertexes", "logs", "warnings". */
#ifndef CLI_BUILDJSON_H
#define CLI_BUILDJSON_H

struct builder_event;
struct buildjson;

struct buildjson *buildjson_open(void);
void buildjson_event(struct buildjson *j, const struct builder_event *ev);
/* failed: the step's number, 0: none.  j is freed. */
void buildjson_close(struct buildjson *j, unsigned int failed, const char *why);

#endif
