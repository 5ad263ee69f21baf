/* The source's images are what QEMU has open, not what has their names by now. */
#include "xmig/paths.h"
#include "host/images/open-files.h"
#include "qmp/argv/block-driver.h"
#include "host/qemu/guest/guest.h"

static bool refuse_deleted(const struct open_file *file, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "its image '%s' was deleted while QEMU has it open, and has no name any more: "
                     "give the disk a file again first, with QMP's drive-mirror and "
                     "block-job-complete",
                     file->called);
}

static bool refuse_unreachable(const struct open_file *file, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "its image, which QEMU's mount name space calls '%s', has no name on this "
                     "host: mount its file system here, too",
                     file->called);
}

static bool take_name(const struct open_file *file, char **path, struct error *err)
{
    if (file->deleted)
        return refuse_deleted(file, err);
    if (!file->name)
        return refuse_unreachable(file, err);
    *path = must(strdup(file->name));
    return true;
}

static bool find_by_names(struct open_files *files, struct source_disk *disk, struct error *err)
{
    for (size_t i = 0; disk->said[i]; i++) {
        const struct open_file *file = open_files_by_name(files, disk->said[i]);

        if (file && !take_name(file, &disk->paths[i], err))
            return false;
    }
    return true;
}

/* Match renamed images. A disk that is no file of this host (a network disk) keeps QEMU's name. */
static bool find_the_rest(struct qemu_guest *vm, struct open_files *files, struct source_disk *disk,
                          struct error *err)
{
    for (size_t i = 0; disk->said[i]; i++) {
        const char *said = disk->said[i];
        const struct open_file *file;

        if (disk->paths[i])
            continue;
        file = open_files_by_likeness(files, said, disk->params.size, i == 0);
        if (file && !take_name(file, &disk->paths[i], err))
            return false;
        if (!file)
            disk->paths[i] =
                block_name_is_local(said) ? path_real(vm->process.cwd, said) : must(strdup(said));
        if (!file && i == 0 && vm->base.context.options.mirrors_disks)
            return error_set(err, ERROR_REFUSED,
                             "none of the files that QEMU has open is known to be its image '%s': "
                             "only local images can be mirrored, and one that was renamed must "
                             "not be mistaken for another",
                             said);
    }
    return true;
}

/* ---- by which name QEMU opens one again ---- */

/* Will QEMU open the image again, by name, if the guest goes on after the hand-over has failed? It
 * does so with -drive; with -blockdev only if that says auto-read-only.
 */
static bool is_opened_anew(const struct qemu_guest *vm, const struct source_disk *disk)
{
    const cJSON *word;

    if (!strncmp(disk->said[0], "/dev/fdset/", 11))
        return false; /* a descriptor is no name; -add-fd is refused by itself */
    if (!block_name_is_local(disk->said[0]))
        return false;
    cJSON_ArrayForEach (word, vm->process.words)
        if (*disk->params.drive || strstr(word->valuestring, "auto-read-only"))
            return true;
    return false;
}

static bool refuse_elsewhere(const struct qemu_guest *vm, const struct source_disk *disk,
                             struct error *err)
{
    AUTO_FREE char *place = path_real(vm->process.cwd, disk->said[0]);

    return error_set(
        err, ERROR_REFUSED,
        "disk '%s': its image is '%s', which QEMU knows as '%s' and would open again "
        "by that name when a move is undone, but '%s' is %s: make it lead to the image "
        "first (ln -s '%s' '%s')",
        disk->params.name, disk->paths[0], disk->said[0], place,
        access(place, F_OK) == 0 ? "another file" : "no file", disk->paths[0], place);
}

static bool name_leads_to_image(const struct qemu_guest *vm, const struct source_disk *disk)
{
    struct open_files files;
    const struct open_file *file;
    bool leads;

    open_files_read(vm->qemu.pid, vm->process.cwd, &files);
    file = open_files_by_name(&files, disk->said[0]);
    leads = file && file->name && !strcmp(file->name, disk->paths[0]);
    open_files_done(&files);
    return leads;
}

bool source_images_hold(struct qemu_guest *vm, struct error *err)
{

    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct source_disk *disk = &vm->disks[i];

        if (disk->opened_anew && !name_leads_to_image(vm, disk))
            return refuse_elsewhere(vm, disk, err);
    }
    return true;
}

/* ---- finding ---- */

/* Match images by name first, so that likeness cannot give one of them to another disk. */
bool source_images_find(struct qemu_guest *vm, struct error *err)
{
    struct open_files files;
    bool ok = true;

    open_files_read(vm->qemu.pid, vm->process.cwd, &files);
    for (size_t i = 0; ok && i < vm->disk_count; i++)
        ok = find_by_names(&files, &vm->disks[i], err) ||
             error_prefix(err, "disk '%s'", vm->disks[i].params.name);
    for (size_t i = 0; ok && i < vm->disk_count; i++)
        ok = find_the_rest(vm, &files, &vm->disks[i], err) ||
             error_prefix(err, "disk '%s'", vm->disks[i].params.name);
    open_files_done(&files);
    for (size_t i = 0; ok && i < vm->disk_count; i++)
        vm->disks[i].opened_anew = is_opened_anew(vm, &vm->disks[i]);
    return ok;
}
