/* xmig listen: let other hosts move VMs here, over TLS. */
#include "command.h"

#include <stdio.h>

#include "options.h"
#include "directories.h"
#include "wrap.h"
#include "transport/listen/listen.h"
#include "transport/listen/sockets.h"

static const char help_text[] =
    "usage: xmig listen [OPTION...] [ADDR]:PORT\n"
    "\n"
    "Lets hosts that this one trusts move VMs here, by 'xmig send VM tls://THIS-HOST:PORT'.\n"
    "Without ADDR it listens at every address. Started by systemd with a socket, it needs\n"
    "no address; see xmig-listen.socket. SIGTERM: no more migrations, and an end when those\n"
    "that are under way have ended.\n"
    "\n"
    "Who may come is said by 'xmig keys trust', and by authorities:\n"
    "      --cacert FILE         authorities that may vouch for a sender's certificate\n"
    "      --crlfile FILE        certificates that they have revoked\n"
    "  -E, --cert FILE           this host's certificate, with those between it and its\n"
    "                            authority; without it: the one of 'xmig keys init'\n"
    "      --key FILE            its key, if that is not in the same file\n"
    "      --max-migrations N    at once (default 64)\n"
    "      --max-per-peer N      of one sender at once (default 16)\n"
    "  -h, --help                this text\n";

static void say(void *arg, const char *text)
{
    (void)arg;
    wrap_say(stderr, WRAP_INDENT, "xmig listen: %s", text);
}

static bool check(const struct listen_command_options *options, struct error *err)
{
    if (options->address)
        return sockets_check(options->address, err);
    return sockets_are_given() ||
           error_set(err, ERROR_REFUSED, "[ADDR]:PORT is missing, and systemd has given no socket");
}

static int run(const struct listen_command_options *options)
{
    struct listen_options listen = {
        .address = options->address,
        .cacert = options->cacert,
        .cert = options->cert,
        .key = options->key,
        .crlfile = options->crlfile,
        .limits = listen_default_limits,
        .say = say,
    };
    struct directories directories;
    struct error err = { 0 };
    bool ok;

    if (options->max_migrations)
        listen.limits.migrations = options->max_migrations;
    if (options->max_per_peer)
        listen.limits.per_peer = options->max_per_peer;
    directories_find_keys(&listen.keys);
    ok = directories_make(&directories, &err);
    listen.runtime_dir = directories.runtime_dir;
    listen.state_dir = directories.state_dir;
    ok = ok && listen_run(&listen, &err);
    if (!ok)
        wrap_say(stderr, WRAP_INDENT, "xmig listen: %s", err.text);
    keys_done(&listen.keys);
    directories_done(&directories);
    return ok ? OUTCOME_DONE : OUTCOME_LOCAL_ERROR;
}

int command_listen(int argc, char *argv[])
{
    struct listen_command_options options;
    struct error err = { 0 };

    if (!parse_listen(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    return check(&options, &err) ? run(&options) : end_with_usage(argc, argv, &err);
}
