/* xmig forget: remove what is left of migrations that are finished: journals, logs, sockets. */
#include "command.h"

#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find-id.h"
#include "leftovers.h"
#include "journal-words.h"
#include "option-syntax.h"
#include "directories.h"
#include "report.h"
#include "check-finished.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"
#include "xmig/units.h"

static const char help_text[] =
    "usage: xmig forget [OPTION...] ID...\n"
    "       xmig forget [OPTION...] --older AGE\n"
    "\n"
    "Removes the journals and logs of migrations that are finished, and what dead processes\n"
    "of theirs have left in the runtime directory. Images of disks stay: see xmig clean.\n"
    "One that is not finished is never forgotten: xmig recover settles it; nor one that has\n"
    "brought a VM here which runs, for its log is there. ID may be the beginning of one, or the\n"
    "VM's name.\n"
    "\n"
    "      --older AGE  all that ended more than AGE ago: 12h, or 720h for 30 days\n"
    "      --json       for programs: see xmig-json(5)\n"
    "  -h, --help       this text\n";

struct forgetting {
    struct directories directories;
    struct identity identity;
    struct report *report;
    bool help, json;
    uint64_t older_ms;
    size_t count;
};

static bool forget(struct forgetting *forgetting, const char *id, struct error *err)
{
    cJSON *body;

    if (!leftovers_remove(&forgetting->directories, id, err))
        return false;
    body = json_new("id", id);
    report_json(forgetting->report, "forgotten", body);
    if (!forgetting->json)
        printf("%s\n", id);
    return true;
}

static bool forget_one(struct forgetting *forgetting, const char *word, struct error *err)
{
    char id[17];

    return find_id(forgetting->directories.state_dir, &forgetting->identity, word, id, err) &&
           check_finished(forgetting->directories.state_dir, &forgetting->identity, id, NULL,
                          err) &&
           leftovers_are_quiet(&forgetting->directories, id, err) && forget(forgetting, id, err);
}

static void forget_if_old(void *arg, const char *id, enum side side)
{
    struct forgetting *forgetting = arg;
    struct error err = { 0 };
    uint64_t age_ms = 0;

    (void)side; /* of its two sides the second finds nothing any more */
    if (!check_finished(forgetting->directories.state_dir, &forgetting->identity, id, &age_ms,
                        NULL) ||
        age_ms < forgetting->older_ms || !leftovers_are_quiet(&forgetting->directories, id, NULL))
        return;
    if (!forget(forgetting, id, &err))
        wrap_say(stderr, WRAP_INDENT, "xmig forget: %s: %s", id, err.text);
}

/* Remove the runtime directories of dry runs, and of processes that died without a journal. */
static void sweep_runtime(const struct forgetting *forgetting)
{
    DIR *dir = opendir(forgetting->directories.runtime_dir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_FREE char *state =
            formatted("%s/%s", forgetting->directories.state_dir, entry->d_name);
        AUTO_FREE char *runtime =
            formatted("%s/%s", forgetting->directories.runtime_dir, entry->d_name);
        struct stat st;

        if (!journal_valid_id(entry->d_name) || access(state, F_OK) == 0 ||
            lstat(runtime, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        if ((uint64_t)(time(NULL) - st.st_mtime) * 1000 >= forgetting->older_ms)
            leftovers_remove_sockets(runtime);
    }
    if (dir)
        closedir(dir);
}

static int run(struct forgetting *forgetting, char *const words[])
{
    struct output_options output = { .json = forgetting->json, .quiet = true };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    bool ok;
    int status;

    forgetting->report = report_new("xmig forget", &output, stdout, stderr);
    directories_find(&forgetting->directories);
    ok = identity_read(&forgetting->identity, &err);
    for (; ok && *words; words++)
        ok = forget_one(forgetting, *words, &err);
    if (ok && forgetting->older_ms) {
        ok = journal_list(forgetting->directories.state_dir, forget_if_old, forgetting, &err);
        sweep_runtime(forgetting);
    }
    if (!ok)
        end_unremoved(&ending, &err);
    status = report_end(forgetting->report, &ending);
    report_free(forgetting->report);
    directories_done(&forgetting->directories);
    return status;
}

#define OPTIONS_OF struct forgetting
int command_forget(int argc, char *argv[])
{
    static const struct option_row rows[] = {
        TIME_OPTION("older", older_ms),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    struct forgetting forgetting = { 0 };
    struct error err = { 0 };

    if (!take_all(rows, &forgetting, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (forgetting.help)
        return print_help(help_text);
    if ((optind == argc) != !forgetting.older_ms)
        return run(&forgetting, argv + optind);
    error_set(&err, ERROR_REFUSED, "say either IDs or --older AGE, which is not 0");
    return end_with_usage(argc, argv, &err);
}
