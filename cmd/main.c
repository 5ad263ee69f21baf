/* xmig: live-migrate a running VM with its local disks. */
#include "command.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "core/secrets.h"
#include "qmp/secret-names.h"

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

/* Our children run for months: do not pass them what the shell, or sshd, has left open. */
static void pass_on_no_descriptors(void)
{
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        uv_disable_stdio_inheritance();
}

/* A failed stdout is the failure of a command that shows something. A move's status stays. */
static int check_shown(const char *name, int status)
{
    static const char *const shows[] = { "list",   "stages", "policy",   "help",
                                         "--help", "-h",     "--version" };
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
    if (!strcmp(argv[1], "--version"))
        return version(argc - 1, argv + 1);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return commands_overview();
    return commands_run(argc - 1, argv + 1);
}

int main(int argc, char *argv[])
{
    if (!open_what_is_closed()) {
        perror("xmig: cannot open /dev/null");
        return 1;
    }
    pass_on_no_descriptors();
    secrets_are_called(qmp_secret_names);
    if (argc < 2) {
        fputs("xmig: a command is missing; see 'xmig --help'\n", stderr);
        return 2;
    }
    return check_shown(argv[1], run_words(argc, argv));
}
