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
                                .words = words,
                                .nodes = nodes };
    int refused = error_aside(err);
    bool ok = rewriting_run(&q.base, words, err);

    if (!q.has_network && !argv_has(words, "nodefaults"))
        rewriting_peer_anywhere(&q.base, "QEMU's network of its own");
    if (!ok || !all_disks_found(vm, err) || !error_none_since(err, refused))
        return false;
    add_the_unsaid(&q);
    return true;
}

/* ---- one that has arrived ---- */

/* Each disk is known by its image at the target alone. */
static void take_disks(struct argv_vm *vm, const struct disk_params *disks, char **names)
{
    for (size_t i = 0; i < vm->disk_count; i++) {
        names[2 * i] = (char *)disks[i].image;
        vm->disks[i] = (struct argv_disk){ .paths = &names[2 * i],
                                           .said = &names[2 * i],
                                           .target = disks[i].image,
                                           .format = disks[i].format ? disks[i].format : "raw",
                                           .stays_full = disks[i].full };
    }
}

bool argv_arrived(const cJSON *words, const struct disk_params *disks, const char *machine,
                  const char *accelerator, struct argv_result *result, struct error *err)
{
    struct argv_vm vm = { .cwd = "/", .machine = machine, .accelerator = accelerator };
    AUTO_FREE struct argv_disk *moved = NULL;
    AUTO_FREE char **names = NULL;
    AUTO_FREE const char **images = NULL;
    bool ok;

    while (disks && disks[vm.disk_count].name)
        vm.disk_count++;
    vm.disks = moved = must(calloc(vm.disk_count + 1, sizeof(*moved)));
    names = must(calloc(2 * vm.disk_count + 1, sizeof(*names)));
    images = must(calloc(vm.disk_count + 1, sizeof(*images)));
    take_disks(&vm, disks, names);
    ok = argv_rewrite(words, &vm, result, err);
    for (size_t i = 0; i < vm.disk_count; i++) {
        images[i] = disks[i].image;
        free(moved[i].renamed);
    }
    return ok && arrived_check(&qemu_options, words, result, images, err);
}

bool argv_keeps_writes(const cJSON *words, struct error *err)
{
    return rewriting_keeps_writes(&qemu_options, words, err);
}

char *argv_tpm_socket(const cJSON *words)
{
    return rewriting_tpm_socket(&qemu_options, words);
}
