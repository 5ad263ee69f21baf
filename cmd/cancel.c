/* xmig cancel: call off a move that is under way, as Ctrl-C does at its terminal. */
#include "command.h"

#include <stdio.h>

#include "migration-view.h"
#include "option-syntax.h"
#include "report.h"
#include "pipeline/commit/reopen.h"
#include "xmig/cleanup.h"
#include "xmig/process.h"

static const char help_text[] =
    "usage: xmig cancel [--json] ID|VM\n"
    "\n"
    "Calls a move off that is under way, as Ctrl-C does where it was started, and waits until\n"
    "everything is undone: the VM goes on at the source. It can be run on either host. A VM\n"
    "that has been handed over to the target is not called back: that is refused.\n"
    "\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

enum {
    PATIENCE_MS = 120000 /* a target that is silent is waited for, too */
};

struct cancel_options {
    bool help;
    bool json;
    const char *which;
};

#define OPTIONS_OF struct cancel_options

static bool parse(struct cancel_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };

    *options = (struct cancel_options){ 0 };
    return take_all(rows, options, argc, argv, err) &&
           (options->help || take_operand(argc, argv, "ID or VM", false, &options->which, err));
}

/* Past these records a signal decides nothing, at the source and at the target. */
static bool can_be_cancelled(const struct migration_view *view, struct error *err)
{
    enum record last = journal_last(view->m.journal);

    if (!view_is_at_work(view, err))
        return false;
    if (!reopen_is_first_owner(&view->m))
        return error_set(err, ERROR_REFUSED,
                         "'xmig recover' is settling migration %s already: 'xmig status' shows it",
                         view->m.id);
    if (last == RECORD_BEGIN || (last == RECORD_PAUSING && view->m.side == SIDE_SEND))
        return true;
    if (last == RECORD_PREPARED)
        return error_set(err, ERROR_REFUSED,
                         "a complete copy is here, and the source decides now: run 'xmig cancel "
                         "%s' on %s",
                         view->m.id, view_peer(view));
    return error_set(err, ERROR_REFUSED, "migration %s can no longer be called off: %s", view->m.id,
                     journal_meaning(view->m.journal));
}

static bool end_process(const struct migration_view *view, struct report *report, struct error *err)
{
    uint64_t start_time;
    pid_t pid = reopen_living_owner(&view->m, &start_time);

    report_say(report, "calling off migration %s: waiting until everything is undone", view->m.id);
    return process_terminate(pid, start_time, PATIENCE_MS, err) ||
           error_prefix(err, "migration %s, which 'xmig status' shows, has not ended yet",
                        view->m.id);
}

/* The journal says what came of it: the hand-over may have come first. */
static void look_again(const struct migration_view *before, struct ending *ending)
{
    struct error err = { 0 };
    struct migration_view after;

    if (!view_open(&after, before->m.id, &err)) {
        ending_of_failure(ending, OUTCOME_LOCAL_ERROR, &err);
    } else {
        enum outcome outcome = journal_outcome(after.m.journal);

        ending->where = place_of(outcome);
        ending->status = outcome == OUTCOME_ROLLED_BACK ? OUTCOME_DONE
                         : outcome == OUTCOME_DONE      ? OUTCOME_REFUSED
                                                        : (int)outcome;
        snprintf(ending->text, sizeof(ending->text), "migration %s of '%s': %s", after.m.id,
                 view_vm(&after), journal_meaning(after.m.journal));
        if (outcome == OUTCOME_UNDECIDED)
            snprintf(ending->next, sizeof(ending->next), "xmig status %s", after.m.id);
    }
    view_done(&after);
}

static int cancel(const struct cancel_options *options)
{
    struct output_options output = { .json = options->json };
    struct report *report = report_new("xmig cancel", &output, stdout, stderr);
    struct ending ending = { .status = OUTCOME_DONE };
    struct error err = { 0 };
    struct migration_view view;
    int status;

    if (!view_open(&view, options->which, &err) || !can_be_cancelled(&view, &err) ||
        !end_process(&view, report, &err)) {
        ending_of_failure(&ending,
                          err.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
    } else {
        ending.vm = view_vm(&view);
        ending.id = view.m.id;
        look_again(&view, &ending);
    }
    status = report_end(report, &ending);
    report_free(report);
    view_done(&view);
    return status;
}

int command_cancel(int argc, char *argv[])
{
    struct cancel_options options;
    struct error err = { 0 };

    if (!parse(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : cancel(&options);
}
