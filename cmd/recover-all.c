/* xmig recover --all: what this host's migrations have left, after a boot say, when no guardian
 * lives.
 *
 * Each is a process of its own, as an attempt of the guardian's is: its lock ends with it.
 */
#include "recover-all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "journal-words.h"
#include "directories.h"
#include "recover.h"
#include "report-json.h"
#include "report.h"
#include "wrap.h"
#include "pipeline/commit/guardian.h"
#include "xmig/cleanup.h"

enum {
    BODY_MAX = 65536
};

struct sweep {
    const struct recover_command_options *options;
    struct directories directories;
    struct identity identity;
    struct report *report;
    enum side side; /* whose journals are looked at now */
    size_t count;
    int worst; /* exit status */
};

/* ---- one ---- */

/* A journal that cannot be read is due, too, so that it is reported. */
static bool is_due(const struct sweep *sweep, const char *id)
{
    enum journal_health health;
    struct journal *journal = journal_open(sweep->directories.state_dir, id, sweep->side,
                                           &sweep->identity, &health, NULL);
    bool due = journal ? !journal_is_finished(journal) : health != JOURNAL_MISSING;

    journal_free(journal);
    return due;
}

static void run_child(const struct sweep *sweep, const char *id, int out)
{
    AUTO_JSON cJSON *body = recover_one_of_all(&sweep->directories, id, sweep->side);
    AUTO_FREE char *text = json_print(body);

    if (!guardian_pid(sweep->directories.state_dir, id, sweep->side))
        guardian_leave(sweep->directories.state_dir, id, sweep->side);
    _exit(write(out, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : 1);
}

/* Until the child has closed its end. The caller frees it; NULL: it said nothing whole. */
static cJSON *read_body(int in)
{
    AUTO_FREE char *text = must(calloc(1, BODY_MAX));
    size_t len = 0;
    ssize_t got;

    while (len < BODY_MAX - 1 && (got = read(in, text + len, BODY_MAX - 1 - len)) > 0)
        len += (size_t)got;
    return cJSON_Parse(text);
}

/* The caller frees it; NULL: an error. */
static cJSON *settle(const struct sweep *sweep, const char *id, struct error *err)
{
    int ends[2];
    cJSON *body;
    pid_t pid;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot start a process for it: %m");
        return NULL;
    }
    if (pid == 0)
        run_child(sweep, id, ends[1]);
    close(ends[1]);
    body = read_body(ends[0]);
    close(ends[0]);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (!body)
        error_set(err, ERROR_SYSTEM, "the process that was at it has died");
    return body;
}

/* ---- telling ---- */

/* From what leaves nothing to do to what may put the VM in danger. */
static int badness(int status)
{
    static const int order[] = { OUTCOME_DONE,        OUTCOME_ROLLED_BACK, OUTCOME_CLEANUP,
                                 OUTCOME_LOCAL_ERROR, OUTCOME_PAUSED,      OUTCOME_NOWHERE,
                                 OUTCOME_UNDECIDED };
    int count = sizeof(order) / sizeof(order[0]);

    for (int i = 0; i < count; i++)
        if (order[i] == status)
            return i;
    return count;
}

static void tell(struct sweep *sweep, const char *id, cJSON *body)
{
    int status = (int)json_uint_or(body, "status", OUTCOME_LOCAL_ERROR);
    const char *why = json_string_or(cJSON_GetObjectItemCaseSensitive(body, "error"), "text", NULL);
    const char *next = json_string_or(body, "next", NULL);

    sweep->count++;
    if (badness(status) > badness(sweep->worst))
        sweep->worst = status;
    if (!sweep->options->output.json &&
        (!sweep->options->output.quiet || badness(status) > badness(OUTCOME_ROLLED_BACK)))
        wrap_say(stdout, WRAP_INDENT, "%s  %s  %d: %s%s%s%s%s%s", id, side_name(sweep->side),
                 status, json_string_or(body, "text", "?"), why ? " (" : "", why ? why : "",
                 why ? ")" : "", next ? "; next: " : "", next ? next : "");
    cJSON_AddStringToObject(body, "side", side_name(sweep->side));
    cJSON_ReplaceItemInObject(body, "id", must(cJSON_CreateString(id)));
    report_json(sweep->report, "recovered", cJSON_Duplicate(body, true));
}

static void on_journal(void *arg, const char *id, enum side side)
{
    struct sweep *sweep = arg;
    struct ending failure;
    struct error err = { 0 };
    AUTO_JSON cJSON *body = NULL;

    if (side != sweep->side || !is_due(sweep, id))
        return;
    body = settle(sweep, id, &err);
    if (!body) {
        ending_of_failure(&failure, OUTCOME_LOCAL_ERROR, &err);
        body = json_of_ending(&failure, NULL);
    }
    tell(sweep, id, body);
}

/* ---- all ---- */

/* The source's side can settle both, where both are on this host. */
static bool sweep_all(struct sweep *sweep, struct error *err)
{
    static const enum side sides[] = { SIDE_SEND, SIDE_RECV };

    if (!identity_read(&sweep->identity, err))
        return false;
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        sweep->side = sides[i];
        if ((!sweep->options->has_side || sweep->options->side == sides[i]) &&
            !journal_list(sweep->directories.state_dir, on_journal, sweep, err))
            return false;
    }
    return true;
}

static void describe(const struct sweep *sweep, struct ending *ending)
{
    *ending = (struct ending){ .status = sweep->worst,
                               .no_vm = true,
                               .result.outcome = (enum outcome)sweep->worst };
    if (sweep->count)
        snprintf(ending->text, sizeof(ending->text), "migrations that were not finished: %zu",
                 sweep->count);
    else
        snprintf(ending->text, sizeof(ending->text), "no unfinished migrations here (%s)",
                 sweep->directories.state_dir);
}

int recover_all(const struct recover_command_options *options)
{
    struct sweep sweep = { .options = options,
                           .report = report_new("xmig recover", &options->output, stdout, stderr),
                           .worst = OUTCOME_DONE };
    struct ending ending;
    struct error err = { 0 };
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (directories_make(&sweep.directories, &err) && sweep_all(&sweep, &err))
        describe(&sweep, &ending);
    else
        ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, &err);
    status = report_end(sweep.report, &ending);
    report_free(sweep.report);
    directories_done(&sweep.directories);
    return status;
}
