/* xmig lane: one stream of a migration, from our standard input and output to the
 * hypervisor that receives.
 */
#include "command.h"

#include <signal.h>
#include <stdio.h>

#include "options.h"
#include "directories.h"
#include "wrap.h"

static const char help_text[] =
    "usage: xmig lane [--via SOCKET | --framed] ID TICKET NAME\n"
    "\n"
    "Carries one stream of migration ID (a disk, or RAM) between standard input and\n"
    "output and the hypervisor that receives. 'xmig send' starts it on the target, through\n"
    "ssh; there is no need to type it.\n"
    "\n"
    "      --via SOCKET  start from the source: SOCKET leads to the receiver's door\n"
    "      --framed      what passes by standard input and output is framed: the receiver's\n"
    "                    door starts it so, for a source with --via\n"
    "  -h, --help        this text\n";

static bool join_here(const struct lane_options *options, struct error *err)
{
    struct directories directories;
    bool ok = directories_make(&directories, err) &&
              lane_join(directories.runtime_dir, options->id, options->ticket, options->name,
                        STDIN_FILENO, STDOUT_FILENO, options->framed, err);

    directories_done(&directories);
    return ok;
}

static int join(const struct lane_options *options)
{
    struct error err = { 0 };

    signal(SIGPIPE, SIG_IGN);
    if (options->via ? lane_join_via(options->via, options->ticket, options->name, STDIN_FILENO,
                                     STDOUT_FILENO, &err)
                     : join_here(options, &err))
        return OUTCOME_DONE;
    wrap_say(stderr, WRAP_INDENT, "xmig lane: %s", err.text);
    return OUTCOME_LOCAL_ERROR;
}

int command_lane(int argc, char *argv[])
{
    struct lane_options options;
    struct error err = { 0 };

    if (!parse_lane(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : join(&options);
}
