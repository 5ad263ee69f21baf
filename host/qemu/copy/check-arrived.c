/* The command line as it arrived: the table of options is walked once more, and what QEMU would
 * start, write and make is looked at.
 */
#include "host/line-files.h"
#include "host/qemu/copy/copy.h"

static bool has(const cJSON *list, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list)
        if (!strcmp(item->valuestring, text))
            return true;
    return false;
}

/* What the source says that the line makes is what is removed after a failure. */
static bool are_found(const cJSON *said, const cJSON *found, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, said)
        if (!has(found, item->valuestring))
            return error_set(err, ERROR_REFUSED,
                             "the source says that the VM's QEMU makes '%s', and its command line "
                             "does not say so",
                             item->valuestring);
    return true;
}

bool qemu_check_arrived(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;
    /* The words of shared disks are the source's own. */
    const struct disk_params *disks =
        vm->base.context.options.mirrors_disks ? vm->images.disks : NULL;

    argv_result_done(&vm->line);
    return error_goes_on(err, argv_arrived(qemu->words, disks, qemu->machine, qemu->accelerator,
                                           &vm->line, err)) &&
           error_goes_on(err, are_found(qemu->outputs, vm->line.outputs, err)) &&
           error_goes_on(err, are_found(qemu->sockets, vm->line.sockets, err)) &&
           error_goes_on(err, are_found(qemu->pidfiles, vm->line.pidfiles, err)) &&
           line_files_check(&vm->line, vm->uid, err);
}

void qemu_plan_line(const struct qemu_copy *vm, struct plan *plan)
{
    const cJSON *item;

    ports_plan(&vm->line, plan);
    cJSON_ArrayForEach (item, vm->line.programs)
        plan_say(plan, "QEMU starts '%s'", item->valuestring);
}
