/* Leaving the terminal. */
#include "detach.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scope.h"
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
        ;
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

bool detach_begin(int *fd, char id[17], int *status)
{
    int both[2];
    pid_t child;

    if (pipe2(both, O_CLOEXEC) < 0)
        abort();
    child = fork();
    if (child < 0)
        abort();
    close(both[child != 0]);
    *fd = both[1];
    if (child)
        await(child, both[0], id, status);
    return child == 0;
}

void detach_go(int fd, const char *id)
{
    AUTO_FREE char *scope = formatted("xmig-send-%s.scope", id);
    AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid();
    scope_enter(scope);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        abort();
    (void)!write(fd, id, 16);
    close(fd);
}
