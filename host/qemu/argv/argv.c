/* A QEMU's command line as a whole: its options, its disks, and what it left unsaid. */
#include "host/qemu/argv/argv.h"

#include "host/qemu/argv/rewriters.h"

/* Say to the target what the source had by default: the defaults of another QEMU may differ. */
static void add_the_unsaid(struct qemu_rewriting *q)
{
    if (!q->has_machine)
        rewriting_emit(&q->base, "machine", q->vm->machine);
    if (!q->has_accelerator)
        rewriting_emit(&q->base, "accel", q->vm->accelerator);
    if (!q->has_name && q->vm->new_name)
        rewriting_emit(&q->base, "name", q->vm->new_name);
    if (!q->has_display)
        rewriting_emit(&q->base, "display", "none");
}

static bool all_disks_found(const struct argv_vm *vm, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!vm->disks[i].found &&
            !error_goes_on(err, error_set(err, ERROR_REFUSED,
                                          "the disk image '%s' is not on QEMU's command line: it "
                                          "was plugged in later",
                                          vm->disks[i].paths[0])))
            return false;
    return true;
}

bool argv_rewrite(const cJSON *words, struct argv_vm *vm, struct argv_result *result,
                  struct error *err)
{
    AUTO_JSON cJSON *nodes = must(cJSON_CreateObject());
    struct qemu_rewriting q = { .base = { .table = &qemu_options,
                                          .cwd = vm->cwd,
                                          .name = vm->name,
                                          .new_name = vm->new_name,
                                          .result = result },
                                .vm = vm,
                                .nodes = nodes };
    int refused = error_aside(err);

    if (!rewriting_run(&q.base, words, err) || !all_disks_found(vm, err) ||
        !error_none_since(err, refused))
        return false;
    add_the_unsaid(&q);
    return true;
}
