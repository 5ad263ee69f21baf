/* What a QEMU at the target leaves in the file system: its sockets, its pid files, what it writes.
 * They are removed with it, and only they: not what somebody else has put in their place.
 */
#include <sys/stat.h>

#include "host/qemu/copy/copy.h"
#include "host/system/file-identity.h"
#include "xmig/facts.h"
#include "xmig/process.h"
#include "xmig/text.h"

char *qemu_socket(const struct qemu_copy *vm, const char *name)
{
    return formatted("%s/qemu/%s.sock", vm->base.context.runtime_dir, name);
}

static void add_new(cJSON *files, const cJSON *paths, mode_t type)
{
    const cJSON *path;
    struct stat st;

    cJSON_ArrayForEach (path, paths)
        /* QEMU makes a socket anew, and goes on with a file, which is somebody's. */
        if (type == S_IFSOCK || lstat(path->valuestring, &st) < 0)
            cJSON_AddItemToArray(files, must(cJSON_Duplicate(path, true)));
}

cJSON *qemu_files_to_come(const struct qemu_copy *vm)
{
    cJSON *files = must(cJSON_CreateArray());

    add_new(files, vm->line.outputs, S_IFREG);
    add_new(files, vm->line.sockets, S_IFSOCK);
    return files;
}

static bool is_made(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode));
}

bool qemu_note_files(struct qemu_copy *vm, struct error *err)
{
    cJSON *fact = fact_new(FACT_FILES);
    cJSON *made = cJSON_AddArrayToObject(fact, "made");
    const cJSON *path;

    cJSON_ArrayForEach (path, cJSON_GetObjectItemCaseSensitive(vm->machine, "files")) {
        cJSON *file;

        if (!is_made(path->valuestring))
            continue;
        file = must(cJSON_CreateObject());
        cJSON_AddItemToArray(made, file);
        cJSON_AddStringToObject(file, "path", path->valuestring);
        (void)file_identity_add_path(file, path->valuestring, NULL); /* gone again: none has it */
    }
    cJSON_Delete(vm->files);
    vm->files = fact;
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
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
    const cJSON *file;

    sweep_own(vm);
    cJSON_ArrayForEach (file, cJSON_GetObjectItemCaseSensitive(vm->files, "made"))
        (void)file_identity_remove(file, NULL);
}
