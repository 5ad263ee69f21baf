/* Files known again by inode and birth. */
#include "host/system/file-identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "xmig/text.h"

enum {
    WANTED = STATX_INO | STATX_BTIME
};

/* As text: it may be larger than a number of JSON's. */
static void add(cJSON *fact, const struct statx *st)
{
    AUTO_FREE char *inode = formatted("%" PRIu64, (uint64_t)st->stx_ino);

    cJSON_AddStringToObject(fact, "inode", inode);
    json_add_uint(fact, "born_s", (uint64_t)st->stx_btime.tv_sec);
    json_add_uint(fact, "born_ns", st->stx_btime.tv_nsec);
}

bool file_identity_add_fd(cJSON *fact, int fd, struct error *err)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, WANTED, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at a new file: %m");
    add(fact, &st);
    return true;
}

bool file_identity_add_path(cJSON *fact, const char *path, struct error *err)
{
    struct statx st;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, WANTED, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    add(fact, &st);
    return true;
}

bool file_identity_has(const char *path, const cJSON *fact)
{
    AUTO_FREE char *inode = NULL;
    struct statx st;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, WANTED, &st) < 0)
        return false;
    inode = formatted("%" PRIu64, (uint64_t)st.stx_ino);
    return !strcmp(inode, json_string_or(fact, "inode", "")) &&
           (uint64_t)st.stx_btime.tv_sec == json_uint_or(fact, "born_s", 0) &&
           st.stx_btime.tv_nsec == json_uint_or(fact, "born_ns", 0);
}

bool file_identity_remove(const cJSON *fact, struct error *err)
{
    const char *path = json_string_or(fact, "path", "");

    if (!file_identity_has(path, fact) || unlink(path) == 0 || errno == ENOENT)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot remove '%s': %m", path);
}
