/* xmig report: a migration as a page that a browser shows. */
#include "command.h"

#include <stdio.h>
#include <unistd.h>

#include "find-id.h"
#include "history.h"
#include "option-syntax.h"
#include "cmd/page/page.h"
#include "directories.h"
#include "report.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig report [OPTION...] [ID|VM]\n"
    "\n"
    "Writes a page that shows a migration to people: its stages on both hosts, how much of each\n"
    "disk and of RAM had moved, the VM's pause, and the journal. Without ID the newest one that\n"
    "this host knows of. The page is one file, which needs nothing else. It may be written while\n"
    "the migration is under way.\n"
    "\n"
    "      --output FILE        where to; - is standard output (default xmig-report-ID.html)\n"
    "      --peer-history FILE  the other side's history, if it is not known here\n"
    "      --json               for programs: see xmig-json(5)\n"
    "  -h, --help               this text\n";

struct reporting {
    struct directories directories;
    struct identity identity;
    struct report *report;
    const char *output, *peer_history;
    bool help;
    bool json;
    char id[17];
};

static void take_newest(void *arg, const char *id, enum side side)
{
    struct reporting *reporting = arg;

    (void)side;
    if (!*reporting->id)
        snprintf(reporting->id, sizeof(reporting->id), "%s", id);
}

static bool find_migration(struct reporting *reporting, const char *word, struct error *err)
{
    const char *state_dir = reporting->directories.state_dir;

    if (word)
        return find_id(state_dir, &reporting->identity, word, reporting->id, err);
    if (!journal_list(state_dir, take_newest, reporting, err))
        return false;
    return *reporting->id ||
           error_set(err, ERROR_REFUSED, "no migration is known in '%s'", state_dir);
}

/* This host's journal; in a local: move the source's. */
static struct journal *open_journal(const struct reporting *reporting, struct error *err)
{
    enum journal_health health;
    struct journal *journal = journal_open(reporting->directories.state_dir, reporting->id,
                                           SIDE_SEND, &reporting->identity, &health, err);

    if (journal || health != JOURNAL_MISSING)
        return journal;
    return journal_open(reporting->directories.state_dir, reporting->id, SIDE_RECV,
                        &reporting->identity, &health, err);
}

static cJSON *lines(const struct reporting *reporting, enum side side, enum side own)
{
    AUTO_FREE char *directory = formatted("%s/%s", reporting->directories.state_dir, reporting->id);

    if (side != own && reporting->peer_history)
        return history_read_file(reporting->peer_history);
    return history_read(directory, side);
}

static bool print_to(const struct reporting *reporting, const struct journal *journal, FILE *out)
{
    enum side own = journal_side(journal);
    struct story story;

    story_read(&story, lines(reporting, SIDE_SEND, own), lines(reporting, SIDE_RECV, own));
    if (!*story.id)
        story.id = reporting->id;
    page_print(out, &story, journal_records(journal), own);
    story_done(&story);
    return fflush(out) == 0;
}

static bool print_file(const struct reporting *reporting, const struct journal *journal,
                       const char *path, struct error *err)
{
    FILE *out = fopen(path, "we");
    bool ok = out && print_to(reporting, journal, out);

    if (out && fclose(out))
        ok = false;
    return ok || error_set(err, ERROR_SYSTEM, "cannot write the report to '%s': %m", path);
}

static bool make(struct reporting *reporting, const char *word, struct error *err)
{
    AUTO_FREE char *path = NULL;
    struct journal *journal;
    cJSON *body;
    bool ok;

    if (!find_migration(reporting, word, err))
        return false;
    journal = open_journal(reporting, err);
    if (!journal)
        return error_prefix(err, "the journal of migration %s", reporting->id);
    path = reporting->output ? must(strdup(reporting->output))
                             : formatted("xmig-report-%s.html", reporting->id);
    ok = !strcmp(path, "-") ? print_to(reporting, journal, stdout)
                            : print_file(reporting, journal, path, err);
    journal_free(journal);
    if (!ok || !strcmp(path, "-"))
        return ok;
    body = json_new("id", reporting->id);
    cJSON_AddStringToObject(body, "file", path);
    report_json(reporting->report, "report", body);
    if (!reporting->json)
        printf("%s\n", path);
    return true;
}

static int run(struct reporting *reporting, const char *word)
{
    struct output_options output = { .json = reporting->json, .quiet = true };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    int status;

    reporting->report = report_new("xmig report", &output, stdout, stderr);
    directories_find(&reporting->directories);
    if (!identity_read(&reporting->identity, &err) || !make(reporting, word, &err))
        ending_of_failure(&ending,
                          err.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR, &err);
    ending.no_vm = true;
    status = report_end(reporting->report, &ending);
    report_free(reporting->report);
    directories_done(&reporting->directories);
    return status;
}

#define OPTIONS_OF struct reporting
int command_report(int argc, char *argv[])
{
    static const struct option_row rows[] = {
        TEXT_OPTION("output", 0, output),
        TEXT_OPTION("peer-history", 0, peer_history),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    struct reporting reporting = { 0 };
    struct error err = { 0 };

    if (!take_all(rows, &reporting, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (reporting.help)
        return print_help(help_text);
    if (argc - optind > 1)
        error_set(&err, ERROR_REFUSED, "one migration a report: say one ID, or the VM's name");
    else if (reporting.json && reporting.output && !strcmp(reporting.output, "-"))
        error_set(&err, ERROR_REFUSED, "--json and the page cannot both go to standard output");
    return err.kind == ERROR_NONE ? run(&reporting, argv[optind])
                                  : end_with_usage(argc, argv, &err);
}
