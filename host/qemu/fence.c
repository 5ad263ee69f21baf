/* The fence around the old copy: from COMMIT on the images that its start line opens cannot be
 * opened by it. Files get another name; a block device is made read-only, which QEMU looks at
 * when it opens one to write.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "host/paths.h"
#include "host/qemu/qemu.h"

#define BY_NAME "rename"
#define BY_READ_ONLY "read-only"
#define NOT_AT_ALL "none"

/* ---- what is fenced, and how ---- */

/* What a distribution has installed is everybody's, whoever may have been let write to it. */
static bool is_everybodys(const char *path)
{
    return !strncmp(path, "/usr/", 5);
}

static const char *choose_fence(const struct qemu *vm, const char *path, const struct stat *st)
{
    if (!vm->base.context.options.mirrors_disks || is_everybodys(path))
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

static bool add_image(const struct qemu *vm, cJSON *images, const char *path, struct error *err)
{
    cJSON *fact = must(cJSON_CreateObject());
    struct stat st = { 0 };
    const char *fence;

    (void)stat(path, &st);
    fence = choose_fence(vm, path, &st);
    cJSON_AddItemToArray(images, fact);
    cJSON_AddStringToObject(fact, "path", path);
    qemu_add_inode(fact, st.st_ino);
    cJSON_AddStringToObject(fact, "fence", fence);
    return strcmp(fence, BY_NAME) != 0 || check_directory(path, err);
}

bool qemu_fence_describe(struct qemu *vm, struct error *err)
{
    const char *uuid = argv_value(vm->source.process.words, "uuid");
    AUTO_FREE char *service = qemu_process_service(vm->pid);
    cJSON *facts = must(cJSON_CreateObject());
    cJSON *images = cJSON_AddArrayToObject(facts, "images");

    cJSON_Delete(vm->source.facts);
    vm->source.facts = facts;
    if (vm->source.process.name)
        cJSON_AddStringToObject(facts, "name", vm->source.process.name);
    if (uuid)
        cJSON_AddStringToObject(facts, "uuid", uuid);
    if (service)
        cJSON_AddStringToObject(facts, "service", service);
    for (size_t i = 0; i < vm->source.disk_count; i++) {
        const struct source_disk *disk = &vm->source.disks[i];

        /* Down to the one that the start line names: a later snapshot lies on top of it. */
        for (size_t layer = 0; layer <= disk->said_layer; layer++)
            if (!add_image(vm, images, disk->paths[layer], err))
                return error_prefix(err, "disk '%s'", disk->name);
    }
    return true;
}

/* ---- the images of the journal ---- */

static const cJSON *images_of(const struct qemu *vm)
{
    return cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images");
}

static const char *path_of(const cJSON *fact)
{
    return json_string_or(fact, "path", "");
}

static bool is_fenced_by(const cJSON *fact, const char *how)
{
    return !strcmp(json_string_or(fact, "fence", BY_NAME), how);
}

static char *moved_name(const struct qemu *vm, const cJSON *fact)
{
    char *moved;

    if (asprintf(&moved, "%s.moved-%s", path_of(fact), vm->base.context.id) < 0)
        abort();
    return moved;
}

static bool is_image(const char *path, const cJSON *fact, struct stat *st)
{
    return stat(path, st) == 0 && qemu_is_inode(fact, st->st_ino);
}

bool qemu_image_find(const struct qemu *vm, const cJSON *fact, struct stat *st)
{
    AUTO_FREE char *moved = moved_name(vm, fact);

    return is_image(path_of(fact), fact, st) || is_image(moved, fact, st);
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

static bool rename_away(const struct qemu *vm, const cJSON *fact, struct error *err)
{
    AUTO_FREE char *moved = moved_name(vm, fact);
    struct stat st;

    if (is_image(path_of(fact), fact, &st))
        return path_rename(path_of(fact), moved, err);
    return is_image(moved, fact, &st) ||
           error_set(err, ERROR_SYSTEM,
                     "the disk image '%s' does not have this name any more: somebody else has "
                     "renamed or replaced it",
                     path_of(fact));
}

static bool rename_back(const struct qemu *vm, const cJSON *fact, struct error *err)
{
    AUTO_FREE char *moved = moved_name(vm, fact);
    struct stat st;

    return !is_image(moved, fact, &st) || path_rename(moved, path_of(fact), err);
}

static bool fence_image(const struct qemu *vm, const cJSON *fact, bool on, struct error *err)
{
    struct stat st;

    if (is_fenced_by(fact, BY_NAME))
        return on ? rename_away(vm, fact, err) : rename_back(vm, fact, err);
    if (is_fenced_by(fact, BY_READ_ONLY) && is_image(path_of(fact), fact, &st))
        return set_read_only(path_of(fact), on, err);
    return true;
}

/* A `cont` of somebody's is answered with a stop. */
bool qemu_source_fence(struct host *host, struct error *err)
{
    const struct qemu *vm = qemu_of(host);
    const cJSON *fact;

    if (vm->q)
        qmp_hold(vm->q, true);
    cJSON_ArrayForEach (fact, images_of(vm))
        if (!fence_image(vm, fact, true, err))
            return false;
    return true;
}

/* All that can be given back is. */
bool qemu_source_unfence(struct host *host, struct error *err)
{
    const struct qemu *vm = qemu_of(host);
    const cJSON *fact;
    bool ok = true;

    if (vm->q)
        qmp_hold(vm->q, false);
    cJSON_ArrayForEach (fact, images_of(vm))
        if (!fence_image(vm, fact, false, ok ? err : NULL))
            ok = false;
    return ok;
}

/* What remains to be done by hand, where the old copy can be started again. */
static char *advice(const struct qemu *vm)
{
    const char *service = json_string_or(vm->source.facts, "service", NULL);
    char *text;

    if (!service)
        return must(strdup("see to it that nothing starts it"));
    if (asprintf(&text, "'systemctl disable %s'", service) < 0)
        abort();
    return text;
}

void qemu_fence_plan(const struct qemu *vm, struct plan *plan)
{
    AUTO_FREE char *cure = advice(vm);
    const cJSON *fact;

    cJSON_ArrayForEach (fact, images_of(vm)) {
        if (is_fenced_by(fact, BY_READ_ONLY))
            plan_say(plan,
                     "'%s' cannot be renamed: from the hand-over on it is read-only here, until "
                     "this host is started anew; then the old copy could be started again: %s",
                     path_of(fact), cure);
        else if (is_fenced_by(fact, NOT_AT_ALL) && vm->base.context.options.mirrors_disks)
            plan_say(plan,
                     "'%s' belongs to this host's software, and is not kept from the old copy: %s",
                     path_of(fact), cure);
    }
}

void qemu_fence_tell(struct qemu *vm)
{
    AUTO_FREE char *cure = advice(vm);
    const cJSON *fact;
    struct stat st;

    cJSON_ArrayForEach (fact, images_of(vm)) {
        AUTO_FREE char *moved = moved_name(vm, fact);

        if (is_image(moved, fact, &st))
            event_say(&vm->base.context.events, EVENT_NOTE, NULL,
                      "the old copy's image is kept as '%s'; see xmig-fence(1)", moved);
        else if (is_fenced_by(fact, BY_READ_ONLY))
            event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                      "the old copy's disk '%s' is read-only until this host is started anew; "
                      "before that, %s; see xmig-fence(1)",
                      path_of(fact), cure);
    }
}
