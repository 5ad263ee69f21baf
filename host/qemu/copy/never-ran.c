/* Has the sealed copy run, though nobody has handed the guest over? */
#include "host/images/image-mark.h"
#include "host/qemu/copy/copy.h"

enum {
    STOP_MS = 60000, /* every disk is flushed */
};

void qemu_remember_sealed(struct copy *copy, cJSON *facts)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    cJSON *images = cJSON_AddArrayToObject(facts, "images");

    for (size_t i = 0; i < vm->images.disk_count; i++)
        image_mark_add(images, vm->images.disks[i].image);
    qemu_add_cpus(&vm->qemu, facts);
    cJSON_Delete(vm->sealed);
    vm->sealed = cJSON_Duplicate(facts, true);
}

static bool paused_copy_never_ran(struct qemu_copy *vm, struct error *err)
{
    qmp_hold(vm->qemu.q, true);
    if (qemu_is_watched(&vm->qemu) ? qemu_is_calm(&vm->qemu)
                                   : qemu_cpus_are_as(&vm->qemu, vm->sealed, err))
        return true;
    return error_set(err, ERROR_REFUSED, "somebody has let the copy here run, or reset it");
}

/* A dead copy can be judged only by its images: has somebody written to them? */
static bool dead_copy_never_ran(struct qemu_copy *vm, struct error *err)
{
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(vm->sealed, "images");
    struct error why = { 0 };

    return image_marks_hold(images, &why) ||
           error_set(err, ERROR_REFUSED, "the copy here is dead, and may have run before: %s",
                     why.text);
}

bool qemu_copy_never_ran(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    switch (qemu_run_state(&vm->qemu)) {
    case RUN_PAUSED:
        return paused_copy_never_ran(vm, err);
    case RUN_RUNNING:
        qmp_hold(vm->qemu.q, true);
        if (!qmp_stop(vm->qemu.q, STOP_MS, err))
            return error_prefix(err, "the copy here runs, and cannot be paused");
        return error_set(err, ERROR_REFUSED, "somebody has let the copy here run");
    case RUN_GONE:
        return dead_copy_never_ran(vm, err);
    case RUN_UNKNOWN:
        break;
    }
    return error_set(err, ERROR_TIMEOUT, "whether the copy here has run cannot be asked");
}
