/* xmig limit: another --bwlimit for a move that is under way. */
#include "command.h"

#include <stdio.h>

#include "migration-view.h"
#include "option-syntax.h"
#include "report.h"
#include "pipeline/status-socket.h"
#include "xmig/cleanup.h"
#include "xmig/units.h"

static const char help_text[] =
    "usage: xmig limit [--json] ID|VM RATE\n"
    "\n"
    "From now on the move sends at most RATE bytes a second, RAM and all disks together, as\n"
    "'xmig send --bwlimit RATE' does from its beginning; 0: no limit. Run it on the host that\n"
    "the VM comes from. While the VM stands still, no limit holds.\n"
    "\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

struct limit_options {
    bool help;
    bool json;
    const char *which;
    const char *rate;
};

#define OPTIONS_OF struct limit_options

static bool parse(struct limit_options *options, int argc, char *argv[], uint64_t *rate,
                  struct error *err)
{
    static const struct option_row rows[] = {
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    static const char *const names[] = { "ID or VM", "RATE", NULL };

    *options = (struct limit_options){ 0 };
    if (!take_all(rows, options, argc, argv, err))
        return false;
    return options->help ||
           (take_operands(argc, argv, names,
                          (const char **const[]){ &options->which, &options->rate }, err) &&
            (parse_size(options->rate, rate, err) || error_prefix(err, "RATE")));
}

static bool set(const struct migration_view *view, uint64_t rate, char **status, struct error *err)
{
    if (!view_is_at_work(view, err))
        return false;
    if (view->m.side == SIDE_RECV)
        return error_set(err, ERROR_REFUSED,
                         "the source limits what it sends: run 'xmig limit %s RATE' on %s",
                         view->m.id, view_peer(view));
    if (journal_last(view->m.journal) != RECORD_BEGIN)
        return error_set(err, ERROR_REFUSED, "migration %s is not limited any more: %s", view->m.id,
                         journal_meaning(view->m.journal));
    return status_limit(&view->m, rate, status, err) &&
           (!rate || status_is_limited(*status) ||
            error_set(err, ERROR_REFUSED,
                      "migration %s was begun without --bwlimit, and %s has an older xmig, which "
                      "cannot limit it: it goes on without a limit",
                      view->m.id, view_peer(view)));
}

static int limit(const struct limit_options *options, uint64_t rate)
{
    struct output_options output = { .json = options->json };
    struct report *report = report_new("xmig limit", &output, stdout, stderr);
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    AUTO_FREE char *said = NULL;
    struct error err = { 0 };
    struct migration_view view;
    int status;

    if (!view_open(&view, options->which, &err) || !set(&view, rate, &said, &err)) {
        ending_of_failure(&ending,
                          err.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
    } else {
        ending.id = view.m.id;
        snprintf(ending.text, sizeof(ending.text), "migration %s: %s%s", view.m.id, said,
                 status_is_limited(said) ? "" : "; no limit");
    }
    status = report_end(report, &ending);
    report_free(report);
    view_done(&view);
    return status;
}

int command_limit(int argc, char *argv[])
{
    struct limit_options options;
    struct error err = { 0 };
    uint64_t rate = 0;

    if (!parse(&options, argc, argv, &rate, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : limit(&options, rate);
}
