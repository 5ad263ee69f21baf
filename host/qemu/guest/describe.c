/* What the target must know of the running VM. What must not be guessed is asked: the machine's
 * version, the accelerator, the devices, the disks, and the command line itself.
 */
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/disk-device.h"
#include "host/images/file-hash.h"
#include "xmig/process.h"
#include "xmig/paths.h"
#include "host/qemu/guest/machine.h"
#include "host/qemu/taps.h"
#include "host/images/shared-images.h"
#include "host/images/source-image.h"
#include "host/images/thin.h"
#include "xmig/units.h"
#include "host/qemu/drives.h"
#include "qmp/argv/block-driver.h"

/* ---- asking ---- */

static bool read_machine(struct qemu_guest *vm, struct error *err)
{
    free(vm->machine);
    vm->machine = qmp_query_machine(vm->qemu.q, err);
    return vm->machine != NULL;
}

static bool read_accelerator(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *kvm = NULL;

    if (!qmp_call(vm->qemu.q, "query-kvm", NULL, &kvm, err))
        return false;
    vm->accelerator = json_true(kvm, "enabled") ? "kvm" : "tcg";
    return true;
}

static bool read_memory(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *summary = NULL;

    if (!qmp_call(vm->qemu.q, "query-memory-size-summary", NULL, &summary, err))
        return false;
    if (!json_uint(summary, "base-memory", &vm->memory, err))
        return error_prefix(err, "query-memory-size-summary");
    vm->memory += json_uint_or(summary, "plugged-memory", 0);
    return true;
}

static bool rewrite_command_line(struct qemu_guest *vm, struct argv_disk *disks, struct error *err)
{
    AUTO_JSON cJSON *nodes = line_ids(vm->process.words, "blockdev", "node-name");
    struct argv_vm line = {
        .cwd = vm->process.start_dir,
        .name = vm->name,
        .new_name = vm->base.context.options.new_name,
        .machine = vm->machine,
        .accelerator = vm->accelerator,
        .disks = disks,
        .disk_count = vm->base.context.options.mirrors_disks ? vm->disk_count : 0,
        .media = vm->media,
        .nodes = nodes,
        .bridges = vm->base.context.options.bridges,
        .forwards = json_get(vm->present, "forwards"),
    };

    for (size_t i = 0; i < line.disk_count; i++)
        disks[i] =
            (struct argv_disk){ .paths = vm->disks[i].paths,
                                .said = vm->disks[i].said,
                                .target = vm->disks[i].params.image,
                                .format = vm->disks[i].params.format,
                                .is_chosen = json_string_or(vm->base.context.options.disk_targets,
                                                            vm->disks[i].params.name, NULL) != NULL,
                                .stays_full = vm->disks[i].params.full };
    argv_result_done(&vm->argv);
    if (!argv_rewrite(vm->process.words, &line, &vm->argv, err)) {
        for (size_t i = 0; i < line.disk_count; i++)
            free(disks[i].renamed);
        return false;
    }
    for (size_t i = 0; i < line.disk_count; i++) {
        vm->disks[i].said_layer = disks[i].layer;
        if (disks[i].renamed)
            source_disk_set_image(vm, &vm->disks[i], disks[i].renamed);
    }
    return true;
}

static bool is_image(const struct qemu_guest *vm, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);

    for (size_t i = 0; i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].paths[0], real))
            return true;
    return false;
}

/* The files that the target needs, with hashes. A shared image has none: its content changes. */
static cJSON *needs_with_hashes(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *needs = must(cJSON_CreateArray());
    const cJSON *path;

    cJSON_ArrayForEach (path, vm->argv.needs) {
        struct needed_file need = { .path = path->valuestring };

        if (!is_image(vm, need.path) &&
            !file_hash_describe(&vm->base.context, need.path, &need.size, need.sha256, err))
            return NULL;
        cJSON_AddItemToArray(needs, fields_new(needed_file_fields, &need));
    }
    return steal(needs);
}

static cJSON *media_with_hashes(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *media = must(cJSON_CreateArray());
    struct qemu_medium medium;
    const cJSON *item;

    fields_each (item, vm->media, qemu_medium_fields, &medium) {
        if (*medium.image && *medium.source == '/' &&
            !file_hash_describe(&vm->base.context, medium.source, &medium.size, medium.sha256, err))
            return NULL;
        cJSON_AddItemToArray(media, fields_new(qemu_medium_fields, &medium));
    }
    return steal(media);
}

static bool offer_image(struct qemu_guest *vm, const struct source_disk *disk,
                        struct disk_params *params, cJSON *disks, struct error *err)
{
    params->format = NULL;
    params->options = params->bitmaps = NULL;
    if (!shared_offer(disk->paths[0], vm->base.context.id,
                      json_true(vm->base.context.options.shared, disk->params.name), params,
                      &vm->proofs, err))
        return error_prefix(err, "disk '%s'", disk->params.name);
    cJSON_AddItemToArray(disks, fields_new(disk_fields, params));
    return true;
}

static bool describe_disk(struct qemu_guest *vm, const struct source_disk *disk,
                          const struct argv_disk *moved, cJSON *disks, struct error *err)
{
    struct disk_params params = disk->params;

    if (block_name_is_local(disk->paths[0]) &&
        !source_image_add_owner(&params, disk->paths[0], err))
        return false;
    if (!vm->base.context.options.mirrors_disks)
        return offer_image(vm, disk, &params, disks, err);
    if (disk->has_stored_bitmaps && strcmp(moved->format_at_target, "qcow2") != 0)
        return error_set(err, ERROR_REFUSED,
                         "disk '%s': its image keeps bitmaps, which a raw image, as the target's "
                         "will be, cannot: remove them, or say --lose %s=bitmaps",
                         disk->params.name, disk->params.name);
    params.format = moved->format_at_target;
    params.unmaps = moved->unmaps;
    params.skips_zeroes = qmp_is_at_least(vm->qemu.q, 10, 1) && !disk_device_is(disk->params.image);
    if (strcmp(params.format, "qcow2") != 0 || strcmp(disk->params.format, "qcow2") != 0)
        params.options = NULL;
    cJSON_AddItemToArray(disks, fields_new(disk_fields, &params));
    return true;
}

static bool describe_disks(struct qemu_guest *vm, const struct argv_disk *moved, cJSON *disks,
                           struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!describe_disk(vm, &vm->disks[i], &moved[i], disks, err))
            return false;
    return true;
}

static cJSON *chosen_bridges(const cJSON *names, const cJSON *bridges)
{
    cJSON *chosen = must(cJSON_CreateArray());
    const cJSON *name;

    cJSON_ArrayForEach (name, names)
        cJSON_AddItemToArray(chosen, must(cJSON_CreateString(json_string_or(
                                         bridges, name->valuestring, name->valuestring))));
    return chosen;
}

/* A copy, which outlives the next look at the users; NULL: the user has no name. */
static char *user_name(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    return user ? must(strdup(user->pw_name)) : NULL;
}

static cJSON *read_uso(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *uso = must(cJSON_Duplicate(json_get(vm->present, "uso"), true));

    return offloads_add_cards(&vm->qemu, uso, err) ? steal(uso) : NULL;
}

static bool describe_machine(struct qemu_guest *vm, const cJSON *disks, const cJSON *tpms,
                             cJSON *out, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    AUTO_FREE char *user = user_name(vm->process.uid);
    AUTO_JSON cJSON *needs = needs_with_hashes(vm, err);
    AUTO_JSON cJSON *media = needs ? media_with_hashes(vm, err) : NULL;
    AUTO_JSON cJSON *uso = media ? read_uso(vm, err) : NULL;
    AUTO_JSON cJSON *taps = taps_choose(json_get(vm->present, "taps"), options->bridges);
    AUTO_JSON cJSON *bridges = chosen_bridges(vm->argv.bridges, options->bridges);
    struct qemu_params params = {
        .name = options->new_name ? options->new_name : vm->name,
        .memory = vm->memory,
        .disks = disks,
        .qemu = {
            .program = options->device_model ? options->device_model : vm->process.exe,
            .program_chosen = options->device_model != NULL,
            .words = vm->argv.words,
            .machine = vm->machine,
            .accelerator = vm->accelerator,
            .outputs = vm->argv.outputs,
            .sockets = vm->argv.sockets,
            .pidfiles = vm->argv.pidfiles,
            .searched = vm->argv.searched,
            .audio = vm->argv.audio,
            .ports = vm->argv.ports,
            .needs = needs,
            .media = media,
            .taps = taps,
            .bridges = bridges,
            .slots = json_get(vm->present, "slots"),
            .drives = json_get(vm->present, "drives"),
            .queues = json_get(vm->present, "queues"),
            .uso = uso,
            .tunnels = json_get(vm->present, "tunnels"),
            .tpms = tpms,
            .throttles = json_get(vm->present, "throttles"),
            .uid = vm->process.uid,
            .umask = process_umask(vm->qemu.pid),
            .user = user,
            .drops_privileges = vm->argv.drops_privileges,
            .unmanaged = options->unmanaged,
        },
    };

    if (!uso || !qmp_query_version(vm->qemu.q, &params.qemu.major, &params.qemu.minor, err))
        return false;
    fields_write(qemu_fields, &params, out);
    return true;
}

/* The workaround for a fault of QEMU: without KVM a pass that finds only pages that were dirty
 * before loses track of later writes to them. One pass cannot.
 */
static void choose_ram_mode(struct qemu_guest *vm)
{
    enum ram_mode mode = vm->base.context.options.ram;

    if (mode == RAM_AUTO)
        mode = strcmp(vm->accelerator, "kvm") ? RAM_ONE_PASS : RAM_LIVE;
    vm->ram = mode;
}

/* Only qcow2 images can hold more than they have allocated, or what is not written. */
static void measure_disks(struct qemu_guest *vm)
{
    for (size_t i = 0; vm->base.context.options.mirrors_disks && i < vm->disk_count; i++) {
        struct source_disk *disk = &vm->disks[i];
        bool is_raw = !strcmp(disk->params.format, "raw");

        disk->params.full =
            is_raw && disk->params.size > 0 && disk->params.allocated >= disk->params.size;
        disk->params.written = is_raw ? disk->params.allocated
                                      : thin_measure(vm->base.context.loop, disk->params.format,
                                                     disk->paths[0], disk->params.allocated);
    }
}

static bool read_present(struct qemu_guest *vm, struct error *err)
{

    cJSON_Delete(vm->present);
    cJSON_Delete(steal(vm->media));
    vm->present = machine_read(vm, err);
    if (!vm->present || !error_goes_on(err, machine_check(vm, vm->present, err)))
        return false;
    vm->media = drives_media(&vm->base.context.options, json_get(vm->present, "drives"), err);
    return vm->media != NULL;
}

static bool read_all(struct qemu_guest *vm, struct error *err)
{
    return argv_keeps_writes(vm->process.words, err) && read_machine(vm, err) &&
           read_accelerator(vm, err) && read_memory(vm, err) && read_present(vm, err) &&
           source_disks_read(vm, err);
}

/* Refuse options for another hypervisor, and options that match nothing of this VM. */
static bool check_options(struct qemu_guest *vm, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;

    if (!error_goes_on(err, source_image_check_overwrite(options, err)))
        return false;
    return taps_check_choices(json_get(vm->present, "taps"), vm->argv.bridges, options->bridges,
                              err);
}

bool qemu_describe(struct guest *guest, cJSON *params, struct error *err)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    AUTO_JSON cJSON *disks = must(cJSON_CreateArray());
    AUTO_JSON cJSON *tpms = must(cJSON_CreateArray());
    AUTO_FREE struct argv_disk *moved = NULL;

    if (!read_all(vm, err))
        return false;
    moved = must(calloc(vm->disk_count + 1, sizeof(*moved)));
    measure_disks(vm);
    if (!rewrite_command_line(vm, moved, err) || !error_goes_on(err, check_options(vm, err)))
        return false;
    choose_ram_mode(vm);
    return error_goes_on(err, qemu_check_faults(vm, err)) && qemu_tpm_describe(vm, tpms, err) &&
           describe_disks(vm, moved, disks, err) &&
           describe_machine(vm, disks, tpms, params, err) &&
           error_goes_on(err, qemu_fence_describe(vm, err)) &&
           error_goes_on(err, qemu_others_check(vm, err));
}

/* ---- plan ---- */

static void plan_disk(const struct source_disk *disk, bool mirrored, struct plan *plan)
{
    char size[UNITS_TEXT_MAX], allocated[UNITS_TEXT_MAX], written[UNITS_TEXT_MAX];
    const char *beneath = disk->paths[1] ? ", with all that it lies on, as one image" : "";
    uint64_t margin = disk->params.allocated / 8 + 1024 * 1024;

    print_size(size, disk->params.size);
    print_size(allocated, disk->params.allocated);
    if (!mirrored)
        plan_say(plan, "disk %s: '%s' is used by both hosts", disk->params.name, disk->paths[0]);
    else
        plan_say(plan, "disk %s: '%s' (%s, %s of them allocated) becomes '%s'%s", disk->params.name,
                 disk->paths[0], size, allocated, disk->params.image, beneath);
    if (mirrored && disk->is_throttled)
        plan_say(plan, "disk %s: its copy counts against its own I/O limits (throttle)",
                 disk->params.name);
    if (mirrored && disk->params.written > disk->params.allocated + margin)
        plan_say(plan,
                 "disk %s: its image is compressed, which the target's is not: %s are written "
                 "there",
                 disk->params.name, print_size(written, disk->params.written));
    if (mirrored && !disk->params.full && strcmp(disk->params.format, "raw") &&
        disk->params.allocated >= disk->params.size)
        plan_say(plan,
                 "disk %s: its image is allocated in full; the target's grows as it is "
                 "written to",
                 disk->params.name);
}

static void plan_ram(const struct qemu_guest *vm, enum ram_mode asked, struct plan *plan)
{
    bool tcg = strcmp(vm->accelerator, "kvm") != 0;

    if (vm->ram == RAM_STOPPED)
        plan_say(plan, "the guest is stopped for all of its RAM");
    else if (vm->ram == RAM_ONE_PASS)
        plan_say(plan, "RAM goes in one live pass, the rest with the guest stopped%s",
                 asked == RAM_AUTO ? ": it runs without KVM, and QEMU can then lose writes when "
                                     "more passes are made"
                                   : "");
    else if (tcg)
        plan_say(plan, "RAM goes in live passes, as asked: without KVM QEMU can lose writes then");
}

void qemu_plan_send(struct guest *guest, struct plan *plan)
{
    struct qemu_guest *vm = qemu_guest_of(guest);
    const char *cpu = argv_value(vm->process.words, "cpu");
    char memory[UNITS_TEXT_MAX];
    const cJSON *note;

    plan_say(plan, "move QEMU '%s' (process %d, %s, %s, %s of RAM)", vm->name, (int)vm->qemu.pid,
             vm->machine, vm->accelerator, print_size(memory, vm->memory));
    for (size_t i = 0; i < vm->disk_count; i++)
        plan_disk(&vm->disks[i], guest->context.options.mirrors_disks, plan);
    cJSON_ArrayForEach (note, vm->argv.notes)
        plan_say(plan, "%s", note->valuestring);
    if (cpu && !strncmp(cpu, "host", 4))
        plan_say(plan,
                 "the guest sees this host's CPU (-cpu %s): the target's must have all of "
                 "its features",
                 cpu);
    plan_ram(vm, guest->context.options.ram, plan);
    qemu_managed_plan(vm, plan);
    qemu_fence_plan(vm, plan);
}
