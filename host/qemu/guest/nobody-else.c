/* Who else runs this VM, or writes to its images? */
#include "host/system/image-users.h"

#include <stdio.h>

#include "host/images/image-fence.h"
#include "host/qemu/guest/guest.h"
#include "xmig/process.h"

/* Any user can give a program any name and any words; but not another user's rights. A program
 * that we may not look at is the superuser's, or does not matter.
 */
static bool may_be_copy(const struct qemu_guest *vm, const struct other_process *process)
{
    uint64_t owner = json_uint_or(vm->facts, "uid", vm->process.uid);

    return process->uid == 0 || process->uid == owner;
}

/* Compare name and UUID: a VM that was started again from the old command line has both. */
static bool is_copy(void *arg, const struct other_process *process)
{
    const struct qemu_guest *vm = arg;
    AUTO_JSON cJSON *words =
        may_be_copy(vm, process) ? qemu_words(process->line, process->len, process->exe) : NULL;
    AUTO_FREE char *name = words ? argv_name(words) : NULL;
    const char *uuid = words ? argv_value(words, "uuid") : NULL;
    const char *own_name = json_string_or(vm->facts, "name", NULL);
    const char *own_uuid = json_string_or(vm->facts, "uuid", NULL);

    return (name && own_name && !strcmp(name, own_name)) ||
           (uuid && own_uuid && !strcasecmp(uuid, own_uuid));
}

enum {
    START_MS = 10000, /* what a QEMU on a busy machine needs to open its images, or to fail */
    FAILURES = 3,     /* starts that came to nothing: so does the next one */
    POLL_MS = 20,
};

struct looking {
    struct qemu_guest *vm;
    const cJSON *images; /* facts */
    cJSON *known;        /* those that run beside the VM from the beginning; NULL: see the facts */
    struct error *err;
    bool found;
    bool has_image; /* the one that was found */
    pid_t pid;
    uint64_t start_time;
};

static bool is_known(const struct looking *looking, const struct image_user *other)
{
    const cJSON *known;

    cJSON_ArrayForEach (known, cJSON_GetObjectItemCaseSensitive(looking->vm->facts, "known"))
        if (json_uint_or(known, "pid", 0) == (uint64_t)other->pid &&
            json_uint_or(known, "start_time", 0) == other->start_time)
            return true;
    return false;
}

static const char *image_path(const struct looking *looking, const struct image_user *other)
{
    return json_string_or(cJSON_GetArrayItem(looking->images, (int)other->image), "path", "?");
}

static void tell_other(struct looking *looking, const struct image_user *other)
{
    const char *name = json_string_or(looking->vm->facts, "name", "the VM");

    if (other->has_image)
        error_set(looking->err, ERROR_REFUSED,
                  "%s of the source host has '%s', a disk of '%s', open for writing; the VM's own "
                  "QEMU is process %d",
                  other->who, image_path(looking, other), name, (int)looking->vm->qemu.pid);
    else
        error_set(looking->err, ERROR_REFUSED,
                  "a second QEMU of the name or UUID of '%s' runs on the source host (process "
                  "%d); the VM's own QEMU is process %d",
                  name, (int)other->pid, (int)looking->vm->qemu.pid);
}

/* Report one process, preferably one that has an image open. */
static void look_at(void *arg, const struct image_user *other)
{
    struct looking *looking = arg;

    if (is_known(looking, other) || (looking->found && (looking->has_image || !other->has_image)))
        return;
    looking->found = true;
    looking->has_image = other->has_image;
    looking->pid = other->pid;
    looking->start_time = other->start_time;
    tell_other(looking, other);
}

static void look(struct looking *looking, void (*each)(void *arg, const struct image_user *other))
{
    struct qemu_guest *vm = looking->vm;
    struct image_users_search search = {
        .own = process_lives(vm->qemu.pid, vm->qemu.start_time) ? vm->qemu.pid : 0,
        .id = vm->base.context.id,
        .is_copy = is_copy,
        .arg = vm,
    };
    AUTO_FREE struct image_identity *images =
        image_fence_identities(looking->images, vm->base.context.id, &search.image_count);

    search.images = images;
    image_users_each(&search, each, looking);
}

static struct looking look_for_another(struct qemu_guest *vm, struct error *err)
{
    struct looking looking = {
        .vm = vm,
        .images = cJSON_GetObjectItemCaseSensitive(vm->facts, "images"),
        .err = err,
    };

    look(&looking, look_at);
    return looking;
}

/* A QEMU that has no image may be one that fails to start, as the fence wants it: it is gone soon,
 * or has one. A service manager may start the next one at once, for ever.
 */
bool qemu_nobody_else(struct guest *guest, struct error *err)
{
    uint64_t deadline = 0;
    unsigned starts = 0;
    struct looking last = { 0 };

    for (;;) {
        struct error why = { 0 };
        struct looking now = look_for_another(qemu_guest_of(guest), &why);

        if (!now.found)
            return true;
        if (now.pid != last.pid || now.start_time != last.start_time) {
            starts++;
            deadline = loop_now_ms() + START_MS;
        }
        if (starts > FAILURES && !now.has_image)
            return true;
        if (now.has_image || loop_now_ms() >= deadline ||
            !loop_pause(guest->context.loop, POLL_MS, NULL))
            return error_set(err, why.kind, "%s", why.text);
        last = now;
    }
}

/* Remember the processes that were here before the move: two VMs may share a name, and a cluster's
 * disk has several users. But refuse a second writer of a disk that is copied.
 */
static void meet(void *arg, const struct image_user *other)
{
    struct looking *looking = arg;
    cJSON *known = must(cJSON_CreateObject());

    json_add_uint(known, "pid", (uint64_t)other->pid);
    json_add_uint(known, "start_time", other->start_time);
    cJSON_AddItemToArray(looking->known, known);
    if (!other->has_image || !looking->vm->base.context.options.mirrors_disks || looking->found)
        return;
    looking->found = true;
    error_set(looking->err, ERROR_REFUSED,
              "'%s' is open for writing by %s, too: what that writes would be missing at the "
              "target. End it first, or share the disk and leave drive-mirror out",
              image_path(looking, other), other->who);
}

bool qemu_others_check(struct qemu_guest *vm, struct error *err)
{
    struct looking looking = {
        .vm = vm,
        .images = cJSON_GetObjectItemCaseSensitive(vm->facts, "images"),
        .known = must(cJSON_CreateArray()),
        .err = err,
    };

    look(&looking, meet);
    cJSON_AddItemToObject(vm->facts, "known", looking.known);
    return !looking.found;
}

/* ---- started again ---- */

bool qemu_guest_runs_again(struct guest *guest, char *who, size_t size)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    struct image_users_search search = { .id = guest->context.id, .is_copy = is_copy, .arg = vm };
    AUTO_FREE struct image_identity *images = image_fence_identities(
        cJSON_GetObjectItemCaseSensitive(vm->facts, "images"), search.id, &search.image_count);

    search.images = images;
    return image_users_find_copy(&search, who, size);
}
