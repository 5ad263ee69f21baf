/* A child process of the listener: shakes hands, reads which command the peer wants, and moves
 * bytes.
 */
#include "transport/listen/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "transport/listen/ssl-channel.h"
#include "transport/tls/first-frame.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/lanes.h"

enum {
    FIRST_FRAME_MS = 5000,
    POLICY_NAME = 7 + 64 + 1 /* "sha256:", hexadecimal digits, NUL */
};

struct serving {
    const struct tls_context *context;
    const struct origin *origin;
    int parent;
    struct channel *channel;
    char *name; /* NULL: no fit one */
    struct fingerprint fingerprint;
    bool answered; /* the first frame was answered: the stream is the command's now */
};

/* ---- to the parent ---- */

static void tell(const struct serving *serving, enum word_kind kind, const char *text)
{
    struct word word = { .kind = kind, .peer = serving->fingerprint };

    snprintf(word.text, sizeof(word.text), "%s", text);
    (void)send(serving->parent, &word, sizeof(word), MSG_NOSIGNAL);
}

static bool ask(const struct serving *serving, struct error *err)
{
    struct permission permission;

    tell(serving, WORD_ASKS, "");
    if (recv(serving->parent, &permission, sizeof(permission), 0) != sizeof(permission))
        return error_set(err, ERROR_LOST, "the listener has ended");
    return permission.granted || error_set(err, ERROR_LOST, "%s", permission.text);
}

/* ---- xmig recv ---- */

static void print_policy_name(const struct fingerprint *fingerprint, char text[POLICY_NAME])
{
    size_t len = (size_t)snprintf(text, POLICY_NAME, "sha256:");

    for (size_t i = 0; i < sizeof(fingerprint->hash); i++)
        len += (size_t)snprintf(text + len, POLICY_NAME - len, "%02x", fingerprint->hash[i]);
}

static _Noreturn void be_recv(const struct serving *serving, int fd)
{
    char fingerprint[POLICY_NAME];
    const char *const words[] = { "xmig",
                                  "recv",
                                  "--peer",
                                  serving->origin->address,
                                  "--as",
                                  fingerprint,
                                  serving->name ? "--as" : NULL,
                                  serving->name,
                                  NULL };

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    print_policy_name(&serving->fingerprint, fingerprint);
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(126);
    execv("/proc/self/exe", (char **)words);
    _exit(126);
}

/* Start `xmig recv`. Returns our end of its standard input and output, or -1. */
static int start_recv(const struct serving *serving, pid_t *pid, struct error *err)
{
    int both[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
        return -1;
    }
    *pid = fork();
    if (*pid == 0)
        be_recv(serving, both[1]);
    close(both[1]);
    if (*pid > 0)
        return both[0];
    close(both[0]);
    error_set(err, ERROR_SYSTEM, "cannot start xmig recv: %m");
    return -1;
}

/* Find out whose migration a lane belongs to: its journal says so, if the migration has begun. */
struct search {
    const char *state_dir;
    struct identity identity;
    uint64_t pid;
    char id[17];
};

static void look_into(void *arg, const char *id, enum side side)
{
    struct search *search = arg;
    enum journal_health health;
    struct journal *journal;

    if (side != SIDE_RECV || *search->id)
        return;
    journal = journal_open(search->state_dir, id, side, &search->identity, &health, NULL);
    if (journal && journal_last(journal) != RECORD_CLOSED &&
        !journal_rebooted_since(journal, journal_find(journal, RECORD_BEGIN)) &&
        json_uint_or(journal_find(journal, RECORD_BEGIN), "pid", 0) == search->pid)
        snprintf(search->id, sizeof(search->id), "%s", id);
    journal_free(journal);
}

static bool say_killed(const struct serving *serving, pid_t pid, int number, struct error *err)
{
    struct search search = { .state_dir = serving->context->options->state_dir,
                             .pid = (uint64_t)pid };

    if (identity_read(&search.identity, NULL))
        (void)journal_list(search.state_dir, look_into, &search, NULL);
    return error_set(err, ERROR_SYSTEM, "%s%s%sxmig recv (process %d) was killed by signal %d",
                     *search.id ? "migration " : "", search.id, *search.id ? ": " : "", (int)pid,
                     number);
}

static bool move_bytes(struct serving *serving, int fd, const struct carrier *carrier,
                       struct error *err)
{
    serving->answered = true;
    return answer_say(serving->channel, NULL, err) &&
           channel_pump(serving->channel, fd, -1, &(struct pump_options){ .carrier = *carrier },
                        err);
}

/* Serve `xmig recv`. It may outlive the connection; this process stays as long, because the parent
 * counts migrations by its children.
 */
static bool receive(struct serving *serving, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    pid_t pid = 0;
    int status = 0;
    bool ok;

    if (!ask(serving, err))
        return false;
    fd = start_recv(serving, &pid, err);
    if (fd < 0)
        return false;
    ok = move_bytes(serving, fd, &(struct carrier){ 0 }, err);
    shutdown(fd, SHUT_RDWR);
    channel_free(steal(serving->channel));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return say_killed(serving, pid, WTERMSIG(status), err);
    return ok;
}

/* ---- lanes ---- */

static bool join_lane(struct serving *serving, const struct first_words *words, struct error *err)
{
    struct carrier carrier;
    AUTO_CLOSE int fd = lane_open(serving->context->options->runtime_dir, words->id, words->ticket,
                                  words->name, &carrier, err);

    if (fd < 0)
        return false;
    if (!move_bytes(serving, fd, &carrier, err))
        return error_prefix(err, "migration %s, lane %s", words->id, words->name);
    shutdown(fd, SHUT_RDWR);
    return true;
}

/* ---- a connection ---- */

/* For whoever reads the log here: a sender is told it, too. */
static bool add_cure(const struct verify_rules *rules, struct error *err)
{
    char fingerprint[FINGERPRINT_TEXT];

    if (!rules->is_stranger)
        return false;
    fingerprint_print(&rules->seen, fingerprint);
    return error_append(err, "; if 'xmig keys show' prints %s there, run 'xmig keys trust %s' here",
                        fingerprint, fingerprint);
}

static bool authenticate(struct serving *serving, int fd, struct error *err)
{
    X509 *certificate;

    serving->channel = ssl_channel_accept(serving->context->ssl, fd,
                                          serving->context->options->limits.handshake_ms, err);
    if (!serving->channel)
        return add_cure(&serving->context->rules, err);
    certificate = ssl_channel_certificate(serving->channel);
    /* The certificate of a resumed session was checked when that session began. */
    if (!certificate || !fingerprint_of(certificate, &serving->fingerprint) ||
        X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        X509_free(certificate);
        return error_set(err, ERROR_REFUSED, "its certificate has expired");
    }
    serving->name = tls_context_name_of(serving->context, certificate);
    X509_free(certificate);
    tell(serving, WORD_KNOWN, "");
    return true;
}

static bool serve(struct serving *serving, struct error *err)
{
    AUTO_JSON cJSON *frame = first_frame_read(serving->channel, -1, FIRST_FRAME_MS, err);
    struct first_words words;
    struct error why = { 0 };

    if (!frame)
        return err->kind == ERROR_LOST &&
               error_append(err,
                            "; if it does not take this host's name or key, it says so itself");
    if (words_of_frame(frame, &words, err) &&
        (words.is_lane ? join_lane(serving, &words, err) : receive(serving, err)))
        return true;
    if (!serving->answered) {
        error_set(&why, err->kind, "%s", err->text);
        if (answer_say(serving->channel, &why, NULL))
            ssl_channel_linger(serving->channel);
    }
    return false;
}

/* Ignore a hang-up or a Ctrl-C at the listener's terminal: connections that are served go on. */
static void take_signals(void)
{
    sigset_t none;

    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void serve_connection(const struct tls_context *context, int fd, int parent,
                                const struct origin *origin)
{
    struct serving serving = { .context = context, .origin = origin, .parent = parent };
    struct error err = { 0 };
    bool ok;

    take_signals();
    ok = authenticate(&serving, fd, &err) && serve(&serving, &err);
    if (!ok) {
        if (serving.name)
            error_prefix(&err, "%s", serving.name);
        tell(&serving, WORD_FAILED, err.text);
    }
    channel_free(serving.channel);
    _exit(ok ? 0 : 1);
}
