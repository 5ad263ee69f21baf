/* The policy's files: which there are, and whether only its owner can have written them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "policy/sections.h"
#include "xmig/text.h"

enum {
    SIZE_MAX_BYTES = 1024 * 1024
};

/* Refuse a file that others may write: they could permit themselves anything. */
static bool check_owner(const char *path, const struct stat *st, struct error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(err, ERROR_REFUSED, "%s: the owner is neither root nor who runs xmig",
                         path);
    if (st->st_mode & 022)
        return error_set(err, ERROR_REFUSED,
                         "%s: others than the owner may write to it (mode %04o): chmod go-w %s",
                         path, (unsigned)st->st_mode & 07777, path);
    return true;
}

static bool check_directory(const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT || error_set(err, ERROR_SYSTEM, "%s: %m", path);
    return check_owner(path, &st, err);
}

static bool check_file(int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "%s: %m", path);
    if (!S_ISREG(st.st_mode) || st.st_size > SIZE_MAX_BYTES)
        return error_set(err, ERROR_REFUSED, "%s: this is no file of at most %d bytes", path,
                         SIZE_MAX_BYTES);
    return check_owner(path, &st, err);
}

static bool read_file(struct sections *sections, const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    AUTO_FREE char *text = NULL;
    ssize_t size;

    if (fd < 0)
        return errno == ENOENT || error_set(err, ERROR_SYSTEM, "%s: %m", path);
    if (!check_file(fd, path, err))
        return false;
    text = must(malloc(SIZE_MAX_BYTES));
    size = read(fd, text, SIZE_MAX_BYTES);
    if (size < 0)
        return error_set(err, ERROR_SYSTEM, "%s: %m", path);
    return sections_read(sections, path, text, (size_t)size, err);
}

static int is_conf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".conf");
}

/* Sort by bytes: the order of alphasort() depends on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool read_more(struct sections *sections, const char *directory, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_conf, by_name);
    bool ok = count >= 0 || errno == ENOENT || error_set(err, ERROR_SYSTEM, "%s: %m", directory);

    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = formatted("%s/%s", directory, entries[i]->d_name);

        ok = ok && read_file(sections, path, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

bool sections_load(struct sections *sections, const char *directory, struct error *err)
{
    AUTO_FREE char *file = formatted("%s/recv.conf", directory);
    AUTO_FREE char *more = formatted("%s/recv.conf.d", directory);

    return check_directory(directory, err) && check_directory(more, err) &&
           read_file(sections, file, err) && read_more(sections, more, err);
}
