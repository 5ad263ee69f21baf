/* Can this VM, as it is, meet a known fault of the QEMU that runs it? */
#include "host/qemu/guest/guest.h"
#include "qmp/known-faults.h"

static bool is_ide_disk(struct qemu_guest *vm, const char *path)
{
    AUTO_JSON cJSON *type = NULL;
    cJSON *arguments = json_new("path", path);

    cJSON_AddStringToObject(arguments, "property", "type");
    return qmp_call(vm->qemu.q, "qom-get", arguments, &type, NULL) && cJSON_IsString(type) &&
           !strncmp(type->valuestring, "ide-", 4);
}

/* Has the guest ever trimmed an IDE disk? Then it may do so again at any time. */
static bool trims_ide(struct qemu_guest *vm)
{
    AUTO_JSON cJSON *all = NULL;
    const cJSON *drive;

    if (!qmp_call(vm->qemu.q, "query-blockstats", NULL, &all, NULL))
        return false;
    cJSON_ArrayForEach (drive, all) {
        const char *path = json_string_or(drive, "qdev", "");

        if (*path && json_uint_or(json_get(drive, "stats"), "unmap_operations", 0) &&
            is_ide_disk(vm, path))
            return true;
    }
    return false;
}

bool qemu_check_faults(struct qemu_guest *vm, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    const struct qmp *q = vm->qemu.q;

    if (!options->mirrors_disks || !vm->disk_count)
        return true;
    return error_goes_on(err, known_fault_refuse(FAULT_MIRROR_START, q, options->despite, err)) &&
           (!trims_ide(vm) || known_fault_refuse(FAULT_IDE_TRIM, q, options->despite, err));
}

/* ---- when the guest is paused ---- */

static bool has_flash(const struct qemu_guest *vm)
{
    const cJSON *word;

    cJSON_ArrayForEach (word, vm->process.words)
        if (strstr(word->valuestring, "pflash"))
            return true;
    return false;
}

/* "(prio 0, romd): system.flash0": the guest reads what the flash holds. In "i/o" it reads what has
 * become of its last command.
 */
static bool is_in_command(const char *tree)
{
    return strstr(tree, "i/o): system.flash") != NULL;
}

bool qemu_check_flash(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *tree = NULL;
    cJSON *arguments;

    if (!has_flash(vm) || json_true(vm->base.context.options.despite, FAULT_PFLASH_MODE))
        return true;
    arguments = json_new("command-line", "info mtree");
    if (!qmp_call(vm->qemu.q, "human-monitor-command", arguments, &tree, err))
        return false;
    return !cJSON_IsString(tree) || !is_in_command(tree->valuestring) ||
           error_set(err, ERROR_SYSTEM,
                     "the guest was paused while it writes to its firmware's flash, which QEMU "
                     "before 11.1.1 and 10.0.13 would not go on with at the target: try again, or "
                     "say --despite " FAULT_PFLASH_MODE);
}
