/* The table of what a copy of QEMU's can do. */
#include "host/qemu/copy/copy.h"

static void free_copy(struct copy *copy)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    qemu_disconnect(&vm->qemu);
    qemu_copy_done(vm);
    free(vm->qemu.socket);
    free(vm);
}

static bool reattach(struct copy *copy, const cJSON *records, struct error *err)
{
    return qemu_copy_reattach(qemu_copy_of(copy), records, err);
}

static const struct copy_ops ops = {
    .free = free_copy,
    .needs = qemu_needs,
    .check = qemu_check_target,
    .plan = qemu_plan_recv,
    .create = qemu_create_machine,
    .start = qemu_start_device_model,
    .open_lane = qemu_open_lane,
    .flush_disks = qemu_flush_disks,
    .ram_listen = qemu_ram_listen,
    .ram_recv = qemu_ram_recv,
    .seal = qemu_seal,
    .remember_sealed = qemu_remember_sealed,
    .never_ran = qemu_copy_never_ran,
    .disks_have_names = qemu_disks_have_names,
    .before_resume = qemu_before_resume,
    .resume = qemu_copy_resume,
    .after_resume = qemu_after_resume,
    .state = qemu_copy_state,
    .runs_again = qemu_copy_runs_again,
    .destroy = qemu_copy_destroy,
    .disks_discard = qemu_disks_discard,
    .disks_keep = qemu_disks_keep,
    .reattach = reattach,
};

struct copy *qemu_copy_new(void)
{
    struct qemu_copy *vm = must(calloc(1, sizeof(*vm)));

    vm->base.ops = &ops;
    vm->qemu.context = &vm->base.context;
    disk_images_init(&vm->images, &vm->base.context);
    return &vm->base;
}
