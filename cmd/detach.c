/* Leaving the terminal. */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "systemd-scope.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

/* The process that does the move answers what calls it off. Ctrl-C reaches both by itself. */
static void pass_on(int signals, pid_t child)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_code != SI_KERNEL)
        kill(child, (int)info.ssi_signo);
}

static void await(pid_t child, int fd, const sigset_t *caught, char id[17], int *status)
{
    AUTO_CLOSE int signals = signalfd(-1, caught, SFD_CLOEXEC);
    struct pollfd polled[] = { { .fd = fd, .events = POLLIN },
                               { .fd = signals, .events = POLLIN } };
    ssize_t got;
    int ended;

    while (poll(polled, 2, -1) < 0 || !polled[0].revents)
        if (polled[1].revents)
            pass_on(signals, child);
    got = read(fd, id, 16);
    id[got == 16 ? 16 : 0] = '\0';
    *status = 0;
    if (got == 16)
        return;
    while (waitpid(child, &ended, 0) < 0)
        if (errno != EINTR)
            abort();
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

static void enter_scope(void)
{
    AUTO_FREE char *scope = formatted("xmig-send-%d.scope", (int)getpid());

    systemd_scope_enter(scope);
}

bool detach_begin(int *fd, char id[17], int *status, struct error *err)
{
    AUTO_CLOSE int begun = -1;
    sigset_t caught, before;
    int both[2];
    pid_t child;

    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    signal(SIGCHLD, SIG_DFL); /* ignored, a child's exit status would be lost */
    if (pipe2(both, O_CLOEXEC) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a pipe: %m");
    sigprocmask(SIG_BLOCK, &caught, &before);
    child = fork();
    if (child < 0)
        error_set(err, ERROR_SYSTEM, "cannot start a process: %m");
    begun = both[0];
    *fd = both[1];
    if (child) {
        close(*fd);
        if (child > 0)
            await(child, begun, &caught, id, status);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child == 0)
        enter_scope();
    return child == 0;
}

void detach_go(int fd, const char *id)
{
    AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        abort();
    (void)!write(fd, id, 16);
    close(fd);
}
