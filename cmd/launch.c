/* xmig launch: between xmig and a VM's process, at the target. */
#include "command.h"

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

static bool parse_umask(const char *text, mode_t *mask, struct error *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);

    *mask = (mode_t)value;
    return (*text && !*end && value <= 0777) ||
           error_set(err, ERROR_REFUSED, "--umask '%s' is no octal number up to 777", text);
}

static bool take(void *arg, int option, const char *value, struct error *err)
{
    struct launch_options *options = arg;

    if (option == OPTION_UMASK)
        return parse_umask(value, &options->launch.umask, err);
    *(option == 'h' ? &options->help : &options->launch.may_gain_rights) = true;
    return true;
}

int command_launch(int argc, char *argv[])
{
    static const struct option words[] = {
        { "umask", required_argument, NULL, OPTION_UMASK },
        { "may-gain-rights", no_argument, NULL, OPTION_MAY_GAIN_RIGHTS },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    /* '+': what follows the program's name is the program's */
    static const struct syntax syntax = { "+:h", words, take };
    struct launch_options options = { .launch = { .umask = 022 } };
    struct error err = { 0 };

    if (!take_all(&syntax, &options, argc, argv, &err))
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
