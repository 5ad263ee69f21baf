/* The listener: connections wait, become children, and are counted. */
#include "transport/listen/listen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "transport/listen/known-addresses.h"
#include "transport/listen/serve.h"
#include "xmig/cleanup.h"
#include "xmig/loop.h"
#include "xmig/text.h"

const struct listen_limits listen_default_limits = {
    .waiting = 256,
    .handshakes = 16,
    .per_second = 50,
    .connections = 1024,
    .migrations = 64,
    .per_peer = 16,
    .handshake_ms = 5000,
    .known_ms = 3600 * 1000,
};

enum {
    ACCEPT_AT_ONCE = 64,
    LINES_A_SECOND = 20,
    KILL_MS = 3000, /* after a child's own deadline */
    REST_MS = 200,
    REST_SAID_MS = 10 * 1000, /* shortages so close share a line of the log */
};

/* A connection that was accepted, and has sent nothing yet. */
struct waiting {
    int fd; /* -1: closed */
    struct origin origin;
    bool is_known;
    bool is_ready; /* there is something to read */
    uint64_t since_ms;
};

struct child {
    pid_t pid;
    int fd; /* to it */
    struct origin origin;
    bool is_known; /* when it came */
    bool is_authenticated;
    bool is_migration;
    struct fingerprint peer;
    uint64_t since_ms;
};

struct listener {
    const struct listen_options *options;
    struct tls_context context;
    struct sockets sockets;
    struct known_addresses known;
    struct budget strangers;
    struct budget lines;
    unsigned left_out; /* lines */
    int signals;
    uint64_t rests_until_ms; /* the system had nothing left to give */
    bool ending;
    struct waiting *waiting;
    size_t waiting_count;
    struct child *children;
    size_t child_count;
    struct pollfd *polled;
    uint64_t now_ms;
};

/* ---- the log ---- */

static void say(struct listener *listener, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct listener *listener, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    if (!budget_take(&listener->lines, listener->now_ms)) {
        listener->left_out++;
        return;
    }
    va_start(args, format);
    text = vformatted(format, args);
    va_end(args);
    if (listener->left_out) {
        AUTO_FREE char *more = formatted("%u lines were left out", listener->left_out);

        listener->options->say(listener->options->arg, more);
    }
    listener->left_out = 0;
    listener->options->say(listener->options->arg, text);
}

/* ---- shortages ---- */

/* Pause accepting for a moment when the system lacks something: until then poll() would report the
 * same connection again and again.
 */
static void rest(struct listener *listener, const char *what)
{
    if (!listener->rests_until_ms || listener->now_ms > listener->rests_until_ms + REST_SAID_MS)
        say(listener, "cannot %s: %m; trying again every %d ms", what, REST_MS);
    listener->rests_until_ms = listener->now_ms + REST_MS;
}

static bool is_resting(const struct listener *listener)
{
    return listener->now_ms < listener->rests_until_ms;
}

/* ---- children ---- */

/* Count the handshakes under way, of known addresses or of strangers. */
static size_t handshakes(const struct listener *listener, bool known)
{
    size_t count = 0;

    for (size_t i = 0; i < listener->child_count; i++)
        count += !listener->children[i].is_authenticated && listener->children[i].is_known == known;
    return count;
}

/* Count the migrations of one peer, or of all (NULL). */
static size_t migrations(const struct listener *listener, const struct fingerprint *peer)
{
    size_t count = 0;

    for (size_t i = 0; i < listener->child_count; i++)
        count += listener->children[i].is_migration &&
                 (!peer || fingerprint_is(&listener->children[i].peer, peer));
    return count;
}

static void permit(struct listener *listener, struct child *child)
{
    const struct listen_limits *limits = &listener->options->limits;
    struct permission permission = { .granted = true };

    if (listener->ending)
        snprintf(permission.text, sizeof(permission.text), "its listener is being stopped");
    else if (migrations(listener, NULL) >= limits->migrations)
        snprintf(
            permission.text, sizeof(permission.text),
            "as many migrations as --max-migrations permits there (%zu) are under way: try again "
            "later",
            limits->migrations);
    else if (migrations(listener, &child->peer) >= limits->per_peer)
        snprintf(
            permission.text, sizeof(permission.text),
            "as many migrations of this host as --max-per-peer permits there (%zu) are under way: "
            "try again later",
            limits->per_peer);
    permission.granted = !*permission.text;
    child->is_migration = permission.granted;
    (void)send(child->fd, &permission, sizeof(permission), MSG_NOSIGNAL);
}

/* Read a child's message. False: the child has ended. */
static bool hear(struct listener *listener, struct child *child)
{
    struct word word;
    ssize_t got = recv(child->fd, &word, sizeof(word), MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got != sizeof(word))
        return false;
    word.text[sizeof(word.text) - 1] = '\0';
    switch (word.kind) {
    case WORD_KNOWN:
        child->is_authenticated = true;
        child->peer = word.peer;
        known_addresses_add(&listener->known, &child->origin, listener->now_ms);
        break;
    case WORD_ASKS:
        permit(listener, child);
        break;
    case WORD_FAILED:
        say(listener, "%s: %s", child->origin.address, word.text);
        break;
    }
    return true;
}

static void bury(struct listener *listener, size_t number)
{
    struct child *child = &listener->children[number];
    int status = 0;

    close(child->fd);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        say(listener, "%s: its process was ended by signal %d", child->origin.address,
            WTERMSIG(status));
    *child = listener->children[--listener->child_count];
}

/* Become a child: close everything that belongs to other connections. */
static _Noreturn void be_child(struct listener *listener, int fd, int parent,
                               const struct origin *origin)
{
    sockets_close(&listener->sockets);
    close(listener->signals);
    for (size_t i = 0; i < listener->waiting_count; i++)
        if (listener->waiting[i].fd >= 0 && listener->waiting[i].fd != fd)
            close(listener->waiting[i].fd);
    for (size_t i = 0; i < listener->child_count; i++)
        close(listener->children[i].fd);
    serve_connection(&listener->context, fd, parent, origin);
}

static void start_child(struct listener *listener, struct waiting *waiting)
{
    int both[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both) < 0) {
        rest(listener, "start processes");
        return;
    }
    pid = fork();
    if (pid == 0) {
        close(both[0]);
        be_child(listener, waiting->fd, both[1], &waiting->origin);
    }
    if (pid < 0) {
        rest(listener, "start processes");
        close(both[0]);
        close(both[1]);
        return;
    }
    close(both[1]);
    close(steal_fd(&waiting->fd)); /* the child has it */
    listener->children[listener->child_count++] = (struct child){
        .pid = pid,
        .fd = both[0],
        .origin = waiting->origin,
        .is_known = waiting->is_known,
        .since_ms = listener->now_ms,
    };
}

/* ---- connections that wait ---- */

static void remove_gone(struct listener *listener)
{
    size_t kept = 0;

    for (size_t i = 0; i < listener->waiting_count; i++)
        if (listener->waiting[i].fd >= 0)
            listener->waiting[kept++] = listener->waiting[i];
    listener->waiting_count = kept;
}

/* Close a waiting connection to make room: a stranger's before a known address's, and the oldest
 * first.
 */
static bool make_room(struct listener *listener, bool is_known)
{
    for (int known = 0; known <= is_known; known++)
        for (size_t i = 0; i < listener->waiting_count; i++)
            if (listener->waiting[i].is_known == known) {
                say(listener, "%s: too many wait without a word",
                    listener->waiting[i].origin.address);
                close(steal_fd(&listener->waiting[i].fd));
                remove_gone(listener);
                return true;
            }
    return false;
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void accept_some(struct listener *listener, int socket)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct waiting waiting = { .since_ms = listener->now_ms };

        waiting.fd = sockets_accept(socket, &waiting.origin);
        if (waiting.fd < 0 && is_shortage(errno)) {
            rest(listener, "accept connections");
            (void)make_room(listener, false);
        }
        if (waiting.fd < 0)
            return;
        waiting.is_known = known_addresses_has(&listener->known, &waiting.origin, listener->now_ms,
                                               listener->options->limits.known_ms);
        if (listener->waiting_count < listener->options->limits.waiting ||
            make_room(listener, waiting.is_known)) {
            listener->waiting[listener->waiting_count++] = waiting;
        } else {
            say(listener, "%s: too many wait without a word", waiting.origin.address);
            close(waiting.fd);
        }
    }
}

static bool may_start(struct listener *listener, bool is_known)
{
    const struct listen_limits *limits = &listener->options->limits;

    if (is_resting(listener) || listener->child_count >= limits->connections ||
        handshakes(listener, is_known) >= limits->handshakes * (is_known ? 4 : 1))
        return false;
    return is_known || budget_wait_ms(&listener->strangers, listener->now_ms) == 0;
}

static void start_ready(struct listener *listener, bool known)
{
    struct error err = { 0 };

    for (size_t i = 0; i < listener->waiting_count && may_start(listener, known); i++) {
        struct waiting *waiting = &listener->waiting[i];

        if (waiting->fd < 0 || !waiting->is_ready || waiting->is_known != known)
            continue;
        if (!known)
            (void)budget_take(&listener->strangers, listener->now_ms);
        if (tls_context_refresh(&listener->context, &err)) {
            start_child(listener, waiting);
        } else { /* the file that cannot be read may revoke a certificate */
            say(listener, "%s: nobody is let in, for the files have changed: %s",
                waiting->origin.address, err.text);
            close(steal_fd(&waiting->fd));
            error_clear(&err);
        }
    }
}

/* ---- time ---- */

static void end_the_late(struct listener *listener)
{
    uint64_t limit = listener->options->limits.handshake_ms;

    for (size_t i = 0; i < listener->waiting_count; i++) {
        struct waiting *waiting = &listener->waiting[i];

        if (waiting->fd < 0 || listener->now_ms - waiting->since_ms <= 2 * limit)
            continue;
        say(listener, "%s: %s", waiting->origin.address,
            waiting->is_ready ? "too many others are served" : "it said nothing");
        close(steal_fd(&waiting->fd));
    }
    remove_gone(listener);
    for (size_t i = 0; i < listener->child_count; i++) {
        const struct child *child = &listener->children[i];

        if (!child->is_authenticated && listener->now_ms - child->since_ms > limit + KILL_MS)
            kill(child->pid, SIGKILL);
    }
}

static int next_look_ms(const struct listener *listener)
{
    bool any =
        listener->waiting_count > 0 || handshakes(listener, false) + handshakes(listener, true) > 0;
    uint64_t budget = budget_wait_ms(&listener->strangers, listener->now_ms);

    if (is_resting(listener))
        return REST_MS;
    if (!any)
        return -1;
    return budget > 0 && budget < 500 ? (int)budget : 500;
}

/* ---- the loop ---- */

static void begin_to_end(struct listener *listener)
{
    struct signalfd_siginfo info;
    size_t count = migrations(listener, NULL);

    while (read(listener->signals, &info, sizeof(info)) > 0)
        ;
    if (listener->ending) {
        listener->child_count = 0; /* the children go on by themselves */
        return;
    }
    listener->ending = true;
    say(listener, "asked to end: no more migrations; %zu %s awaited", count,
        count == 1 ? "is" : "are");
}

/* Does the listener go on? While migrations are under way it accepts connections, for these may
 * need more lanes.
 */
static bool goes_on(struct listener *listener)
{
    if (!listener->ending || migrations(listener, NULL) > 0)
        return true;
    sockets_close(&listener->sockets);
    while (listener->waiting_count > 0)
        close(listener->waiting[--listener->waiting_count].fd);
    return listener->child_count > 0;
}

/* Fill `polled`: the listening sockets, the waiting connections, then the children. */
static size_t fill(struct listener *listener)
{
    size_t count = 0;

    listener->polled[count++] = (struct pollfd){ .fd = listener->signals, .events = POLLIN };
    for (size_t i = 0; i < listener->sockets.count; i++)
        listener->polled[count++] =
            (struct pollfd){ .fd = is_resting(listener) ? -1 : listener->sockets.fds[i],
                             .events = POLLIN };
    for (size_t i = 0; i < listener->waiting_count; i++) {
        const struct waiting *waiting = &listener->waiting[i];

        listener->polled[count++] =
            (struct pollfd){ .fd = waiting->is_ready ? -1 : waiting->fd, .events = POLLIN };
    }
    for (size_t i = 0; i < listener->child_count; i++)
        listener->polled[count++] =
            (struct pollfd){ .fd = listener->children[i].fd, .events = POLLIN };
    return count;
}

/* Hear the children from the last one on, because the last one takes the place of one that has
 * ended.
 */
static void hear_children(struct listener *listener, const struct pollfd *seen)
{
    for (size_t i = listener->child_count; i-- > 0;)
        if (seen[i].revents && !hear(listener, &listener->children[i]))
            bury(listener, i);
}

static void turn(struct listener *listener)
{
    const struct pollfd *seen = listener->polled;
    size_t count = fill(listener), sockets = listener->sockets.count;

    if (poll(listener->polled, count, next_look_ms(listener)) < 0)
        return;
    listener->now_ms = loop_now_ms();
    hear_children(listener, seen + 1 + sockets + listener->waiting_count);
    for (size_t i = 0; i < listener->waiting_count; i++)
        if (seen[1 + sockets + i].revents)
            listener->waiting[i].is_ready = true;
    for (size_t i = 0; i < sockets; i++)
        if (seen[1 + i].revents)
            accept_some(listener, listener->sockets.fds[i]);
    start_ready(listener, true);
    start_ready(listener, false);
    end_the_late(listener);
    if (seen[0].revents)
        begin_to_end(listener);
}

static bool set_up(struct listener *listener, struct error *err)
{
    const struct listen_limits *limits = &listener->options->limits;
    struct rlimit files;
    sigset_t set;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    listener->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (listener->signals < 0)
        return error_set(err, ERROR_SYSTEM, "cannot wait for signals: %m");
    listener->waiting = must(calloc(limits->waiting, sizeof(*listener->waiting)));
    listener->children = must(calloc(limits->connections, sizeof(*listener->children)));
    listener->polled = must(
        calloc(1 + SOCKETS_MAX + limits->waiting + limits->connections, sizeof(*listener->polled)));
    return sockets_open(&listener->sockets, listener->options->address, err);
}

bool listen_run(const struct listen_options *options, struct error *err)
{
    struct listener listener = {
        .options = options,
        .signals = -1,
        .strangers = { .per_second = options->limits.per_second },
        .lines = { .per_second = LINES_A_SECOND },
        .now_ms = loop_now_ms(),
    };
    bool ok = tls_context_load(&listener.context, options, err) && set_up(&listener, err);

    if (ok)
        say(&listener, "listening at %s",
            options->address ? options->address : "the service manager's sockets");
    while (ok && goes_on(&listener))
        turn(&listener);
    sockets_close(&listener.sockets);
    cleanup_close(&listener.signals);
    free(listener.waiting);
    free(listener.children);
    free(listener.polled);
    tls_context_done(&listener.context);
    return ok;
}
