/* The list of commands. */
#include "command.h"

#include <string.h>

static const char help_text[] = "usage: xmig help [COMMAND]\n"
                                "\n"
                                "Explains a command, as 'xmig COMMAND --help' does; without one,\n"
                                "lists them all.\n"
                                "\n"
                                "  -h, --help  this text\n";

static int command_help(int argc, char *argv[]);
static int command_complete(int argc, char *argv[]);

static const struct command commands[] = {
    { "send", command_send, "move a running VM to another host" },
    { "status", command_status, "show how far a move is" },
    { "limit", command_limit, "let a move that is under way send more or less" },
    { "cancel", command_cancel, "call off a move that is under way" },
    { "vms", command_vms, "show which VMs here can be moved" },
    { "list", command_list, "show the migrations that this host knows of" },
    { "report", command_report, "show how a migration went, as a page for a browser" },
    { "recover", command_recover, "settle a migration that was broken off" },
    { "fence", command_fence, "give the old copy's disk images their names back" },
    { "forget", command_forget, "remove the journals of migrations that are finished" },
    { "clean", command_clean, "delete the disk images that a finished migration has left" },
    { "unit", command_unit, "print a systemd unit for a VM that was moved here" },
    { "stages", command_stages, "show what a migration consists of" },
    { "policy", command_policy, "show what senders may do at this host" },
    { "listen", command_listen, "let other hosts move VMs here, over TLS" },
    { "keys", command_keys, "make this host's key for TLS, and trust others" },
    { "recv", command_recv, "receive a VM; started by send, or by listen" },
    { "monitor", command_monitor, "do what is configured when a moved Xen guest turns off" },
    { "guard", command_guard, "settle a migration whose process is gone; started by both sides" },
    { "lane", command_lane, "carry one stream of a migration; started by send" },
    { "launch", command_launch, "become a VM's process; started by recv" },
    { "complete", command_complete, "list what a word can become; started by shells" },
    { "help", command_help, "explain a command" },
    { NULL, NULL, NULL },
};

static const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}

static int command_help(int argc, char *argv[])
{
    const struct command *command;

    if (argc < 2)
        return print_overview(commands);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return print_help(help_text);
    command = command_find(argv[1]);
    if (!command)
        return complain_about_command(commands, argv[1]);
    return command->run(2, (char *[]){ argv[1], "--help", NULL });
}

static int command_complete(int argc, char *argv[])
{
    return print_completions(commands, argc, argv);
}

int commands_overview(void)
{
    return print_overview(commands);
}

int commands_run(int argc, char *argv[])
{
    const struct command *command = command_find(argv[0]);

    return command ? command->run(argc, argv) : complain_about_command(commands, argv[0]);
}
