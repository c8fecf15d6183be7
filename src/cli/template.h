/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template - what may stand behind --format: the part of Go's templates that docker's documentation
 * shows, over a JSON document.
 *
 *	{{.Names}}  {{.State.Pid}}  {{json .Config}}  {{upper .X}} {{lower .X}} {{title .X}}
 *	{{len .X}} {{index .Labels "k"}} {{(index .List 0).Name}} {{join .List ", "}} {{split .X
 *":"}}
 *	{{pad .X 1 2}} {{truncate .X 12}} {{print}} {{println .X}} {{printf "%-10s" .X}} {{.X |
 *json}}
 *	{{eq .X "y" "z"}} {{ne}} {{lt}} {{le}} {{gt}} {{ge}} {{and .A .B}} {{or}} {{not}}
 *	{{range .List}}..{{else}}..{{end}}  {{range $k, $v := .Map}}..{{end}}  {{with .X}}..{{end}}
 *	{{if .X}}..{{else if .Y}}..{{else}}..{{end}}  {{$x := .Y}}  {{- .X -}}  {{/ * nothing * /}}
 *
 * "\t" and "\n" in the text mean what they say.  A path that leads nowhere prints "<no value>".
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

struct buf;
struct err;
struct json;
struct strs;

/* Append the template filled from j.  ERR_USAGE names what is not understood. */
int template_print(const char *text, const struct json *j, struct buf *out, struct err *e);

/* Append one line, no longer than row may be: the template filled from the JSON object in row.  Its
 * members are somebody else's text (names, commands, labels): tabs of the template stay, controls
 * of theirs become visible. */
int template_row(const char *text, const struct buf *row, struct buf *out, struct err *e);

/* Where the text asks for one, ".Label KEY": the row, an object, gets them as an object. */
void template_label(const char *text, const struct strs *labels, struct buf *row);
/* The rest of a --format behind "table " when it asks for a table, else NULL. */
const char *template_table(const char *format);
/* "{{.Names}}\t{{.ID}}" to "NAMES\tCONTAINER ID\n": heads[] are pairs of member and heading. */
void template_head(const char *text, const char *const (*heads)[2], struct buf *out);
/* Lines of tab-separated cells to aligned columns, three blanks between, as docker's. */
void template_align(const struct buf *lines, struct buf *out);

#endif
