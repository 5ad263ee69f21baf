/* Images of the source that get another name, or become read-only. */
#include "host/images/image-fence.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "xmig/paths.h"
#include "xmig/text.h"

#define BY_NAME "rename"
#define BY_READ_ONLY "read-only"
#define NOT_AT_ALL "none"
#define SHARED "shared"

/* ---- facts ---- */

/* All 64 bits: a number in JSON has 53. */
static void print_inode(uint64_t inode, char text[24])
{
    snprintf(text, 24, "%" PRIu64, inode);
}

static const char *path_of(const cJSON *fact)
{
    return json_string_or(fact, "path", "");
}

static bool is_fenced_by(const cJSON *fact, const char *how)
{
    return !strcmp(json_string_or(fact, "fence", BY_NAME), how);
}

static char *moved_name(const cJSON *fact, const char *id)
{
    return formatted("%s.moved-%s", path_of(fact), id);
}

static bool is_image(const char *path, const cJSON *fact, struct stat *st)
{
    char inode[24];

    if (stat(path, st) < 0)
        return false;
    print_inode(st->st_ino, inode);
    return !strcmp(json_string_or(fact, "inode", ""), inode);
}

/* A file that a distribution has installed is used by others, too, so it is not fenced. */
static bool is_everybodys(const char *path)
{
    return !strncmp(path, "/usr/", 5);
}

static const char *choose_fence(const char *path, bool shared, const struct stat *st)
{
    if (shared)
        return SHARED;
    if (is_everybodys(path))
        return NOT_AT_ALL;
    return S_ISBLK(st->st_mode) ? BY_READ_ONLY : BY_NAME;
}

static bool check_directory(const char *path, struct error *err)
{
    AUTO_FREE char *dir = path_directory(path);

    return access(dir, W_OK | X_OK) == 0 ||
           error_set(err, ERROR_REFUSED,
                     "'%s' could not be renamed when the VM has been moved, so that nobody starts "
                     "the old copy: its directory: %m",
                     path);
}

bool image_fence_add(cJSON *images, const char *path, bool shared, struct error *err)
{
    cJSON *fact = must(cJSON_CreateObject());
    struct stat st = { 0 };
    char inode[24];
    const char *fence;

    (void)stat(path, &st);
    fence = choose_fence(path, shared, &st);
    print_inode(st.st_ino, inode);
    cJSON_AddItemToArray(images, fact);
    cJSON_AddStringToObject(fact, "path", path);
    cJSON_AddStringToObject(fact, "inode", inode);
    cJSON_AddStringToObject(fact, "fence", fence);
    return strcmp(fence, BY_NAME) != 0 || check_directory(path, err);
}

void image_fence_opened_anew(cJSON *images)
{
    cJSON_AddTrueToObject(cJSON_GetArrayItem(images, cJSON_GetArraySize(images) - 1), "anew");
}

bool image_fence_names_hold(const cJSON *images, struct error *err)
{
    const cJSON *fact;
    struct stat st;

    cJSON_ArrayForEach (fact, images)
        if (json_true(fact, "anew") && !is_image(path_of(fact), fact, &st))
            return error_set(err, ERROR_SYSTEM,
                             "'%s' is not the VM's image (inode %s) any more, and the guest would "
                             "write to what has that name now: give the image its name back",
                             path_of(fact), json_string_or(fact, "inode", "?"));
    return true;
}

char *image_fence_moved(const cJSON *fact, const char *id)
{
    AUTO_FREE char *moved = moved_name(fact, id);
    struct stat st;

    if (!is_fenced_by(fact, BY_NAME) || lstat(moved, &st) < 0 || !S_ISREG(st.st_mode) ||
        !is_image(moved, fact, &st))
        return NULL;
    return steal(moved);
}

/* An image that is not found is left out: a process that has it open cannot be found either. */
struct image_identity *image_fence_identities(const cJSON *images, const char *id, size_t *count)
{
    struct image_identity *all = must(calloc((size_t)cJSON_GetArraySize(images) + 1, sizeof(*all)));
    const cJSON *fact;

    *count = 0;
    cJSON_ArrayForEach (fact, images) {
        AUTO_FREE char *moved = moved_name(fact, id);
        struct stat st;

        if (is_image(path_of(fact), fact, &st) || is_image(moved, fact, &st))
            all[*count] = image_identity(&st);
        (*count)++;
    }
    return all;
}

/* ---- to and fro ---- */

static bool set_read_only(const char *path, bool read_only, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int on = read_only;

    return (fd >= 0 && ioctl(fd, BLKROSET, &on) == 0) ||
           error_set(err, ERROR_SYSTEM, "cannot make the block device '%s' %s: %m", path,
                     read_only ? "read-only" : "writable again");
}

/* An image that has lost its name already is out of the old start line's reach. */
static bool rename_away(const cJSON *fact, const char *id, struct error *err)
{
    AUTO_FREE char *moved = moved_name(fact, id);
    struct stat st;

    return !is_image(path_of(fact), fact, &st) || path_rename(path_of(fact), moved, err);
}

static bool rename_back(const cJSON *fact, const char *id, struct error *err)
{
    AUTO_FREE char *moved = moved_name(fact, id);
    struct stat st;

    return !is_image(moved, fact, &st) || path_rename(moved, path_of(fact), err);
}

static bool fence_image(const cJSON *fact, const char *id, bool on, struct error *err)
{
    struct stat st;

    if (is_fenced_by(fact, BY_NAME))
        return on ? rename_away(fact, id, err) : rename_back(fact, id, err);
    if (is_fenced_by(fact, BY_READ_ONLY) && is_image(path_of(fact), fact, &st))
        return set_read_only(path_of(fact), on, err);
    return true;
}

bool image_fence_set(const cJSON *images, const char *id, bool on, struct error *err)
{
    const cJSON *fact;
    bool ok = true;

    cJSON_ArrayForEach (fact, images) {
        if (fence_image(fact, id, on, ok ? err : NULL))
            continue;
        ok = false;
        if (on)
            return false;
    }
    return ok;
}

/* ---- words ---- */

void image_fence_names(const cJSON *images, char *out, size_t size)
{
    const cJSON *fact;
    size_t used = 0;

    out[0] = '\0';
    cJSON_ArrayForEach (fact, images) {
        int len = snprintf(out + used, size - used, "%s'%s'", used ? ", " : "", path_of(fact));

        if (len < 0 || (size_t)len >= size - used)
            return;
        used += (size_t)len;
    }
}

void image_fence_plan(const cJSON *images, const char *cure, struct plan *plan)
{
    const cJSON *fact;

    cJSON_ArrayForEach (fact, images) {
        if (is_fenced_by(fact, BY_READ_ONLY))
            plan_say(plan,
                     "'%s' cannot be renamed: from the hand-over on it is read-only here, until "
                     "this host is started anew; then the old copy could be started again: %s",
                     path_of(fact), cure);
        else if (is_fenced_by(fact, NOT_AT_ALL))
            plan_say(plan,
                     "'%s' belongs to this host's software, and is not kept from the old copy: %s",
                     path_of(fact), cure);
    }
}

void image_fence_tell(const cJSON *images, const char *id, const char *cure,
                      const struct event_sink *events)
{
    const cJSON *fact;
    struct stat st;

    cJSON_ArrayForEach (fact, images) {
        AUTO_FREE char *moved = moved_name(fact, id);

        if (is_image(moved, fact, &st))
            event_say(events, EVENT_NOTE, NULL,
                      "the old copy's image is kept as '%s'; see xmig-fence(1)", moved);
        else if (is_fenced_by(fact, BY_NAME))
            event_say(
                events, EVENT_WARNING, NULL,
                "the old copy's image does not have its name '%s' any more: somebody else has "
                "renamed, replaced or deleted it",
                path_of(fact));
        else if (is_fenced_by(fact, BY_READ_ONLY))
            event_say(events, EVENT_WARNING, NULL,
                      "the old copy's disk '%s' is read-only until this host is started anew; "
                      "before that, %s; see xmig-fence(1)",
                      path_of(fact), cure);
    }
}
