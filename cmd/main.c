/* xmig: live-migrate a running VM with its local disks. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct command commands[] = {
    { "send", command_send, "move a running VM to another host" },
    { "list", command_list, "show the migrations that this host knows of" },
    { "recover", command_recover, "settle a migration that was broken off" },
    { "fence", command_fence, "give the old copy's disk images their names back" },
    { "forget", command_forget, "remove the journals of migrations that are finished" },
    { "clean", command_clean, "delete the disk images that a finished migration has left" },
    { "stages", command_stages, "show what a migration consists of" },
    { "recv", command_recv, "receive a VM; started by send, through ssh" },
    { "monitor", command_monitor, "do what is configured when a moved Xen guest turns off" },
    { "guard", command_guard, "settle a migration whose process is gone; started by both sides" },
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

/* A standard descriptor that is closed would be given to the next file that is opened, which
 * then were what is read from and printed to; libuv aborts when it owns one of the three.
 */
static bool open_what_is_closed(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* What was to be shown has not been. A move's status says where the VM runs, whoever reads. */
static int check_shown(const char *name, int status)
{
    static const char *const shows[] = { "list", "stages", "help", "--help", "-h", "--version" };
    bool failed = fflush(stdout) == EOF || ferror(stdout);

    if (!failed || errno == EPIPE)
        return status;
    perror("xmig: cannot write to standard output");
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
        if (status == 0 && !strcmp(name, shows[i]))
            return 1;
    return status;
}

static int run_words(int argc, char *argv[])
{
    if (!strcmp(argv[1], "--version")) {
        puts("xmig " XMIG_VERSION);
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return print_overview();
    return run(argc - 1, argv + 1);
}

int main(int argc, char *argv[])
{
    if (!open_what_is_closed()) {
        perror("xmig: cannot open /dev/null");
        return 1;
    }
    if (argc < 2) {
        fputs("xmig: a command is missing; see 'xmig --help'\n", stderr);
        return 2;
    }
    return check_shown(argv[1], run_words(argc, argv));
}
