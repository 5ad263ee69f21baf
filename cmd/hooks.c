/* Runs the programs of hooks.d, and --on-done. */
#include "hooks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outcome-words.h"
#include "journal-words.h"
#include "next-step.h"
#include "host/system/private-directory.h"
#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    HOOK_MS = 60000
};

static void tell(const struct journal *journal, const char *directory)
{
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);
    const char *peer = journal_peer(journal);
    bool sends = journal_side(journal) == SIDE_SEND;
    char here[256] = "";

    (void)gethostname(here, sizeof(here) - 1);
    setenv("XMIG_ID", journal_id(journal), true);
    setenv("XMIG_SIDE", side_name(journal_side(journal)), true);
    setenv("XMIG_VM", json_string_or(begin, "vm", ""), true);
    setenv("XMIG_HYPERVISOR", json_string_or(begin, "host", ""), true);
    setenv("XMIG_RESULT", outcome_name(journal_outcome(journal)), true);
    setenv("XMIG_WHERE", place_name(place_of(journal_outcome(journal))), true);
    setenv("XMIG_SOURCE", sends ? here : peer ? peer : "", true);
    setenv("XMIG_TARGET", sends ? peer ? peer : "" : here, true);
    setenv("XMIG_DIRECTORY", directory, true);
}

static void run(const char *const words[], struct report *report)
{
    struct loop *loop = loop_new();
    struct error err = { 0 };

    if (!program_run(loop, words, NULL, HOOK_MS, &err))
        report_say(report, "warning: after the end: %s", err.text);
    loop_free(loop);
}

/* As run-parts(8) has it. */
static int is_hook(const struct dirent *entry)
{
    const char *c = entry->d_name;

    while (isalnum((unsigned char)*c) || *c == '_' || *c == '-')
        c++;
    return !*c;
}

static void run_file(const char *path, struct report *report)
{
    struct error err = { 0 };
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
        return;
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        report_say(report, "warning: '%s' is not run: others may write to it (mode %04o)", path,
                   st.st_mode & 07777);
    else if (!private_directory_permits(path, geteuid(), S_IFREG, &err))
        report_say(report, "warning: '%s' is not run: %s", path, err.text);
    else
        run((const char *const[]){ path, NULL }, report);
}

static void run_directory(const char *directory, struct report *report)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_hook, alphasort);

    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = formatted("%s/%s", directory, entries[i]->d_name);

        run_file(path, report);
        free(entries[i]);
    }
    free(entries);
}

/* Nobody else runs them, or has. */
static bool is_ours_to_run(const char *directory, enum side side)
{
    AUTO_FREE char *path = formatted("%s/%s.hooks", directory, side_name(side));
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return fd >= 0;
}

void hooks_run(const struct directories *directories, const char *id, enum side side,
               struct report *report)
{
    AUTO_FREE char *directory = formatted("%s/%s", directories->state_dir, id);
    AUTO_FREE char *hooks = formatted("%s/hooks.d", directories->config_dir);
    struct identity identity;
    enum journal_health health;
    struct journal *journal = NULL;
    const char *command;

    if (identity_read(&identity, NULL))
        journal = journal_open(directories->state_dir, id, side, &identity, &health, NULL);
    if (journal && journal_is_finished(journal) && is_ours_to_run(directory, side)) {
        tell(journal, directory);
        run_directory(hooks, report);
        command = json_string_or(journal_find(journal, RECORD_BEGIN), "on_done", NULL);
        if (command)
            run((const char *const[]){ "/bin/sh", "-c", command, NULL }, report);
    }
    journal_free(journal);
}
