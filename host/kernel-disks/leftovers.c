/* Origins whose lock nobody holds. */
#include "host/kernel-disks/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "host/kernel-disks/device-mapper.h"
#include "host/kernel-disks/exchange.h"
#include "host/kernel-disks/origin-name.h"
#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

struct search {
    const char *id;
    void (*said)(void *arg, const char *text);
    void *arg;
    struct error *err;
    char *names[256]; /* more are for the next search */
    size_t count;
};

/* The device mapper's list is not to change while it is read. */
static void note(void *arg, const char *name)
{
    struct search *search = arg;

    if (origin_name_is(name, search->id) &&
        search->count < sizeof(search->names) / sizeof(*search->names))
        search->names[search->count++] = must(strdup(name));
}

/* False: it cannot be told. What is no origin of ours is not left either. */
static bool is_left(const char *name, bool *left, struct error *err)
{
    struct mapped_device device;
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = -1;

    *left = false;
    if (!mapper_look(name, &device, err))
        return device.is_absent;
    if (!device.is_made_here)
        return true;
    path = formatted("/dev/dm-%u", minor(device.number));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERROR_SYSTEM,
                         "cannot open %s to see whether an xmig still uses '%s': %m", path, name);
    *left = flock(fd, LOCK_EX | LOCK_NB) == 0;
    return *left || errno == EWOULDBLOCK ||
           error_set(err, ERROR_SYSTEM, "cannot lock %s, which is '%s': %m", path, name);
}

static bool end_one(const struct search *search, const char *name)
{
    AUTO_FREE char *text = NULL;
    bool left;

    if (!is_left(name, &left, search->err))
        return false;
    if (!left)
        return true;
    if (!exchange_undo(name, search->err))
        return false;
    text = formatted("the tracking of writes that an earlier xmig has left was ended ('%s')", name);
    if (search->said)
        search->said(search->arg, text);
    return true;
}

bool tracking_leftovers_end(const char *id, void (*said)(void *arg, const char *text), void *arg,
                            struct error *err)
{
    struct search search = { .id = id, .said = said, .arg = arg, .err = err };
    bool ok = mapper_each(note, &search, err);

    for (size_t i = 0; i < search.count; i++) {
        ok = end_one(&search, search.names[i]) && ok;
        free(search.names[i]);
    }
    return ok;
}

bool tracking_leftovers_exist(void)
{
    glob_t found = { 0 };
    bool exist = false;

    glob("/sys/block/dm-*/dm/name", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc && !exist; i++) {
        char name[MAPPED_NAME_MAX];

        exist =
            origin_name_is(bytes_read_line(AT_FDCWD, found.gl_pathv[i], name, sizeof(name)), NULL);
    }
    globfree(&found);
    return exist;
}
