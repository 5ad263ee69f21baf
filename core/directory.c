/* Directories that are still there after a power failure. */
#include "xmig/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xmig/cleanup.h"

bool directory_sync(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd))
        return error_set(err, ERROR_SYSTEM, "cannot sync directory '%s': %m", path);
    return true;
}

bool directory_make(const char *path, bool *made, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(path));

    *made = mkdir(path, 0700) == 0;
    if (*made)
        return directory_sync(dirname(copy), err);
    return errno == EEXIST ||
           error_set(err, ERROR_SYSTEM, "cannot create directory '%s': %m", path);
}

bool directory_can_make(const char *path, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(path));
    char *there = copy;
    struct stat st = { 0 };

    while (stat(there, &st) < 0 && errno == ENOENT && strcmp(there, "/") != 0 &&
           strcmp(there, ".") != 0)
        there = dirname(there);
    if (access(there, W_OK | X_OK) == 0 && S_ISDIR(st.st_mode))
        return true;
    if (st.st_mode && !S_ISDIR(st.st_mode))
        errno = ENOTDIR;
    return error_set(err, ERROR_REFUSED, "nothing can be written in '%s': %m", there);
}

bool directory_make_all(const char *path, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(path));
    bool made;

    for (size_t i = 1; i < strlen(path); i++) {
        if (path[i] != '/')
            continue;
        copy[i] = '\0';
        if (!directory_make(copy, &made, err))
            return false;
        copy[i] = '/';
    }
    return directory_make(path, &made, err);
}
