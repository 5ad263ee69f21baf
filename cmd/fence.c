/* xmig fence off: give an image back the name that a move took from it, or make a block device
 * writable again, so that the old copy can be started. Its content was never touched.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "options.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"

static const char help_text[] =
    "usage: xmig fence off IMAGE.moved-ID|DEVICE...\n"
    "\n"
    "After a move the source's disk images are renamed IMAGE.moved-ID, and its block\n"
    "devices are read-only, so that nothing starts the old copy by habit. This gives the\n"
    "images their names back, and makes the devices writable. They hold what the disks\n"
    "held when the guest was handed over; what it has written at the target since is not\n"
    "in them. A file that has the old name now is never replaced.\n"
    "\n"
    "  -h, --help  this text\n";

/* The name before ".moved-ID"; the caller frees it. NULL: it has no such ending. */
static char *name_before(const char *path)
{
    static const char mark[] = ".moved-";
    char *name = must(strdup(path));
    char *found = NULL;

    for (char *at = strstr(name, mark); at; at = strstr(at + 1, mark))
        found = at;
    if (!found || found == name || !journal_valid_id(found + strlen(mark))) {
        free(name);
        return NULL;
    }
    *found = '\0';
    return name;
}

static bool is_device(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

static bool make_writable(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int read_only = 0;

    if (fd < 0 || ioctl(fd, BLKROSET, &read_only) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make '%s' writable: %m", path);
    printf("%s\n", path);
    return true;
}

static bool take_off(const char *path, struct error *err)
{
    AUTO_FREE char *name = NULL;

    if (is_device(path))
        return make_writable(path, err);
    name = name_before(path);
    if (!name)
        return error_set(err, ERROR_REFUSED, "'%s' neither ends in .moved-ID nor is a block device",
                         path);
    if (renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0) {
        printf("%s\n", name);
        return true;
    }
    if (errno == EEXIST)
        return error_set(err, ERROR_REFUSED, "'%s' exists, and is left alone; '%s' stays as it is",
                         name, path);
    return error_set(err, ERROR_SYSTEM, "cannot rename '%s': %m", path);
}

static int take_all_off(char *const images[])
{
    int status = OUTCOME_DONE;

    for (; *images; images++) {
        struct error err = { 0 };

        if (!take_off(*images, &err)) {
            fprintf(stderr, "xmig fence: %s\n", err.text);
            status = OUTCOME_LOCAL_ERROR;
        }
    }
    return status;
}

int command_fence(int argc, char *argv[])
{
    struct error err = { 0 };

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return print_help(help_text);
    if (argc >= 3 && !strcmp(argv[1], "off"))
        return take_all_off(argv + 2);
    error_set(&err, ERROR_REFUSED, "'off' and at least one IMAGE.moved-ID or DEVICE are missing");
    return end_with_usage(argc, argv, &err);
}
