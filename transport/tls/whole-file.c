/* Small files that are replaced as a whole. */
#include "transport/tls/whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "xmig/cleanup.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* Wait for the lock: another writer is done in a moment, or dead, which frees the lock. */
int whole_file_lock(const char *path, struct error *err)
{
    AUTO_FREE char *directory = path_directory(path);
    AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            close(steal_fd(&fd));
    if (fd < 0)
        error_set(err, ERROR_SYSTEM, "cannot lock the directory '%s': %m", directory);
    return steal_fd(&fd);
}

FILE *whole_file_begin(const char *path, mode_t mode, struct error *err)
{
    AUTO_FREE char *temporary = formatted("%s.new", path);
    int fd;

    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0)
        return must(fdopen(fd, "w"));
    error_set(err, ERROR_SYSTEM, "cannot create '%s': %m", temporary);
    return NULL;
}

bool whole_file_end(FILE *file, const char *path, struct error *err)
{
    AUTO_FREE char *temporary = formatted("%s.new", path);
    bool written = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    int why = errno;

    fclose(file);
    if (written && rename(temporary, path) == 0)
        return path_sync_directory(path, err);
    errno = written ? errno : why;
    error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
    (void)unlink(temporary);
    return false;
}
