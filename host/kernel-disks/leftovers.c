/* Origins whose lock nobody holds. */
#include "host/kernel-disks/leftovers.h"

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

static bool is_in_use(const char *name)
{
    struct mapped_device device;
    struct error ignored = { 0 };
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int fd = -1;

    if (!mapper_look(name, &device, &ignored))
        return true;
    path = formatted("/dev/dm-%u", minor(device.number));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static bool end_one(const struct search *search, const char *name)
{
    AUTO_FREE char *text = NULL;

    if (is_in_use(name))
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
    bool ok;

    if (!tracking_leftovers_exist())
        return true;
    ok = mapper_each(note, &search, err);
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
