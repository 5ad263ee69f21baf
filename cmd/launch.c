/* xmig launch: between xmig and a VM's process, at the target. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>

#include "option-syntax.h"
#include "wrap.h"
#include "host/system/launch.h"

static const char help_text[] =
    "usage: xmig launch [--umask MODE] [--may-gain-rights] PROGRAM [WORD]...\n"
    "\n"
    "Becomes PROGRAM, which inherits no descriptor but the standard ones, and can gain no rights\n"
    "(no_new_privs). What it writes to standard output and error, if both are one file, is kept\n"
    "there up to 1 MiB. 'xmig recv' starts a VM's process so; there is no need to type it.\n"
    "\n"
    "      --umask MODE       the file mode mask, in octal\n"
    "      --may-gain-rights  without no_new_privs: it starts a set-user-ID helper\n"
    "  -h, --help             this text\n";

struct launch_options {
    bool help;
    struct launch launch;
};

static bool take_umask(void *member, const struct option_row *row, const char *text,
                       struct error *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);

    *(mode_t *)member = (mode_t)value;
    return (*text && !*end && value <= 0777) ||
           error_set(err, ERROR_REFUSED, "--%s '%s' is no octal number up to 777", row->name, text);
}

#define OPTIONS_OF struct launch_options

int command_launch(int argc, char *argv[])
{
    static const struct option_row rows[] = {
        VALUE_OPTION("umask", 0, launch.umask, take_umask),
        FLAG_OPTION("may-gain-rights", 0, launch.may_gain_rights),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    struct launch_options options = { .launch = { .umask = 022 } };
    struct error err = { 0 };

    if (!take_leading(rows, &options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    if (optind == argc) {
        error_set(&err, ERROR_REFUSED, "PROGRAM is missing");
        return end_with_usage(argc, argv, &err);
    }
    launch_become(&options.launch, argv + optind, &err);
    wrap_say(stderr, WRAP_INDENT, "xmig launch: %s", err.text);
    return 127;
}
