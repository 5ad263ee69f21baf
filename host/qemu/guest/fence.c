/* What keeps the old copy from being started again: its facts, and its images' fence. */
#include "host/images/image-fence.h"

#include "host/qemu/guest/guest.h"
#include "xmig/text.h"

bool qemu_fence_describe(struct qemu_guest *vm, struct error *err)
{
    const char *uuid = argv_value(vm->process.words, "uuid");
    bool shared = !vm->base.context.options.mirrors_disks;
    cJSON *facts = must(cJSON_CreateObject());
    cJSON *images = cJSON_AddArrayToObject(facts, "images");

    cJSON_Delete(vm->facts);
    vm->facts = facts;
    if (vm->process.name)
        cJSON_AddStringToObject(facts, "name", vm->process.name);
    if (uuid)
        cJSON_AddStringToObject(facts, "uuid", uuid);
    qemu_managed_remember(vm, facts);
    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct source_disk *disk = &vm->disks[i];

        if (!image_fence_add(images, disk->paths[0], shared, err))
            return error_prefix(err, "disk '%s'", disk->params.name);
        if (disk->opened_anew)
            image_fence_opened_anew(images);
        /* Down to the one that the start line names: a later snapshot lies on top of it. */
        for (size_t layer = 1; layer <= disk->said_layer; layer++)
            if (!image_fence_add(images, disk->paths[layer], shared, err))
                return error_prefix(err, "disk '%s'", disk->params.name);
    }
    return true;
}

static const cJSON *images_of(const struct qemu_guest *vm)
{
    return cJSON_GetObjectItemCaseSensitive(vm->facts, "images");
}

/* From now on another program's `cont` is answered with `stop`. */
bool qemu_guest_fence(struct guest *guest, struct error *err)
{
    const struct qemu_guest *vm = qemu_guest_of(guest);

    if (vm->qemu.q)
        qmp_hold(vm->qemu.q, true);
    return image_fence_set(images_of(vm), guest->context.id, true, err);
}

bool qemu_guest_unfence(struct guest *guest, struct error *err)
{
    const struct qemu_guest *vm = qemu_guest_of(guest);

    if (vm->qemu.q)
        qmp_hold(vm->qemu.q, false);
    return image_fence_set(images_of(vm), guest->context.id, false, err);
}

/* What remains to be done by hand, where the old copy can be started again. */
static char *advice(const struct qemu_guest *vm)
{
    return must(strdup(json_string_or(vm->facts, "disable", "see to it that nothing starts it")));
}

void qemu_fence_plan(const struct qemu_guest *vm, struct plan *plan)
{
    AUTO_FREE char *cure = advice(vm);

    image_fence_plan(images_of(vm), cure, plan);
}

void qemu_fence_tell(struct qemu_guest *vm)
{
    AUTO_FREE char *cure = advice(vm);

    image_fence_tell(images_of(vm), vm->base.context.id, cure, &vm->base.context.events);
}
