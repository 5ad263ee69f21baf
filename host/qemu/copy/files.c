/* What a QEMU at the target leaves in the file system: its sockets, its pid files, what it writes.
 * They are removed with it, and only they: not what somebody else has put in their place.
 */
#include "host/line-files.h"
#include "host/qemu/copy/copy.h"
#include "xmig/process.h"
#include "xmig/text.h"

char *qemu_socket(const struct qemu_copy *vm, const char *name)
{
    return formatted("%s/qemu/%s.sock", vm->base.context.runtime_dir, name);
}

bool qemu_note_files(struct qemu_copy *vm, struct error *err)
{
    cJSON_Delete(vm->files);
    vm->files = line_files_fact(cJSON_GetObjectItemCaseSensitive(vm->machine, "files"));
    return vm->base.context.note(vm->base.context.note_arg, vm->files, err);
}

static void sweep_own(struct qemu_copy *vm)
{
    static const char *const names[] = { "qmp", "nbd", "ram" };
    AUTO_FREE char *dir = formatted("%s/qemu", vm->base.context.runtime_dir);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_FREE char *path = qemu_socket(vm, names[i]);

        unlink(path);
    }
    rmdir(dir);
}

void qemu_look_at_files(struct qemu_copy *vm)
{
    if (vm->machine && !vm->files && process_lives(vm->qemu.pid, vm->qemu.start_time))
        (void)qemu_note_files(vm, NULL);
}

void qemu_sweep(struct qemu_copy *vm)
{
    sweep_own(vm);
    line_files_remove(vm->files);
}
