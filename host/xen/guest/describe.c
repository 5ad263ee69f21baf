/* Collect everything that the target must know of the source's domain. */
#include <sys/stat.h>

#include "host/images/file-hash.h"
#include "host/images/shared-images.h"
#include "host/xen/argv/argv.h"
#include "host/xen/guest/guest.h"
#include "xmig/process.h"
#include "xmig/identity.h"
#include "xmig/text.h"

/* ---- the device model ---- */

/* Ask QEMU for its machine type: the alias "pc" means another machine in each version of QEMU. */
static bool add_machine(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    AUTO_FREE char *exe = formatted("/proc/%d/exe", (int)vm->pid);
    struct stat st;
    uint64_t major, minor;

    free(vm->machine);
    vm->machine = qmp_query_machine(vm->xen.q, err);
    if (!vm->machine || !qmp_query_version(vm->xen.q, &major, &minor, err))
        return false;
    cJSON_AddStringToObject(xen, "machine", vm->machine);
    json_add_uint(xen, "umask", process_umask(vm->pid));
    json_add_uint(xen, "qemu_major", major);
    json_add_uint(xen, "qemu_minor", minor);
    if (stat(exe, &st) == 0) {
        json_add_uint(xen, "program_size", (uint64_t)st.st_size);
        json_add_uint(xen, "program_time", (uint64_t)st.st_mtime);
    }
    return true;
}

/* Files that the guest only reads are not copied: a hash tells whether the target has the same. */
static bool add_hash(struct xen_guest *vm, cJSON *hashes, const char *here, const char *there,
                     struct error *err)
{
    cJSON *hash = must(cJSON_CreateObject());

    cJSON_AddStringToObject(hash, "path", there);
    cJSON_AddItemToArray(hashes, hash);
    return file_hash_describe(&vm->base.context, here, hash, err);
}

static bool add_hashes(struct xen_guest *vm, cJSON *xen, const cJSON *needs, struct error *err)
{
    cJSON *hashes = cJSON_AddArrayToObject(xen, "hashes");
    const cJSON *item;

    cJSON_ArrayForEach (item, needs)
        if (!add_hash(vm, hashes, item->valuestring, item->valuestring, err))
            return false;
    cJSON_ArrayForEach (item, vm->media) {
        const char *image = json_string_or(item, "image", "");

        if (*image && !add_hash(vm, hashes, json_string_or(item, "source", ""), image, err))
            return false;
    }
    return true;
}

static bool add_device_model(struct xen_guest *vm, cJSON *xen, const cJSON *disks,
                             struct error *err)
{
    const struct vm_options *options = &vm->base.context.options;
    struct xen_argv argv = { .name = vm->name,
                             .new_name = options->new_name,
                             .disks = disks,
                             .media = vm->media,
                             .bridges = options->bridges,
                             .needs = cJSON_AddArrayToObject(xen, "needs"),
                             .renamed = cJSON_AddObjectToObject(xen, "renamed") };
    cJSON *words;

    if (!add_machine(vm, xen, err))
        return false;
    argv.machine = vm->machine;
    words = xen_argv_rewrite(vm->words, &argv, err);
    if (!words)
        return false;
    cJSON_AddItemToObject(xen, "words", words);
    if (!add_hashes(vm, xen, argv.needs, err))
        return false;
    cJSON_AddStringToObject(xen, "program",
                            options->device_model ? options->device_model : vm->program);
    cJSON_AddBoolToObject(xen, "program_chosen", options->device_model != NULL);
    return true;
}

/* ---- the disks ---- */

/* Shared images are not copied: a file beside each lets the target prove that it sees the same one.
 */
static bool offer_proof(struct xen_guest *vm, const struct xen_disk *disk, cJSON *params,
                        struct error *err)
{
    char *proof = NULL;

    if (vm->base.context.options.mirrors_disks)
        return true;
    if (!shared_offer(disk->path, vm->base.context.id,
                      json_true(vm->base.context.options.shared, disk->name), params, &proof, err))
        return false;
    if (!vm->proofs)
        vm->proofs = must(cJSON_CreateArray());
    if (proof)
        cJSON_AddItemToArray(vm->proofs, must(cJSON_CreateString(proof)));
    free(proof);
    return true;
}

static bool add_disks(struct xen_guest *vm, cJSON *disks, struct error *err)
{
    if (!xen_guest_disks_read(vm, err))
        return false;
    for (size_t i = 0; i < vm->disk_count; i++) {
        const struct xen_disk *disk = &vm->disks[i];
        cJSON *params = xen_guest_disk_params(vm, disk, err);

        if (!params)
            return error_prefix(err, "disk '%s'", disk->name);
        cJSON_AddItemToArray(disks, params);
        if (!offer_proof(vm, disk, params, err))
            return error_prefix(err, "disk '%s'", disk->name);
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
static void add_clock(struct xen_guest *vm, cJSON *xen)
{
    AUTO_FREE char *offset = store_read(vm->xen.xs, "/vm/%s/rtc/timeoffset", vm->xen.uuid);

    cJSON_AddStringToObject(xen, "rtc_timeoffset", offset ? offset : "");
}

static bool add_domain(struct xen_guest *vm, cJSON *xen, struct error *err)
{
    struct identity here = { 0 };

    cJSON_Delete(vm->devices);
    vm->devices = devices_read(vm, err);
    if (!vm->devices)
        return false;
    (void)identity_read(&here, NULL);
    cJSON_AddItemToObject(xen, "devices", must(cJSON_Duplicate(vm->devices, true)));
    cJSON_AddItemToObject(xen, "media", must(cJSON_Duplicate(vm->media, true)));
    json_add_uint(xen, "domid", vm->xen.domid);
    cJSON_AddStringToObject(xen, "uuid", vm->xen.uuid);
    cJSON_AddStringToObject(xen, "boot", here.boot);
    cJSON_AddStringToObject(xen, "source_name", vm->name);
    cJSON_AddItemToObject(xen, "control", read_features(vm));
    cJSON_AddItemToObject(xen, "platform",
                          store_values(vm->xen.xs, "/local/domain/%u/platform", vm->xen.domid));
    cJSON_AddItemToObject(xen, "hvmloader",
                          store_values(vm->xen.xs, "/local/domain/%u/hvmloader", vm->xen.domid));
    add_clock(vm, xen);
    cJSON_AddItemToObject(xen, "config", must(cJSON_Duplicate(vm->config, true)));
    json_add_uint(
        xen, "memory_target",
        (uint64_t)store_number(vm->xen.xs, 0, "/local/domain/%u/memory/target", vm->xen.domid));
    json_add_uint(
        xen, "videoram",
        (uint64_t)store_number(vm->xen.xs, 0, "/local/domain/%u/memory/videoram", vm->xen.domid));
    return true;
}

static void cross_bridges(cJSON *xen, const cJSON *bridges)
{
    cJSON *nic;

    cJSON_ArrayForEach (nic, cJSON_GetObjectItem(cJSON_GetObjectItem(xen, "config"), "nics")) {
        cJSON *bridge = cJSON_GetObjectItem(nic, "bridge");
        const char *other =
            cJSON_IsString(bridge) ? json_string_or(bridges, bridge->valuestring, NULL) : NULL;

        if (other)
            cJSON_SetValuestring(bridge, other);
    }
}

/* ---- the public face ---- */

bool xen_describe(struct guest *guest, cJSON *params, struct error *err)
{
    struct xen_guest *vm = xen_guest_of(guest);
    const char *new_name = guest->context.options.new_name;
    cJSON *disks = cJSON_AddArrayToObject(params, "disks");
    cJSON *xen = cJSON_AddObjectToObject(params, "xen");

    cJSON_AddStringToObject(params, "name", new_name ? new_name : vm->name);
    if (!add_disks(vm, disks, err) || !add_device_model(vm, xen, disks, err) ||
        !add_domain(vm, xen, err) || !hardware_read(vm, xen, err))
        return false;
    cross_bridges(xen, guest->context.options.bridges);
    json_add_uint(params, "memory", json_uint_or(xen, "pages", 0) * XEN_PAGE);
    return xen_fence_describe(vm, err) && xen_images_are_ours(vm, err);
}

void xen_plan_send(struct guest *guest, struct plan *plan)
{
    const struct xen_guest *vm = xen_guest_of(guest);

    plan_say(plan, "move the Xen domain '%s' (%u) with its %zu disks", vm->name, vm->xen.domid,
             vm->disk_count);
    for (size_t i = 0; i < vm->disk_count; i++)
        plan_say(plan, "disk %s: '%s' (%s, %llu bytes), mirrored from '%s'", vm->disks[i].name,
                 vm->disks[i].path, vm->disks[i].format, (unsigned long long)vm->disks[i].size,
                 vm->disks[i].device);
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
        cJSON_AddItemToArray(disks, must(cJSON_CreateString(vm->disks[i].name)));
    return true;
}
