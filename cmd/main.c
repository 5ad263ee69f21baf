/* xmig: live-migrate a running VM with its local disks. */
#include "command.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    { "send", command_send, "move a running VM to another host" },
    { "list", command_list, "show the migrations that this host knows of" },
    { "recover", command_recover, "settle a migration that was broken off" },
    { "fence", command_fence, "give the old copy's disk images their names back" },
    { "stages", command_stages, "show what a migration consists of" },
    { "recv", command_recv, "receive a VM; started by send, through ssh" },
    { "monitor", command_monitor, "do what is configured when a moved Xen guest turns off" },
    { "lane", command_lane, "carry one stream of a migration; started by send" },
    { "help", command_help, "explain a command" },
    { NULL, NULL, NULL },
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}

static int run(int argc, char *argv[])
{
    const struct command *command = command_find(argv[0]);

    return command ? command->run(argc, argv) : complain_about_command(argv[0]);
}

int main(int argc, char *argv[])
{
    if (argc < 2) {
        fputs("xmig: a command is missing; see 'xmig --help'\n", stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("xmig " XMIG_VERSION);
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return print_overview();
    return run(argc - 1, argv + 1);
}
