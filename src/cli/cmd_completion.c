/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts know nothing of commands and options: they ask `caisson __complete`, so that they are
 * right for whatever version is installed. */
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"

#include <stdio.h>

static const struct opt completion_opts[] = {OPT_END};

static const char bash[] =
    "# caisson completion bash\n"
    "_caisson() {\n"
    "\tlocal line cur words\n"
    "\tCOMPREPLY=()\n"
    "\t# Names of images hold colons, at which bash breaks words: by the line instead.\n"
    "\tread -r -a words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
    "\t[[ ${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]] && words+=(\"\")\n"
    "\tcur=${words[${#words[@]}-1]}\n"
    "\t[[ $cur == *=* ]] && cur=${cur#*=}\n"
    "\twhile IFS= read -r line; do\n"
    "\t\tif [[ $line == :file ]]; then\n"
    "\t\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\t\tCOMPREPLY+=($(compgen -f -- \"$cur\"))\n"
    "\t\telse\n"
    "\t\t\tline=${line%%$'\\t'*}\n"
    "\t\t\t[[ $cur == *:* ]] && line=${line#\"${cur%:*}:\"}\n"
    "\t\t\tCOMPREPLY+=(\"$line\")\n"
    "\t\tfi\n"
    "\tdone < <(\"${words[0]}\" __complete -- \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _caisson caisson\n";

static const char zsh[] =
    "#compdef caisson\n"
    "_caisson() {\n"
    "\tlocal line\n"
    "\tlocal -a found\n"
    "\tlocal files=0\n"
    "\tfor line in ${(f)\"$(${words[1]} __complete -- ${(@)words[2,CURRENT]} 2>/dev/null)\"}; do\n"
    "\t\tif [[ $line == :file ]]; then files=1; continue; fi\n"
    "\t\tfound+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
    "\tdone\n"
    "\t[[ $PREFIX == *=* ]] && compset -P '*='\n"
    "\t(( $#found )) && _describe caisson found\n"
    "\t(( files )) && _files\n"
    "}\n"
    "if [[ $funcstack[1] == _caisson ]]; then _caisson; else compdef _caisson caisson; fi\n";

static const char fish[] =
    "function __caisson_complete\n"
    "\tset -l words (commandline -opc) (commandline -ct)\n"
    "\tset -l prefix (string match -r -- '^--[^=]+=' $words[-1])\n"
    "\tfor line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)\n"
    "\t\tif test \"$line\" = :file\n"
    "\t\t\t__fish_complete_path (string replace -r -- '^--[^=]+=' '' $words[-1])\n"
    "\t\telse\n"
    "\t\t\techo -- $prefix$line\n"
    "\t\tend\n"
    "\tend\n"
    "end\n"
    "complete -c caisson -f -a '(__caisson_complete)'\n";

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	(void)s;
	(void)args;
	(void)argc;
	if (streq(argv[0], "bash"))
		fputs(bash, stdout);
	else if (streq(argv[0], "zsh"))
		fputs(zsh, stdout);
	else if (streq(argv[0], "fish"))
		fputs(fish, stdout);
	else
		return err_set(e, ERR_USAGE, "completion for bash, zsh or fish, not '%.40s'",
			       argv[0]);
	return fflush(stdout) ? err_sys(e, "standard output") : 0;
}

extern const struct cmd cmd_completion;
const struct cmd cmd_completion = {
    .name = "completion",
    .group = "system",
    .operands = "bash|zsh|fish",
    .summary = "the script that lets a shell complete commands, options and names",
    .opts = completion_opts,
    .operands_min = 1,
    .operands_max = 1,
    .flags = CMD_OUTSIDE,
    .run = run,
};
