/* SPDX-License-Identifier: Apache-2.0 */
/* dockerinfo - what docker's version and info say, member by member: of the API, and of --format.
 */
#ifndef ENGINE_DOCKERINFO_H
#define ENGINE_DOCKERINFO_H

struct arena;
struct info;
struct members;

/* Versions of docker's Engine API that are spoken. */
#define DOCKERINFO_API	   "1.47"
#define DOCKERINFO_API_MIN "1.24"

void dockerinfo_version(struct members *w); /* of the engine */
void dockerinfo_client(struct members *w);  /* of the command line, which is the same program */
void dockerinfo_info(struct members *w, const struct info *i, struct arena *a);

#endif
