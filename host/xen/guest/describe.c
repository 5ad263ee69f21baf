/* Collect everything that the target must know of the source's domain. */
#include <sys/stat.h>

#include "host/images/file-hash.h"
#include "host/images/shared-images.h"
#include "host/images/source-image.h"
#include "host/xen/argv/argv.h"
#include "host/xen/ground/config.h"
#include "host/xen/ground/cpu-policy.h"
#include "host/xen/guest/guest.h"
#include "qmp/known-faults.h"
#include "xmig/process.h"
#include "xmig/identity.h"
#include "xmig/text.h"

/* ---- the device model ---- */

/* Ask QEMU for its machine type: the alias "pc" means another machine in each version of QEMU. */
static bool add_machine(struct xen_guest *vm, struct xen_domain *out, struct error *err)
{
    AUTO_FREE char *exe = formatted("/proc/%d/exe", (int)vm->pid);
    struct stat st;

    free(vm->machine);
    vm->machine = qmp_query_machine(vm->xen.q, err);
    if (!vm->machine || !qmp_query_version(vm->xen.q, &out->qemu_major, &out->qemu_minor, err))
        return false;
    out->machine = vm->machine;
    out->umask = process_umask(vm->pid);
    if (stat(exe, &st) == 0) {
        out->program_size = (uint64_t)st.st_size;
        out->program_time = (uint64_t)st.st_mtime;
    }
    return true;
}

/* Files that the guest only reads are not copied: a hash tells whether the target has the same. */
static bool add_hash(struct xen_guest *vm, cJSON *hashes, const char *here, const char *there,
                     struct error *err)
{
    struct needed_file file = { .path = there };

    if (!file_hash_describe(&vm->base.context, here, &file.size, file.sha256, err))
        return false;
    cJSON_AddItemToArray(hashes, fields_new(needed_file_fields, &file));
    return true;
}

static bool add_hashes(struct xen_guest *vm, cJSON *hashes, const cJSON *needs, struct error *err)
{
    struct xen_medium medium;
    const cJSON *item;

    cJSON_ArrayForEach (item, needs)
        if (!add_hash(vm, hashes, item->valuestring, item->valuestring, err))
            return false;
    fields_each (item, vm->media, xen_medium_fields, &medium)
        if (*medium.image && !add_hash(vm, hashes, medium.source, medium.image, err))
            return false;
    return true;
}

/* The device model mirrors the disks. */
static bool check_faults(struct xen_guest *vm, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;

    return !options->mirrors_disks ||
           error_goes_on(err,
                         known_fault_refuse(FAULT_MIRROR_START, vm->xen.q, options->despite, err));
}

/* What libxl boots a PVH guest from; an HVM guest's device model reads it, and its command line
 * tells.
 */
static bool add_boot_files(struct xen_guest *vm, cJSON *needs, struct error *err)
{
    static const char *const members[] = { "kernel", "ramdisk" };
    const cJSON *info = json_get(vm->config, "b_info");

    for (size_t i = 0; config_is_pvh(vm->config) && i < sizeof(members) / sizeof(*members); i++) {
        const char *path = json_string_or(info, members[i], "");

        if (*path && *path != '/')
            return error_set(err, ERROR_REFUSED,
                             "its %s '%s' is no absolute path, by which the target could find it "
                             "when the guest reboots",
                             members[i], path);
        if (*path)
            cJSON_AddItemToArray(needs, must(cJSON_CreateString(path)));
    }
    return true;
}

static bool add_no_device_model(struct xen_guest *vm, struct xen_domain *out, cJSON *kept,
                                struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    cJSON *needs = json_keep(kept, cJSON_CreateArray());
    cJSON *hashes = json_keep(kept, cJSON_CreateArray());

    if (options->device_model)
        return error_set(err, ERROR_REFUSED,
                         "--device-model: the guest has no device model, here or at the target");
    out->program = out->machine = "";
    out->words = json_keep(kept, cJSON_CreateArray());
    out->renamed = json_keep(kept, cJSON_CreateObject());
    out->needs = needs;
    out->hashes = hashes;
    return add_boot_files(vm, needs, err) && add_hashes(vm, hashes, needs, err);
}

static bool add_device_model(struct xen_guest *vm, const cJSON *disks, struct xen_domain *out,
                             cJSON *kept, struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    struct xen_argv argv = { .name = vm->name,
                             .new_name = options->new_name,
                             .disks = disks,
                             .media = vm->media,
                             .bridges = options->bridges,
                             .needs = json_keep(kept, cJSON_CreateArray()),
                             .renamed = json_keep(kept, cJSON_CreateObject()) };
    cJSON *hashes = json_keep(kept, cJSON_CreateArray());
    cJSON *words;

    if (!vm->xen.has_model)
        return add_no_device_model(vm, out, kept, err);
    if (!add_machine(vm, out, err) || !check_faults(vm, err))
        return false;
    argv.machine = vm->machine;
    words = xen_argv_rewrite(vm->words, &argv, err);
    if (!words)
        return false;
    out->words = json_keep(kept, words);
    if (!add_boot_files(vm, argv.needs, err) || !add_hashes(vm, hashes, argv.needs, err))
        return false;
    out->needs = argv.needs;
    out->renamed = argv.renamed;
    out->hashes = hashes;
    out->program = options->device_model ? options->device_model : vm->program;
    out->program_chosen = options->device_model != NULL;
    return true;
}

/* ---- the disks ---- */

/* Shared images are not copied: a file beside each lets the target prove that it sees the same one.
 */
static bool offer_proof(struct xen_guest *vm, struct disk_params *params, struct error *err)
{
    return vm->base.context.options.mirrors_disks ||
           shared_offer(params->source, vm->base.context.id,
                        json_true(vm->base.context.options.shared, params->name), params,
                        &vm->proofs, err);
}

static bool add_disks(struct xen_guest *vm, cJSON *disks, struct error *err)
{
    if (!xen_guest_disks_read(vm, err))
        return false;
    for (size_t i = 0; i < vm->disk_count; i++) {
        struct disk_params params = vm->disks[i].params;

        if (!source_image_add_owner(&params, params.source, err) || !offer_proof(vm, &params, err))
            return error_prefix(err, "disk '%s'", params.name);
        cJSON_AddItemToArray(disks, fields_new(disk_fields, &params));
    }
    return true;
}

/* ---- the domain ---- */

/* The guest's drivers announce their features only once, when they start: copy what they wrote. */
static cJSON *read_features(struct xen_guest *vm)
{
    cJSON *features = store_values(vm->xen.xs, "/local/domain/%u/control", vm->xen.domid);
    cJSON *said = must(cJSON_CreateObject());
    const cJSON *feature;

    cJSON_ArrayForEach (feature, features)
        if (!strncmp(feature->string, "feature-", 8))
            cJSON_AddStringToObject(said, feature->string, feature->valuestring);
    cJSON_Delete(features);
    return said;
}

/* The offset that the guest has given its clock. */
static const char *read_clock(struct xen_guest *vm, cJSON *kept)
{
    AUTO_FREE char *offset = store_read(vm->xen.xs, "/vm/%s/rtc/timeoffset", vm->xen.uuid);

    return json_keep(kept, cJSON_CreateString(offset ? offset : ""))->valuestring;
}

static uint64_t read_memory(struct xen_guest *vm, const char *name)
{
    long kib = store_number(vm->xen.xs, 0, "/local/domain/%u/memory/%s", vm->xen.domid, name);

    return kib > 0 ? (uint64_t)kib : 0;
}

static cJSON *crossed_bridges(const cJSON *config, const cJSON *bridges)
{
    cJSON *crossed = must(cJSON_Duplicate(config, true));
    cJSON *nic;

    cJSON_ArrayForEach (nic, cJSON_GetObjectItem(crossed, "nics")) {
        cJSON *bridge = cJSON_GetObjectItem(nic, "bridge");
        const char *other =
            cJSON_IsString(bridge) ? json_string_or(bridges, bridge->valuestring, NULL) : NULL;

        if (other)
            cJSON_SetValuestring(bridge, other);
    }
    return crossed;
}

static bool add_domain(struct xen_guest *vm, struct xen_domain *out, cJSON *kept, struct error *err)
{
    struct xs_handle *xs = vm->xen.xs;
    uint32_t domid = vm->xen.domid;
    struct identity here = { 0 };

    cJSON_Delete(vm->devices);
    vm->devices = devices_read(vm, err);
    if (!vm->devices)
        return false;
    (void)identity_read(&here, NULL);
    out->devices = vm->devices;
    out->media = vm->media;
    out->domid = domid;
    out->uuid = vm->xen.uuid;
    out->boot = json_keep(kept, cJSON_CreateString(here.boot))->valuestring;
    out->source_name = vm->name;
    out->control = json_keep(kept, read_features(vm));
    out->platform = json_keep(kept, store_values(xs, "/local/domain/%u/platform", domid));
    out->hvmloader = json_keep(kept, store_values(xs, "/local/domain/%u/hvmloader", domid));
    out->rtc_timeoffset = read_clock(vm, kept);
    out->config = json_keep(kept, crossed_bridges(vm->config, vm->base.context.options.bridges));
    out->memory_target = read_memory(vm, "target");
    out->videoram = read_memory(vm, "videoram");
    return true;
}

/* ---- the public face ---- */

bool xen_describe(struct guest *guest, cJSON *params, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const char *new_name = guest->context.options.new_name;
    AUTO_JSON cJSON *kept = must(cJSON_CreateArray());
    cJSON *disks = json_keep(kept, cJSON_CreateArray());
    struct xen_params out = { .name = new_name ? new_name : vm->name, .disks = disks };
    AUTO_FREE char *leaves = NULL, *msrs = NULL;

    if (!add_disks(vm, disks, err) || !add_device_model(vm, disks, &out.xen, kept, err) ||
        !add_domain(vm, &out.xen, kept, err) || !hardware_read(vm, &out.xen, err) ||
        !cpu_policy_read(&vm->xen, &leaves, &msrs, err))
        return false;
    out.memory = out.xen.pages * XEN_PAGE;
    out.xen.cpu_policy = (struct xen_cpu_policy){ leaves, msrs };
    fields_write(xen_fields, &out, params);
    return xen_fence_describe(vm, err) && xen_images_are_ours(vm, err);
}

static void plan_disk(const struct xen_disk *disk, struct plan *plan)
{
    if (disk->is_tracked) {
        plan_say(
            plan,
            "disk %s: '%s' (raw, %llu bytes), which the kernel serves: xmig copies it, and has "
            "the device mapper note what the guest writes meanwhile (a table of type 'era' over "
            "the same extents; LVM shows it as 'X'). Each round makes the guest's first write to "
            "a place take longer, and stops its writes for a moment. Commands that change the "
            "volume group wait while the guest is paused; for a thin volume they wait all the "
            "while, and its pool cannot grow",
            disk->params.name, disk->params.source, (unsigned long long)disk->params.size);
        return;
    }
    plan_say(plan, "disk %s: '%s' (%s, %llu bytes), mirrored from '%s'", disk->params.name,
             disk->params.source, disk->params.format, (unsigned long long)disk->params.size,
             disk->device);
}

void xen_plan_send(struct guest *guest, struct plan *plan)
{
    const struct xen_guest *vm = xen_guest_of(guest);

    plan_say(plan, "move the Xen domain '%s' (%u) with its %zu disks", vm->name, vm->xen.domid,
             vm->disk_count);
    for (size_t i = 0; i < vm->disk_count; i++)
        plan_disk(&vm->disks[i], plan);
    xen_fence_plan(vm, plan);
}

bool xen_remember(struct guest *guest, cJSON *facts, struct error *err)
{
    const struct xen_guest *vm = xen_guest_of(guest);
    cJSON *disks = cJSON_AddArrayToObject(facts, "disks");

    (void)err;
    json_add_uint(facts, "domid", vm->xen.domid);
    cJSON_AddStringToObject(facts, "uuid", vm->xen.uuid);
    cJSON_AddStringToObject(facts, "name", vm->name);
    json_add_uint(facts, "device_model", (uint64_t)vm->pid);
    json_add_uint(facts, "device_model_started", vm->start_time);
    cJSON_AddItemToObject(facts, "images", cJSON_Duplicate(vm->images, true));
    for (size_t i = 0; i < vm->disk_count; i++)
        cJSON_AddItemToArray(disks, must(cJSON_CreateString(vm->disks[i].params.name)));
    return true;
}
