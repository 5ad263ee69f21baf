/* xmig guard: waits for the end of the process that has a side of a migration; then does what
 * `xmig recover` would, as often as it needs (R15 in docs/architecture.md).
 *
 * An attempt is a process of its own: what waits, perhaps for hours, stays small.
 */
#include "command.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "journal-words.h"
#include "options.h"
#include "directories.h"
#include "systemd-scope.h"
#include "recover.h"
#include "wrap.h"
#include "pipeline/commit/guardian.h"
#include "pipeline/commit/reopen.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig guard ID SIDE\n"
    "\n"
    "Watches over migration ID at its SIDE (send or recv). When the process that moves the VM\n"
    "is gone and has left it unsettled, does what 'xmig recover ID' does without options, at\n"
    "once and then again and again, until it is settled. It gives no person's word and ends no\n"
    "process. A move starts it on both sides; there is no need to type it.\n"
    "\n"
    "  -h, --help  this text\n";

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
    /* The source can settle both sides: the target's guardian lets it. */
    HEAD_START_MS = 2 * SECOND_MS,
    /* Between two attempts, at most: while the target cannot be reached; and when it has
     * answered, and what is left is a person's to decide.
     */
    PAUSE_MAX_MS = MINUTE_MS,
    PAUSE_FOR_A_PERSON_MAX_MS = 6 * HOUR_MS,
};

struct guarding {
    const char *id;
    enum side side;
    struct directories directories;
    struct identity identity;
    enum record last;        /* the journal's, as last seen */
    uint64_t lease_ms;       /* the target's; 0: none */
    uint64_t alone_since_ms; /* since when no process has the migration; 0: one has it */
    uint64_t pause_ms;       /* before the next attempt */
    bool attempted;          /* since then */
    bool is_a_persons;       /* the last attempt has found what only a person can settle */
};

enum situation {
    OVER,    /* closed, or its journal is gone */
    AT_WORK, /* a process has the migration */
    ALONE,
};

/* Wait for the end of the process that has the migration, if there is one. */
static enum situation look_at_owner(const struct migration *m)
{
    uint64_t start_time;
    pid_t pid = reopen_living_owner(m, &start_time);

    if (!pid)
        return ALONE;
    (void)process_await(pid, start_time, UINT64_MAX);
    return AT_WORK;
}

static enum situation look(struct guarding *guarding)
{
    struct migration m = { .side = guarding->side };
    enum journal_health health;
    enum situation situation;

    m.journal = journal_open(guarding->directories.state_dir, guarding->id, guarding->side,
                             &guarding->identity, &health, NULL);
    if (!m.journal)
        return health == JOURNAL_MISSING ? OVER : ALONE;
    guarding->last = journal_last(m.journal);
    guarding->lease_ms = json_uint_or(journal_find(m.journal, RECORD_BEGIN), "lease_ms", 0);
    situation = journal_is_finished(m.journal) ? OVER : look_at_owner(&m);
    journal_free(m.journal);
    return situation;
}

/* A descriptor that reports writes to the journal, and its removal. -1: not possible here. */
static int watch_journal(const struct guarding *guarding)
{
    AUTO_CLOSE int fd = inotify_init1(IN_CLOEXEC);
    AUTO_FREE char *path = formatted("%s/%s/%s.journal", guarding->directories.state_dir,
                                     guarding->id, side_name(guarding->side));

    if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) < 0)
        return -1;
    return steal_fd(&fd);
}

static bool has_changed(int journal, uint64_t wait_ms)
{
    struct pollfd changed = { .fd = journal, .events = POLLIN };

    return poll(&changed, 1, (int)wait_ms) > 0;
}

static uint64_t left_of_lease(const struct guarding *guarding)
{
    uint64_t alone_ms = loop_now_ms() - guarding->alone_since_ms;

    return alone_ms < guarding->lease_ms ? guarding->lease_ms - alone_ms : 0;
}

static bool has_lease(const struct guarding *guarding)
{
    return guarding->side == SIDE_RECV && guarding->last == RECORD_PREPARED && guarding->lease_ms;
}

/* After these records the target waits: the source, or a person, has to go on. */
static bool waits_for_others(const struct guarding *guarding)
{
    return guarding->attempted && guarding->side == SIDE_RECV &&
           (guarding->last == RECORD_PREPARED || guarding->last == RECORD_DESTROYED ||
            guarding->last == RECORD_LOST);
}

static uint64_t until_next(const struct guarding *guarding)
{
    uint64_t wait_ms = waits_for_others(guarding) ? HOUR_MS : guarding->pause_ms;

    if (guarding->attempted && has_lease(guarding) && left_of_lease(guarding) < wait_ms)
        wait_ms = left_of_lease(guarding);
    return wait_ms;
}

/* At first at once, then after 1, 2, 4 … seconds. */
static void lengthen_pause(struct guarding *guarding)
{
    uint64_t most_ms = guarding->is_a_persons ? PAUSE_FOR_A_PERSON_MAX_MS : PAUSE_MAX_MS;
    uint64_t next_ms = guarding->attempted ? 2 * guarding->pause_ms : SECOND_MS;

    guarding->pause_ms = next_ms < most_ms ? next_ms : most_ms;
    guarding->attempted = true;
}

static void attempt(struct guarding *guarding)
{
    bool lease_is_over = has_lease(guarding) && left_of_lease(guarding) == 0;
    pid_t pid = fork();
    int status = 0;

    if (pid == 0)
        _exit(recover_unattended(&guarding->directories, guarding->id, guarding->side,
                                 lease_is_over));
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        ;
    guarding->is_a_persons = WIFEXITED(status) && WEXITSTATUS(status) == UNATTENDED_NEEDS_A_PERSON;
    lengthen_pause(guarding);
}

static void begin_anew(struct guarding *guarding)
{
    guarding->alone_since_ms = 0;
    guarding->attempted = false;
    guarding->pause_ms = guarding->side == SIDE_RECV ? HEAD_START_MS : 0;
}

static void watch_over(struct guarding *guarding)
{
    begin_anew(guarding);
    for (;;) {
        AUTO_CLOSE int journal = watch_journal(guarding);

        switch (look(guarding)) {
        case OVER:
            return;
        case AT_WORK:
            begin_anew(guarding);
            continue;
        case ALONE:
            break;
        }
        if (!guarding->alone_since_ms)
            guarding->alone_since_ms = loop_now_ms();
        if (!has_changed(journal, until_next(guarding)))
            attempt(guarding);
    }
}

static int guard(const struct guard_options *options)
{
    struct guarding guarding = { .id = options->id, .side = options->side };
    AUTO_FREE char *scope = NULL;
    struct error err = { 0 };
    bool ok;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    (void)prctl(PR_SET_NAME, "xmig-guard");
    /* Close inherited descriptors: another process may wait for the end of a pipe. */
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    directories_find(&guarding.directories);
    ok = identity_read(&guarding.identity, &err) &&
         guardian_watch(guarding.directories.state_dir, guarding.id, guarding.side, &err);
    if (ok) {
        scope = formatted("xmig-guard-%s-%s.scope", guarding.id, side_name(guarding.side));
        systemd_scope_enter(scope);
        watch_over(&guarding);
        guardian_leave(guarding.directories.state_dir, guarding.id, guarding.side);
    } else {
        wrap_say(stderr, WRAP_INDENT, "xmig guard: %s", err.text);
    }
    directories_done(&guarding.directories);
    return ok ? 0 : 1;
}

int command_guard(int argc, char *argv[])
{
    struct guard_options options;
    struct error err = { 0 };

    if (!parse_guard(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : guard(&options);
}
