/* Read and write libxl's configuration of a domain: a file of JSON that ends in a NUL, named after
 * the domain's number and UUID. libxl's lock is held meanwhile.
 */
#include "host/xen/ground/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "host/xen/ground/connection.h"
#include "xmig/text.h"

#define DIRECTORY "/var/lib/xen"

const char *config_type(const cJSON *config)
{
    return json_string_or(json_get(config, "c_info"), "type", "hvm");
}

bool config_is_pvh(const cJSON *config)
{
    return !strcmp(config_type(config), "pvh");
}

/* ---- the file ---- */

static char *file_name(char kind, uint32_t domid, const char *uuid, const char *what)
{
    return formatted(DIRECTORY "/userdata-%c.%u.%s.%s", kind, domid, uuid, what);
}

/* A holder removes the file before it unlocks it: then open the new one. */
static int lock(uint32_t domid, const char *uuid, struct error *err)
{
    AUTO_FREE char *path = file_name('l', domid, uuid, "domain-userdata-lock");

    for (;;) {
        AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        struct stat mine, present;

        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &mine) < 0) {
            error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
            return -1;
        }
        if (stat(path, &present) == 0 && present.st_ino == mine.st_ino)
            return steal_fd(&fd);
    }
}

/* Remove the file as libxl does: it exists only while somebody holds the lock. */
static void unlock(uint32_t domid, const char *uuid, int fd)
{
    AUTO_FREE char *path = file_name('l', domid, uuid, "domain-userdata-lock");

    unlink(path);
    close(fd);
}

static cJSON *parse(const char *path, const char *text, struct error *err)
{
    cJSON *config = cJSON_Parse(text);

    if (!cJSON_IsObject(config)) {
        cJSON_Delete(config);
        error_set(err, ERROR_REFUSED, "libxl's configuration of the domain, '%s', is not JSON",
                  path);
        return NULL;
    }
    return config;
}

static cJSON *read_locked(const char *path, struct error *err)
{
    enum {
        SIZE_MAX_ = 1024 * 1024
    };
    AUTO_FREE char *text = must(calloc(1, SIZE_MAX_ + 1));
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, SIZE_MAX_);

    if (len <= 0) {
        error_set(err, ERROR_REFUSED, "cannot read libxl's configuration of the domain, '%s': %s",
                  path, len < 0 ? strerror(errno) : "it is empty");
        return NULL;
    }
    return parse(path, text, err);
}

cJSON *config_read(uint32_t domid, const char *uuid, struct error *err)
{
    AUTO_FREE char *path = file_name('d', domid, uuid, "libxl-json");
    int held = lock(domid, uuid, err);
    cJSON *config;

    if (held < 0)
        return NULL;
    config = read_locked(path, err);
    unlock(domid, uuid, held);
    return config;
}

static bool write_all(const char *path, const char *text, size_t size, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, size) != (ssize_t)size || fsync(fd) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
    return true;
}

static bool write_locked(const char *new, const char *path, const cJSON *config, struct error *err)
{
    AUTO_FREE char *text = must(cJSON_Print(config));

    if (!write_all(new, text, strlen(text) + 1, err))
        return false;
    return rename(new, path) == 0 || error_set(err, ERROR_SYSTEM, "cannot rename '%s': %m", new);
}

bool config_write(uint32_t domid, const char *uuid, const cJSON *config, struct error *err)
{
    AUTO_FREE char *new = file_name('n', domid, uuid, "libxl-json");
    AUTO_FREE char *path = file_name('d', domid, uuid, "libxl-json");
    int held = lock(domid, uuid, err);
    bool ok;

    if (held < 0)
        return false;
    ok = write_locked(new, path, config, err);
    unlock(domid, uuid, held);
    return ok;
}

void config_remove(uint32_t domid, const char *uuid)
{
    AUTO_FREE char *pattern = formatted(DIRECTORY "/userdata-?.%u.%s.*", domid, uuid);
    glob_t found;

    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
}
