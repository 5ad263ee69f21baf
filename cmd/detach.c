/* Leaving the terminal. */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "systemd-scope.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

/* Ctrl-C reaches both processes, and the one that does the move answers it. */
static void await(pid_t child, int fd, char id[17], int *status)
{
    ssize_t got;
    int ended;

    signal(SIGINT, SIG_IGN);
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
    int both[2];
    pid_t child;

    signal(SIGCHLD, SIG_DFL); /* ignored, a child's exit status would be lost */
    if (pipe2(both, O_CLOEXEC) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a pipe: %m");
    child = fork();
    if (child < 0) {
        close(both[0]);
        close(both[1]);
        return error_set(err, ERROR_SYSTEM, "cannot start a process: %m");
    }
    close(both[child != 0]);
    *fd = both[1];
    if (child)
        await(child, both[0], id, status);
    else
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
