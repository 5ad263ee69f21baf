/* May this VM come here? Looks at everything that would otherwise fail in the middle. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/disk-device.h"
#include "host/images/file-hash.h"
#include "core/notes.h"
#include "xmig/paths.h"
#include "host/system/program.h"
#include "host/qemu/guest/machine.h"
#include "host/qemu/taps.h"
#include "host/images/free-space.h"
#include "host/images/shared-images.h"
#include "xmig/text.h"
#include "xmig/units.h"
#include "host/qemu/drives.h"

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- the program ---- */

char *qemu_find_program(const char *wanted)
{
    const char *slash = strrchr(wanted, '/');
    char *found = program_find(wanted);

    return found || !slash ? found : program_find(slash + 1);
}

/* The sender names the program; that it is a QEMU is all that is asked of it. */
static bool check_program(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const char *wanted = json_string(qemu, "program", err);
    const char *slash = wanted ? strrchr(wanted, '/') : NULL;
    const char *name = slash ? slash + 1 : wanted;

    if (!wanted)
        return false;
    if (strncmp(name, "qemu-system-", 12) != 0 && strcmp(name, "qemu-kvm") != 0 &&
        strcmp(name, "kvm") != 0)
        return error_set(err, ERROR_REFUSED, "'%s' is not the name of a QEMU", wanted);
    free(vm->program);
    vm->program = qemu_find_program(wanted);
    if (!vm->program)
        return error_set(err, ERROR_REFUSED,
                         "there is no '%s' at the target: install it there, or name another "
                         "with --device-model",
                         wanted);
    return true;
}

static bool check_machine(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const char *machine = json_string(qemu, "machine", err);
    const char *accelerator = json_string(qemu, "accelerator", err);

    if (!machine || !accelerator ||
        !error_goes_on(err, qemu_check_help(vm, "-machine", machine, err)) ||
        !error_goes_on(err, qemu_check_help(vm, "-accel", accelerator, err)))
        return false;
    if (!strcmp(accelerator, "kvm") && access("/dev/kvm", R_OK | W_OK) < 0)
        return error_set(err, ERROR_REFUSED,
                         "the VM runs with KVM, which cannot be used at the target: "
                         "/dev/kvm: %m");
    return true;
}

static bool note_version(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const char *const words[] = { vm->program, "--version", NULL };
    uint64_t major = json_uint_or(qemu, "major", 0);
    uint64_t minor = json_uint_or(qemu, "minor", 0);
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
        notes_add(vm->notes,
                  "QEMU is older at the target (%u.%u) than at the source (%" PRIu64 ".%" PRIu64
                  ")",
                  here_major, here_minor, major, minor);
    return true;
}

/* What only the program itself knows. */
static bool check_with_program(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    return error_goes_on(err, check_machine(vm, qemu, err)) && note_version(vm, qemu, err) &&
           qemu_check_line_with_program(vm, qemu, err);
}

/* ---- names ---- */

static bool check_name(const struct qemu_copy *vm, const cJSON *params, struct error *err)
{
    const char *name = json_string(params, "name", err);
    pid_t other = name ? qemu_process_of(name, vm->uid) : 0;

    if (!name || !other)
        return name != NULL;
    return error_set(err, ERROR_REFUSED,
                     "a QEMU called '%s' runs at the target already (process %d): give the VM "
                     "another name with --name",
                     name, (int)other);
}

static bool check_user(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const char *name = json_string_or(qemu, "user", NULL);
    uint64_t uid = json_uint_or(qemu, "uid", geteuid());
    const struct passwd *user = name ? getpwnam(name) : NULL;

    vm->uid = user ? user->pw_uid : (uid_t)uid;
    vm->as_self = vm->uid == geteuid() || json_true(qemu, "drops_privileges");
    if (name && !user && vm->uid != geteuid())
        return error_set(err, ERROR_REFUSED,
                         "QEMU runs as the user '%s', whom this host does not "
                         "know",
                         name);
    if (geteuid() != 0 && (vm->uid != geteuid() || json_true(qemu, "drops_privileges")))
        return error_set(err, ERROR_REFUSED,
                         "QEMU runs as '%s' (%u) at the source: only the "
                         "superuser can start it so at the target: --remote-path \"sudo xmig\"",
                         name ? name : "another user", (unsigned)vm->uid);
    return true;
}

/* ---- files ---- */

static bool check_directory_of(const char *path, struct error *err)
{
    AUTO_FREE char *dir = path_directory(path);
    struct stat st;

    if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    return error_set(err, ERROR_REFUSED, "there is no directory '%s' at the target for '%s'", dir,
                     path);
}

static bool check_need(struct qemu_copy *vm, const cJSON *need, struct error *err)
{
    const char *path = json_string(need, "path", err);

    if (!path)
        return false;
    if (access(path, F_OK) < 0)
        return error_set(err, ERROR_REFUSED, "the VM needs '%s', which is not at the target: %m",
                         path);
    return file_hash_check(&vm->base.context, path, need, err);
}

static bool check_media(struct qemu_copy *vm, const cJSON *media, struct error *err)
{
    const cJSON *medium;

    cJSON_ArrayForEach (medium, media) {
        const char *image = json_string_or(medium, "image", "");

        if (*image == '/' &&
            !error_goes_on(err, file_hash_check(&vm->base.context, image, medium, err)))
            return false;
    }
    return true;
}

static bool check_socket(const char *path, struct error *err)
{
    int fd;

    if (!check_directory_of(path, err))
        return false;
    fd = connect_unix(path, NULL);
    if (fd < 0)
        return true;
    close(fd);
    return error_set(err, ERROR_REFUSED,
                     "at '%s', a socket of the VM, another process of the target listens", path);
}

static bool check_files(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, get(qemu, "needs"))
        if (!error_goes_on(err, check_need(vm, item, err)))
            return false;
    cJSON_ArrayForEach (item, get(qemu, "outputs"))
        if (!error_goes_on(err,
                           check_directory_of(cJSON_IsString(item) ? item->valuestring : "", err)))
            return false;
    cJSON_ArrayForEach (item, get(qemu, "sockets"))
        if (!error_goes_on(err, check_socket(cJSON_IsString(item) ? item->valuestring : "", err)))
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

static bool check_memory(const cJSON *params, struct error *err)
{
    char text[4096], wanted[UNITS_TEXT_MAX], available[UNITS_TEXT_MAX];
    uint64_t free_bytes = 0;
    uint64_t needed = json_uint_or(params, "memory", 0);
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
static bool check_rights(const struct qemu_copy *vm, const cJSON *disk, struct error *err)
{
    uint64_t mode = json_uint_or(disk, "mode", 0600);
    uint64_t owner = json_uint_or(disk, "uid", 0);
    const char *name = json_string_or(disk, "user", "");
    const char *runs_as = json_string_or(get(vm->params, "qemu"), "user", "-");

    if (vm->uid == 0 || vm->uid == owner || !strcmp(name, runs_as) || (mode & 0022))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "QEMU runs as user %u, and its image belongs to user %u with mode %04o, as at "
                     "the source: QEMU could not open it for writing at the target",
                     (unsigned)vm->uid, (unsigned)owner, (unsigned)mode);
}

static bool check_disk(struct qemu_copy *vm, const cJSON *disk, struct error *err)
{
    if (!vm->base.context.options.mirrors_disks)
        return shared_prove(disk, err);
    if (disk_device_is(json_string_or(disk, "image", "")))
        return error_set(
            err, ERROR_REFUSED,
            "its image cannot become a block device at the target: name a file with --disk");
    return check_rights(vm, disk, err) && disk_images_check(&vm->images, disk, err);
}

static bool check_disks(struct qemu_copy *vm, const cJSON *params, struct error *err)
{
    const cJSON *disks = get(params, "disks");
    int refused = error_aside(err);
    const cJSON *disk;

    cJSON_ArrayForEach (disk, disks)
        if (!error_goes_on(err,
                           check_disk(vm, disk, err) ||
                               error_prefix(err, "disk '%s'", json_string_or(disk, "name", "?"))))
            return false;
    return !vm->base.context.options.mirrors_disks || error_aside(err) > refused ||
           room_check(&vm->images, vm->notes, err);
}

/* ---- the public face ---- */

bool qemu_check_target(struct copy *copy, const cJSON *params, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    const cJSON *qemu = json_object(params, "qemu", err);

    if (!qemu || !json_array(qemu, "words", err))
        return false;
    vm->params = params;
    vm->images.disks = get(params, "disks");
    cJSON_Delete(vm->notes);
    vm->notes = must(cJSON_CreateArray());
    return error_goes_on(err, check_user(vm, qemu, err)) &&
           error_goes_on(err, check_name(vm, params, err)) &&
           error_goes_on(err, check_program(vm, qemu, err)) &&
           (!vm->program || check_with_program(vm, qemu, err)) &&
           drives_check(get(qemu, "media"), err) && check_media(vm, get(qemu, "media"), err) &&
           check_files(vm, qemu, err) && qemu_check_line(qemu, err) &&
           taps_check(vm, get(qemu, "taps"), err) && bridges_check(get(qemu, "bridges"), err) &&
           error_goes_on(err, check_memory(params, err)) && check_disks(vm, params, err);
}

void qemu_plan_recv(struct copy *copy, struct plan *plan)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    AUTO_FREE char *log = formatted("%s/%s", copy->context.state_dir, "qemu.log");
    const cJSON *item;

    disk_images_plan(&vm->images, plan);
    taps_plan(get(get(vm->params, "qemu"), "taps"), plan);
    plan_say(plan, "run %s as '%s'; its log is '%s'", vm->program,
             json_string_or(vm->params, "name", "?"), log);
    cJSON_ArrayForEach (item, vm->notes)
        plan_say(plan, "%s", item->valuestring);
}
