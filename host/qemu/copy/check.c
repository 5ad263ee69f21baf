/* May this VM come here? Looks at everything that would otherwise fail in the middle. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/disk-device.h"
#include "host/line-files.h"
#include "host/images/file-hash.h"
#include "core/plan-notes.h"
#include "xmig/paths.h"
#include "host/system/program.h"
#include "host/qemu/guest/machine.h"
#include "host/qemu/managers.h"
#include "host/qemu/taps.h"
#include "host/images/free-space.h"
#include "host/images/shared-images.h"
#include "xmig/text.h"
#include "xmig/units.h"
#include "host/qemu/drives.h"

/* ---- the program ---- */

/* The sender names the program; that it is a QEMU is all that is asked of it. */
static bool check_program(struct qemu_copy *vm, struct error *err)
{
    const char *wanted = vm->params.qemu.program;

    if (!qemu_is_name(wanted))
        return error_set(err, ERROR_REFUSED, "'%s' is not the name of a QEMU", wanted);
    free(vm->program);
    vm->program =
        line_program_find(wanted, vm->params.qemu.program_chosen, vm->base.context.policy);
    return vm->program || line_program_missing(wanted, err);
}

static bool check_machine_type(struct qemu_copy *vm, struct error *err)
{
    if (qemu_check_help(vm, "machine", vm->params.qemu.machine, err))
        return true;
    if (err && err->kind == ERROR_REFUSED)
        error_append(err, ": move the VM to a host whose QEMU has it, or start it again with one "
                          "that both have");
    return false;
}

static bool check_machine(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;

    if (!error_goes_on(err, check_machine_type(vm, err)) ||
        !error_goes_on(err, qemu_check_help(vm, "accel", qemu->accelerator, err)))
        return false;
    if (!strcmp(qemu->accelerator, "kvm") && access("/dev/kvm", R_OK | W_OK) < 0)
        return error_set(err, ERROR_REFUSED,
                         "the VM runs with KVM, which cannot be used at the target: "
                         "/dev/kvm: %m");
    return true;
}

static bool note_version(struct qemu_copy *vm, struct error *err)
{
    const char *const words[] = { vm->program, "--version", NULL };
    uint64_t major = vm->params.qemu.major, minor = vm->params.qemu.minor;
    AUTO_FREE char *text = NULL;
    unsigned here_major, here_minor;
    const char *number;

    if (!program_run(vm->base.context.loop, words, &text, QEMU_HELP_MS, err))
        return false;
    number = strstr(text, "version ");
    if (!number || sscanf(number, "version %u.%u", &here_major, &here_minor) != 2)
        return true;
    vm->images.qemu = QEMU_VERSION(here_major, here_minor);
    if (here_major < major || (here_major == major && here_minor < minor))
        plan_notes_add(vm->notes,
                       "QEMU is older at the target (%u.%u) than at the source (%" PRIu64
                       ".%" PRIu64 ")",
                       here_major, here_minor, major, minor);
    return true;
}

/* Checks that have to run the target's QEMU program. */
static bool check_with_program(struct qemu_copy *vm, struct error *err)
{
    return error_goes_on(err, check_machine(vm, err)) && note_version(vm, err) &&
           queues_check(vm, err) && devices_check(vm, err) &&
           error_goes_on(err, qemu_check_known(vm, err)) && qemu_check_line_with_program(vm, err);
}

/* ---- names ---- */

static bool check_name(const struct qemu_copy *vm, struct error *err)
{
    const char *name = vm->params.name;
    pid_t other = qemu_process_of(name, vm->uid);

    return !other ||
           error_set(err, ERROR_REFUSED,
                     "a QEMU called '%s' runs at the target already (process %d): give the VM "
                     "another name with --name",
                     name, (int)other);
}

static bool check_managers(const struct qemu_copy *vm, struct error *err)
{
    const char *name = vm->params.name;
    char path[256];
    const struct manager *manager =
        vm->params.qemu.unmanaged ? NULL : managers_know("", name, path, sizeof(path));

    return !manager ||
           error_set(err, ERROR_REFUSED,
                     "%s knows a VM '%s' at the target ('%s'), and could start that beside this "
                     "one: give this VM another name with --name, or say --unmanaged",
                     manager->name, name, path);
}

static bool check_user(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;
    const char *name = qemu->user;
    const struct passwd *user = name ? getpwnam(name) : NULL;

    vm->uid = user ? user->pw_uid : (uid_t)qemu->uid;
    vm->as_self = vm->uid == geteuid() || qemu->drops_privileges;
    if (name && !user && vm->uid != geteuid())
        return error_set(err, ERROR_REFUSED,
                         "QEMU runs as the user '%s', whom this host does not "
                         "know",
                         name);
    if (geteuid() != 0 && (vm->uid != geteuid() || qemu->drops_privileges))
        return error_set(err, ERROR_REFUSED,
                         "QEMU runs as '%s' (%u) at the source: only the "
                         "superuser can start it so at the target: --remote-path \"sudo xmig\"",
                         name ? name : "another user", (unsigned)vm->uid);
    return true;
}

/* ---- files ---- */

static bool check_need(struct qemu_copy *vm, const struct needed_file *need, struct error *err)
{
    if (access(need->path, F_OK) < 0)
        return error_set(err, ERROR_REFUSED, "the VM needs '%s', which is not at the target: %m",
                         need->path);
    return file_hash_check(&vm->base.context, need->path, need->size, need->sha256, err);
}

static bool check_media(struct qemu_copy *vm, struct error *err)
{
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, vm->params.qemu.media, qemu_medium_fields, &medium)
        if (*medium.image == '/' &&
            !error_goes_on(err, file_hash_check(&vm->base.context, medium.image, medium.size,
                                                medium.sha256, err)))
            return false;
    return true;
}

static bool check_files(struct qemu_copy *vm, struct error *err)
{
    struct needed_file need;
    const cJSON *item;

    fields_each (item, vm->params.qemu.needs, needed_file_fields, &need)
        if (!error_goes_on(err, check_need(vm, &need, err)))
            return false;
    return true;
}

/* ---- room ---- */

static bool read_kilobytes(const char *text, const char *key, uint64_t *sum)
{
    const char *line = strstr(text, key);
    uint64_t value;

    if (!line || sscanf(line + strlen(key), " %" SCNu64, &value) != 1)
        return false;
    *sum += value * 1024;
    return true;
}

static bool check_memory(uint64_t needed, struct error *err)
{
    char text[4096], wanted[UNITS_TEXT_MAX], available[UNITS_TEXT_MAX];
    uint64_t free_bytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        fclose(file);
    text[len] = '\0';
    if (!read_kilobytes(text, "MemAvailable:", &free_bytes) ||
        !read_kilobytes(text, "SwapFree:", &free_bytes) || free_bytes >= needed)
        return true;
    return error_set(err, ERROR_REFUSED, "the VM has %s of RAM, and only %s are free at the target",
                     print_size(wanted, needed), print_size(available, free_bytes));
}

/* QEMU opens an image for writing only when it gets it, which is after -runas. */
static bool check_rights(const struct qemu_copy *vm, const struct disk_params *disk,
                         struct error *err)
{
    const char *runs_as = vm->params.qemu.user;

    if (vm->uid == 0 || vm->uid == disk->uid || (disk->mode & 0022) ||
        (disk->user && runs_as && !strcmp(disk->user, runs_as)))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "QEMU runs as user %u, and its image belongs to user %u with mode %04o, as at "
                     "the source: QEMU could not open it for writing at the target",
                     (unsigned)vm->uid, (unsigned)disk->uid, (unsigned)disk->mode);
}

static bool is_in_group(uid_t uid, gid_t wanted)
{
    enum {
        GROUPS_MAX = 256
    };
    const struct passwd *user = getpwuid(uid);
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;

    if (!user || getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

/* A block device keeps its owner. */
static bool check_device_rights(const struct qemu_copy *vm, const char *path, struct error *err)
{
    struct stat st;

    if (vm->uid == 0 || stat(path, &st) < 0 || (st.st_mode & 0006) == 0006 ||
        (st.st_uid == vm->uid && (st.st_mode & 0600) == 0600) ||
        ((st.st_mode & 0060) == 0060 && is_in_group(vm->uid, st.st_gid)))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "QEMU runs as user %u, who may not write to '%s' at the target: give it to "
                     "that user there (by a rule of udev's, which counts after a boot, too)",
                     (unsigned)vm->uid, path);
}

static bool check_disk(struct qemu_copy *vm, const struct disk_params *disk, struct error *err)
{
    if (!vm->base.context.options.mirrors_disks)
        return shared_prove(disk, err);
    return (disk_device_is(disk->image) ? check_device_rights(vm, disk->image, err)
                                        : check_rights(vm, disk, err)) &&
           disk_images_check(&vm->images, disk, err);
}

static bool check_disks(struct qemu_copy *vm, struct error *err)
{
    const struct disk_params *disks = vm->images.disks;
    int refused = error_aside(err);

    for (size_t i = 0; i < vm->images.disk_count; i++)
        if (!error_goes_on(err, check_disk(vm, &disks[i], err) ||
                                    error_prefix(err, "disk '%s'", disks[i].name)))
            return false;
    return !vm->base.context.options.mirrors_disks || error_aside(err) > refused ||
           room_check(&vm->images, vm->notes, err);
}

/* Show the guest no more of a larger block device than its disk has. */
static bool fit_devices(struct qemu_copy *vm, struct error *err)
{
    for (size_t i = 0;
         vm->words && vm->base.context.options.mirrors_disks && i < vm->images.disk_count; i++) {
        const struct disk_params *disk = &vm->images.disks[i];

        if (disk_device_is(disk->image) && disk_device_exceeds(disk) &&
            !argv_show_part(vm->words, disk->image, disk->size, err))
            return error_prefix(err, "disk '%s'", disk->name);
    }
    return true;
}

/* ---- the public face ---- */

bool qemu_check_target(struct copy *copy, const cJSON *params, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    const struct qemu_machine *qemu = &vm->params.qemu;

    if (!qemu_params_read(params, &vm->params, err) ||
        !disk_images_take(&vm->images, vm->params.disks, err))
        return false;
    cJSON_Delete(vm->notes);
    vm->notes = must(cJSON_CreateArray());
    return error_goes_on(err, check_user(vm, err)) && qemu_check_arrived(vm, err) &&
           error_goes_on(err, check_name(vm, err)) && error_goes_on(err, check_managers(vm, err)) &&
           error_goes_on(err, check_program(vm, err)) &&
           (!vm->program || check_with_program(vm, err)) && drives_check(qemu->media, err) &&
           check_media(vm, err) && check_files(vm, err) && qemu_check_line(qemu, err) &&
           offloads_check(vm, err) && taps_check(vm, qemu->taps, err) &&
           bridges_check(qemu->bridges, err) &&
           error_goes_on(err, check_memory(vm->params.memory, err)) && check_disks(vm, err) &&
           fit_devices(vm, err) && tpm_check(vm, err);
}

void qemu_plan_recv(struct copy *copy, struct plan *plan)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    AUTO_FREE char *log = formatted("%s/%s", copy->context.state_dir, "qemu.log");
    const cJSON *item;

    disk_images_plan(&vm->images, plan);
    taps_plan(vm->params.qemu.taps, plan);
    plan_say(plan, "run %s as '%s'; its log is '%s'", vm->program, vm->params.name, log);
    qemu_plan_line(vm, plan);
    tpm_plan(vm, plan);
    cJSON_ArrayForEach (item, vm->notes)
        plan_say(plan, "%s", item->valuestring);
}
