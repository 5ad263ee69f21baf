/* xmig fence off: give an image back the name that a move took from it, or make a block device
 * writable again, so that the old copy can be started. Its content was never touched. Which ones
 * a migration has fenced is in its journal.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "find-id.h"
#include "journal-words.h"
#include "options.h"
#include "directories.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig fence off IMAGE.moved-ID|DEVICE|ID|VM...\n"
    "\n"
    "After a move the source's disk images are renamed IMAGE.moved-ID, and its block\n"
    "devices are read-only, so that nothing starts the old copy by habit. This gives the\n"
    "images their names back, and makes the devices writable. They hold what the disks\n"
    "held when the guest was handed over; what it has written at the target since is not\n"
    "in them. A file that has the old name now is never replaced. With ID, its beginning,\n"
    "or a VM's name: all that this migration has fenced, once it is settled.\n"
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
    wrap_say(stdout, WRAP_INDENT, "%s", path);
    return true;
}

static bool rename_back(const char *moved, const char *name, struct error *err)
{
    if (renameat2(AT_FDCWD, moved, AT_FDCWD, name, RENAME_NOREPLACE) == 0) {
        wrap_say(stdout, WRAP_INDENT, "%s", name);
        return true;
    }
    if (errno == EEXIST)
        return error_set(err, ERROR_REFUSED, "'%s' exists, and is left alone; '%s' stays as it is",
                         name, moved);
    return error_set(err, ERROR_SYSTEM, "cannot rename '%s': %m", moved);
}

/* ---- all that a migration has fenced ---- */

/* Before that the guest's copy here may be the only one, or none of it: recover decides. */
static bool check_settled(const struct journal *journal, struct error *err)
{
    return journal_is_finished(journal) ||
           error_set(err, ERROR_REFUSED,
                     "the migration %s is not settled (%s): run 'xmig recover %s' first, which "
                     "takes the fence off if the VM is this host's",
                     journal_id(journal), journal_meaning(journal), journal_id(journal));
}

/* An image that has its name already needs nothing. */
static bool take_off_image(const cJSON *image, const char *id, struct error *err)
{
    const char *path = json_string_or(image, "path", "");
    AUTO_FREE char *moved = NULL;

    if (is_device(path))
        return !strcmp(json_string_or(image, "fence", ""), "none") || make_writable(path, err);
    moved = formatted("%s.moved-%s", path, id);
    return access(moved, F_OK) < 0 || rename_back(moved, path, err);
}

static bool take_off_images(const struct journal *journal, struct error *err)
{
    const cJSON *begin = journal_find(journal, RECORD_BEGIN);
    const cJSON *image;
    bool ok = true;

    if (!check_settled(journal, err))
        return false;
    cJSON_ArrayForEach (image, cJSON_GetObjectItemCaseSensitive(begin, "images"))
        ok &= take_off_image(image, journal_id(journal), ok ? err : NULL);
    return ok;
}

static bool take_off_migration(const struct directories *directories, const char *word,
                               struct error *err)
{
    struct identity identity;
    enum journal_health health;
    struct journal *journal;
    char id[17];
    bool ok;

    if (!identity_read(&identity, err) ||
        !find_id(directories->state_dir, &identity, word, id, err))
        return false;
    journal = journal_open(directories->state_dir, id, SIDE_SEND, &identity, &health, err);
    if (!journal && health == JOURNAL_MISSING)
        return error_set(err, ERROR_REFUSED,
                         "this host is not the source of a migration %s: nothing is fenced here",
                         id);
    ok = journal && take_off_images(journal, err);
    journal_free(journal);
    return ok;
}

/* ---- what a word means ---- */

static bool take_off(const struct directories *directories, const char *word, struct error *err)
{
    AUTO_FREE char *name = NULL;

    if (is_device(word))
        return make_writable(word, err);
    name = name_before(word);
    if (name)
        return rename_back(word, name, err);
    if (!strchr(word, '/'))
        return take_off_migration(directories, word, err);
    return error_set(err, ERROR_REFUSED, "'%s' neither ends in .moved-ID nor is a block device",
                     word);
}

static int take_all_off(char *const words[])
{
    int status = OUTCOME_DONE;
    struct directories directories;

    directories_find(&directories);
    for (; *words; words++) {
        struct error err = { 0 };

        if (!take_off(&directories, *words, &err)) {
            wrap_say(stderr, WRAP_INDENT, "xmig fence: %s", err.text);
            status = OUTCOME_LOCAL_ERROR;
        }
    }
    directories_done(&directories);
    return status;
}

int command_fence(int argc, char *argv[])
{
    struct error err = { 0 };

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return print_help(help_text);
    if (argc >= 3 && !strcmp(argv[1], "off"))
        return take_all_off(argv + 2);
    error_set(&err, ERROR_REFUSED,
              "'off' and at least one IMAGE.moved-ID, DEVICE, ID or VM are missing");
    return end_with_usage(argc, argv, &err);
}
