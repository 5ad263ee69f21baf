/* What a finished migration has left: looked at, and removed. */
#include "leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/images/disk-images.h"
#include "host/images/image-fence.h"
#include "check-finished.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"
#include "xmig/text.h"

/* ---- journals, logs and sockets ---- */

/* Remove sockets whose listening process has ended. */
void leftovers_remove_sockets(const char *directory)
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
bool leftovers_are_quiet(const struct directories *directories, const char *id, struct error *err)
{
    AUTO_FREE char *state = formatted("%s/%s", directories->state_dir, id);
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

bool leftovers_remove(const struct directories *directories, const char *id, struct error *err)
{
    AUTO_FREE char *state = formatted("%s/%s", directories->state_dir, id);
    AUTO_FREE char *runtime = formatted("%s/%s", directories->runtime_dir, id);

    if (!remove_files(state, false, err) || !remove_files(state, true, err))
        return false;
    if (rmdir(state) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot remove the directory '%s': %m", state);
    leftovers_remove_sockets(runtime);
    return directory_sync(directories->state_dir, err);
}

/* ---- images ---- */

static void add(cJSON *found, enum side side, const cJSON *fact, const char *path)
{
    cJSON *image = json_new("path", path);

    cJSON_AddStringToObject(image, "side", side_name(side));
    cJSON_AddItemToObject(image, "fact", cJSON_Duplicate(fact, true));
    cJSON_AddItemToArray(found, image);
}

/* More than one record tells of an image. */
static bool is_found(const cJSON *found, const char *path)
{
    const cJSON *image;

    cJSON_ArrayForEach (image, found)
        if (!strcmp(json_string_or(image, "path", ""), path))
            return true;
    return false;
}

char *leftovers_name(enum side side, const cJSON *fact, const char *id)
{
    return side == SIDE_SEND ? image_fence_moved(fact, id) : disk_images_kept(fact, id);
}

static void look_at_fact(cJSON *found, const char *id, enum side side, const cJSON *fact)
{
    AUTO_FREE char *path = leftovers_name(side, fact, id);

    if (path && !is_found(found, path))
        add(found, side, fact, path);
}

/* At a target: was the VM never this host's? */
static bool stayed_away(const struct journal *journal)
{
    return !journal_has(journal, RECORD_RUNNING) && !journal_has(journal, RECORD_LOST) &&
           !journal_has(journal, RECORD_OWNED) && !journal_has(journal, RECORD_WORD);
}

/* A source's images only of a VM that was moved; a target's only of one that was not. */
static bool may_leave_images(const struct journal *journal)
{
    return journal_side(journal) == SIDE_SEND ? journal_has(journal, RECORD_DONE)
                                              : stayed_away(journal);
}

static void look_at_journal(cJSON *found, const struct journal *journal)
{
    const cJSON *record, *image;

    if (!may_leave_images(journal))
        return;
    cJSON_ArrayForEach (record, journal_records(journal)) {
        cJSON_ArrayForEach (image, cJSON_GetObjectItemCaseSensitive(record, "images"))
            if (journal_side(journal) == SIDE_SEND)
                look_at_fact(found, journal_id(journal), SIDE_SEND, image);
        if (journal_side(journal) == SIDE_RECV)
            look_at_fact(found, journal_id(journal), SIDE_RECV, record);
    }
}

void leftovers_images(const struct directories *directories, const struct identity *identity,
                      const char *id, cJSON *found)
{
    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++) {
        enum journal_health health;
        struct journal *journal =
            journal_open(directories->state_dir, id, side, identity, &health, NULL);

        if (journal)
            look_at_journal(found, journal);
        journal_free(journal);
    }
}

/* ---- by age ---- */

struct pruning {
    const struct directories *directories;
    struct identity identity;
    uint64_t keep_ms;
    void (*say)(void *arg, const char *text);
    void *arg;
};

/* Without reading it: most journals are younger. */
static bool may_be_old(const struct pruning *pruning, const char *id)
{
    AUTO_FREE char *path = formatted("%s/%s/recv.journal", pruning->directories->state_dir, id);
    struct stat st;

    return stat(path, &st) == 0 &&
           (uint64_t)(time(NULL) - st.st_mtime + 1) * 1000 >= pruning->keep_ms;
}

/* The journal of a VM that came here says how it is started, and answers a source that asks late.
 */
static bool is_of_no_use(const struct pruning *pruning, const char *id)
{
    enum journal_health health;
    struct journal *journal = journal_open(pruning->directories->state_dir, id, SIDE_RECV,
                                           &pruning->identity, &health, NULL);
    bool no_use = journal && stayed_away(journal);

    journal_free(journal);
    return no_use;
}

static void prune_if_old(void *arg, const char *id, enum side side)
{
    const struct pruning *pruning = arg;
    AUTO_JSON cJSON *images = must(cJSON_CreateArray());
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };
    uint64_t age_ms;

    if (side != SIDE_RECV || !may_be_old(pruning, id) ||
        !check_finished(pruning->directories->state_dir, &pruning->identity, id, &age_ms, NULL) ||
        age_ms < pruning->keep_ms || !is_of_no_use(pruning, id) ||
        !leftovers_are_quiet(pruning->directories, id, NULL))
        return;
    leftovers_images(pruning->directories, &pruning->identity, id, images);
    if (images->child)
        return;
    if (leftovers_remove(pruning->directories, id, &err))
        text =
            formatted("migration %s was undone long ago: its journal and its log are removed", id);
    else
        text = formatted("migration %s was undone long ago: %s", id, err.text);
    pruning->say(pruning->arg, text);
}

void leftovers_prune(const struct directories *directories, uint64_t keep_ms,
                     void (*say)(void *arg, const char *text), void *arg)
{
    struct pruning pruning = {
        .directories = directories, .keep_ms = keep_ms, .say = say, .arg = arg
    };
    struct error err = { 0 };

    if (!keep_ms)
        return;
    if (!identity_read(&pruning.identity, &err) ||
        !journal_list(directories->state_dir, prune_if_old, &pruning, &err))
        say(arg, err.text);
}
