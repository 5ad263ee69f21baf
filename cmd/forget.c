/* xmig forget: remove what is left of migrations that are finished: journals, logs, sockets. */
#include "command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find-id.h"
#include "meaning.h"
#include "option-syntax.h"
#include "places.h"
#include "report.h"
#include "tidy.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"
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
    struct places places;
    struct identity identity;
    struct report *report;
    bool help, json;
    uint64_t older_ms;
    size_t count;
};

/* Remove sockets whose listening process has ended. */
static void remove_dead_sockets(const char *directory)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_FREE char *path = formatted("%s/%s", directory, entry->d_name);
        AUTO_CLOSE int fd = -1;
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
            continue;
        fd = connect_unix(path, NULL);
        if (fd < 0)
            (void)unlink(path);
    }
    if (dir)
        closedir(dir);
    (void)rmdir(directory);
}

/* Journals are removed last: they tell to which migration the other files belong. */
static bool remove_files(const char *directory, bool journals, struct error *err)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    bool ok = dir || error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", directory);

    while (ok && (entry = readdir(dir))) {
        const char *end = strrchr(entry->d_name, '.');
        struct stat st;

        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || journals != (end && !strcmp(end, ".journal")))
            continue;
        ok = unlinkat(dirfd(dir), entry->d_name, 0) == 0 ||
             error_set(err, ERROR_SYSTEM, "cannot remove '%s/%s': %m", directory, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return ok;
}

/* A read lease is given only on a file that nobody has open for writing. */
static bool is_written_to(int dir, const char *name)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
}

/* A VM that was moved here writes its log there as long as it runs. */
static bool is_quiet(const struct forgetting *forgetting, const char *id, struct error *err)
{
    AUTO_FREE char *state = formatted("%s/%s", forgetting->places.state_dir, id);
    DIR *dir = opendir(state);
    const struct dirent *entry;
    bool ok = true;

    while (ok && dir && (entry = readdir(dir))) {
        const char *end = strrchr(entry->d_name, '.');

        ok = !end || strcmp(end, ".log") != 0 || !is_written_to(dirfd(dir), entry->d_name) ||
             error_set(err, ERROR_REFUSED,
                       "migration %s is kept: the VM that it brought here runs, and '%s/%s' is its "
                       "log. Forget it when the VM has ended",
                       id, state, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return ok;
}

static bool forget(struct forgetting *forgetting, const char *id, struct error *err)
{
    AUTO_FREE char *state = formatted("%s/%s", forgetting->places.state_dir, id);
    AUTO_FREE char *runtime = formatted("%s/%s", forgetting->places.runtime_dir, id);
    cJSON *body;

    if (!remove_files(state, false, err) || !remove_files(state, true, err))
        return false;
    if (rmdir(state) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot remove the directory '%s': %m", state);
    remove_dead_sockets(runtime);
    body = must(cJSON_CreateObject());
    cJSON_AddStringToObject(body, "id", id);
    report_json(forgetting->report, "forgotten", body);
    if (!forgetting->json)
        printf("%s\n", id);
    return directory_sync(forgetting->places.state_dir, err);
}

static bool forget_one(struct forgetting *forgetting, const char *word, struct error *err)
{
    char id[17];

    return find_id(forgetting->places.state_dir, &forgetting->identity, word, id, err) &&
           tidy_is_finished(forgetting->places.state_dir, &forgetting->identity, id, NULL, err) &&
           is_quiet(forgetting, id, err) && forget(forgetting, id, err);
}

static void forget_if_old(void *arg, const char *id, enum side side)
{
    struct forgetting *forgetting = arg;
    struct error err = { 0 };
    uint64_t age_ms = 0;

    (void)side; /* of its two sides the second finds nothing any more */
    if (!tidy_is_finished(forgetting->places.state_dir, &forgetting->identity, id, &age_ms, NULL) ||
        age_ms < forgetting->older_ms || !is_quiet(forgetting, id, NULL))
        return;
    if (!forget(forgetting, id, &err))
        wrap_say(stderr, WRAP_INDENT, "xmig forget: %s: %s", id, err.text);
}

/* Remove the runtime directories of dry runs, and of processes that died without a journal. */
static void sweep_runtime(const struct forgetting *forgetting)
{
    DIR *dir = opendir(forgetting->places.runtime_dir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        AUTO_FREE char *state = formatted("%s/%s", forgetting->places.state_dir, entry->d_name);
        AUTO_FREE char *runtime = formatted("%s/%s", forgetting->places.runtime_dir, entry->d_name);
        struct stat st;

        if (!journal_valid_id(entry->d_name) || access(state, F_OK) == 0 ||
            lstat(runtime, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        if ((uint64_t)(time(NULL) - st.st_mtime) * 1000 >= forgetting->older_ms)
            remove_dead_sockets(runtime);
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
    places_find(&forgetting->places);
    ok = identity_read(&forgetting->identity, &err);
    for (; ok && *words; words++)
        ok = forget_one(forgetting, *words, &err);
    if (ok && forgetting->older_ms) {
        ok = journal_list(forgetting->places.state_dir, forget_if_old, forgetting, &err);
        sweep_runtime(forgetting);
    }
    if (!ok)
        tidy_end_failure(&ending, &err);
    status = report_end(forgetting->report, &ending);
    report_free(forgetting->report);
    places_done(&forgetting->places);
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
