/* Which journals there are. */
#include "xmig/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

struct entry {
    char id[17];
    enum side side;
    struct timespec written;
};

struct entries {
    struct entry *list;
    size_t count;
};

static int newest_first(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;

    if (a->written.tv_sec != b->written.tv_sec)
        return a->written.tv_sec < b->written.tv_sec ? 1 : -1;
    if (a->written.tv_nsec != b->written.tv_nsec)
        return a->written.tv_nsec < b->written.tv_nsec ? 1 : -1;
    return strcmp(a->id, b->id);
}

static bool add_entry(struct entries *entries, int directory, const char *id, enum side side,
                      struct error *err)
{
    char name[64];
    struct entry *entry;
    struct stat st;

    snprintf(name, sizeof(name), "%s/%s.journal", id, side_name(side));
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT || errno == ENOTDIR ||
               error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", name);
    entries->list = must(realloc(entries->list, (entries->count + 1) * sizeof(*entries->list)));
    entry = &entries->list[entries->count++];
    *entry = (struct entry){ .side = side, .written = st.st_mtim };
    strcpy(entry->id, id);
    return true;
}

static bool add_entries(struct entries *entries, DIR *directory, struct error *err)
{
    const struct dirent *found;

    for (errno = 0; (found = readdir(directory)); errno = 0) {
        if (!journal_valid_id(found->d_name))
            continue;
        if (!add_entry(entries, dirfd(directory), found->d_name, SIDE_SEND, err) ||
            !add_entry(entries, dirfd(directory), found->d_name, SIDE_RECV, err))
            return false;
    }
    return !errno || error_set(err, ERROR_SYSTEM, "cannot read the directory: %m");
}

bool journal_list(const char *state_dir, void (*each)(void *arg, const char *id, enum side side),
                  void *arg, struct error *err)
{
    struct entries entries = { 0 };
    DIR *directory = opendir(state_dir);
    bool good;

    if (!directory)
        return errno == ENOENT || error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", state_dir);
    good = add_entries(&entries, directory, err) || error_prefix(err, "'%s'", state_dir);
    closedir(directory);
    if (good && entries.count)
        qsort(entries.list, entries.count, sizeof(*entries.list), newest_first);
    for (size_t i = 0; good && i < entries.count; i++)
        each(arg, entries.list[i].id, entries.list[i].side);
    free(entries.list);
    return good;
}
