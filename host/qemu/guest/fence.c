/* What keeps the old copy from being started again: its facts, and its images' fence. */
#include "host/images/image-fence.h"

#include <stdio.h>

#include "host/qemu/qemu.h"

bool qemu_fence_describe(struct qemu *vm, struct error *err)
{
    const char *uuid = argv_value(vm->source.process.words, "uuid");
    AUTO_FREE char *service = qemu_process_service(vm->pid);
    bool shared = !vm->base.context.options.mirrors_disks;
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

        if (!image_fence_add(images, disk->paths[0], shared, err))
            return error_prefix(err, "disk '%s'", disk->name);
        if (disk->opened_anew)
            image_fence_opened_anew(images);
        /* Down to the one that the start line names: a later snapshot lies on top of it. */
        for (size_t layer = 1; layer <= disk->said_layer; layer++)
            if (!image_fence_add(images, disk->paths[layer], shared, err))
                return error_prefix(err, "disk '%s'", disk->name);
    }
    return true;
}

static const cJSON *images_of(const struct qemu *vm)
{
    return cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images");
}

/* A `cont` of somebody's is answered with a stop. */
bool qemu_source_fence(struct host *host, struct error *err)
{
    const struct qemu *vm = qemu_of(host);

    if (vm->q)
        qmp_hold(vm->q, true);
    return image_fence_set(images_of(vm), host->context.id, true, err);
}

bool qemu_source_unfence(struct host *host, struct error *err)
{
    const struct qemu *vm = qemu_of(host);

    if (vm->q)
        qmp_hold(vm->q, false);
    return image_fence_set(images_of(vm), host->context.id, false, err);
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

    image_fence_plan(images_of(vm), cure, plan);
}

void qemu_fence_tell(struct qemu *vm)
{
    AUTO_FREE char *cure = advice(vm);

    image_fence_tell(images_of(vm), vm->base.context.id, cure, &vm->base.context.events);
}
