/* Leaving the terminal. */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "systemd-scope.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

/* The answer to a child whose move has begun. */
enum {
    GO = 'g',
    STAY = 's' /* at the terminal, to tell how it was called off */
};

/* The command, while it waits for the process that does the move. */
struct waiting {
    pid_t child;
    int fd;         /* the child's end is open until it has left the terminal, or has ended */
    int signals;    /* a signalfd */
    int called_off; /* the signal that came; 0: none */
    bool apart;     /* the child is in a session of its own, which the terminal's signals miss */
};

/* The child answers what calls the move off. */
static void pass_on(struct waiting *waiting)
{
    struct signalfd_siginfo info;

    if (read(waiting->signals, &info, sizeof(info)) != sizeof(info))
        return;
    waiting->called_off = (int)info.ssi_signo;
    if (waiting->apart || info.ssi_code != SI_KERNEL) /* Ctrl-C reaches both by itself */
        kill(waiting->child, waiting->called_off);
}

/* The move has begun. True: it goes on by itself. False: a signal came before. The child may have
 * missed that while it left its session, and does not mind to hear of it twice.
 */
static bool let_go(struct waiting *waiting)
{
    char word = waiting->called_off ? STAY : GO;

    waiting->apart = true;
    if (waiting->called_off)
        kill(waiting->child, waiting->called_off);
    return send(waiting->fd, &word, 1, MSG_NOSIGNAL) == 1 && word == GO;
}

/* True: the move `id` goes on by itself. False: the child ends. A signal that is here counts
 * before what the child says.
 */
static bool await_beginning(struct waiting *waiting, char id[17])
{
    struct pollfd polled[] = { { .fd = waiting->signals, .events = POLLIN },
                               { .fd = waiting->fd, .events = POLLIN } };

    for (;;) {
        if (poll(polled, 2, -1) < 0)
            continue;
        if (polled[0].revents) {
            pass_on(waiting);
            continue;
        }
        if (read(waiting->fd, id, 16) != 16) {
            id[0] = '\0';
            return false;
        }
        id[16] = '\0';
        if (let_go(waiting))
            return true;
    }
}

static int status_of(pid_t child)
{
    int ended;

    while (waitpid(child, &ended, 0) < 0)
        if (errno != EINTR)
            abort();
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

static void enter_scope(void)
{
    AUTO_FREE char *scope = formatted("xmig-send-%d.scope", (int)getpid());

    systemd_scope_enter(scope);
}

/* What calls a move off, unless our caller has us ignore it. */
static sigset_t calling_off(void)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    return set;
}

bool detach_begin(int *fd, char id[17], int *status, struct error *err)
{
    sigset_t caught = calling_off(), before;
    struct waiting waiting;
    int both[2];

    signal(SIGCHLD, SIG_DFL); /* ignored, a child's exit status would be lost */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
    sigprocmask(SIG_BLOCK, &caught, &before);
    waiting = (struct waiting){ .child = fork(), .fd = both[0] };
    if (waiting.child < 0)
        error_set(err, ERROR_SYSTEM, "cannot start a process: %m");
    if (waiting.child > 0) {
        close(both[1]);
        waiting.signals = signalfd(-1, &caught, SFD_CLOEXEC);
        *status = await_beginning(&waiting, id) ? 0 : status_of(waiting.child);
        close(waiting.signals);
        close(both[0]);
        return false; /* the signals stay blocked: what comes now is too late to change anything */
    }
    close(both[0]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    *fd = both[1];
    if (waiting.child == 0)
        enter_scope();
    else
        close(both[1]);
    return waiting.child == 0;
}

bool detach_go(int fd, const char *id)
{
    AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char word = GO; /* also of one that has gone meanwhile */

    (void)setsid(); /* first: Ctrl-C reaches either both of us, or only who waits */
    if (send(fd, id, 16, MSG_NOSIGNAL) == 16)
        while (recv(fd, &word, 1, 0) < 0 && errno == EINTR)
            ;
    if (word == STAY)
        return false; /* who waits sees our end by `fd` */
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        abort();
    close(fd);
    return true;
}
