/* What arrived of a domain: its device model's command line is walked once more by the table of
 * options; its devices, and libxl's configuration for the next boot, are looked at by kind.
 */
#include "host/line-files.h"
#include "host/xen/copy/copy.h"
#include "host/xen/ground/config.h"
#include "host/xen/guest/movable.h"
#include "xmig/text.h"

/* Those who start programs here are the superuser. */
#define USER 0

/* ---- programs ---- */

/* Xen's tools look for a script without a directory in their own. */
static bool check_script(const char *script, struct error *err)
{
    AUTO_FREE char *own = NULL;

    if (!*script || *script == '/')
        return !*script || line_program_check(script, USER, err);
    if (strchr(script, '/'))
        return error_set(err, ERROR_REFUSED, "the script '%s' is no absolute path", script);
    own = formatted("/etc/xen/scripts/%s", script);
    return line_program_check(own, USER, err);
}

/* One that is not here cannot be started at the next boot, either. */
static bool check_device_model(const char *path, struct error *err)
{
    return access(path, F_OK) < 0 || line_program_check(path, USER, err);
}

/* ---- devices ---- */

static bool is_number(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

static bool check_device(const struct xen_copy *vm, const struct xen_device *device,
                         struct error *err)
{
    static const char *const kinds[] = { "vif", "vbd", "vfb", "vkbd", NULL };
    static const char *const backends[] = { "vif", "vbd", "qdisk", "vfb", "vkbd", NULL };
    const char *dev = json_string_or(device->backend_keys, "dev", "");
    bool is_replaced = vm->base.context.options.mirrors_disks && disk_images_find(&vm->images, dev);

    if (!word_is_among(device->kind, kinds) || !word_is_among(device->backend, backends) ||
        !is_number(device->id))
        return error_set(err, ERROR_REFUSED,
                         "the device %s/%s of the backend '%s' is none that xmig moves",
                         device->kind, device->id, device->backend);
    return is_replaced || check_script(json_string_or(device->backend_keys, "script", ""), err) ||
           error_prefix(err, "the device %s/%s", device->kind, device->id);
}

static bool check_devices(const struct xen_copy *vm, struct error *err)
{
    struct xen_device device;
    const cJSON *item;

    fields_each (item, vm->params.xen.devices, xen_device_fields, &device)
        if (!error_goes_on(err, check_device(vm, &device, err)))
            return false;
    return true;
}

/* ---- the next boot ---- */

static bool check_words(const struct xen_copy *vm, const cJSON *words, struct error *err)
{
    AUTO_JSON cJSON *renamed = cJSON_Duplicate(words, true);
    struct argv_result line = { 0 };
    bool ok;

    xen_argv_rename(renamed, vm->params.xen.renamed);
    ok = !words ||
         (xen_argv_look(renamed, &vm->params, &line, err) && line_files_check(&line, USER, err));
    argv_result_done(&line);
    return ok;
}

static bool check_scripts(const struct xen_copy *vm, const cJSON *devices, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, devices) {
        bool is_replaced = vm->base.context.options.mirrors_disks &&
                           disk_images_find(&vm->images, json_string_or(item, "vdev", ""));

        if (!is_replaced && !check_script(json_string_or(item, "script", ""), err))
            return false;
    }
    return true;
}

/* libxl looks for one without a directory among Xen's own programs. */
static bool check_bootloader(const char *bootloader, struct error *err)
{
    if (!strchr(bootloader, '/'))
        return true;
    if (*bootloader != '/')
        return error_set(err, ERROR_REFUSED, "the bootloader '%s' is no absolute path", bootloader);
    return line_program_check(bootloader, USER, err);
}

static bool check_config(const struct xen_copy *vm, struct error *err)
{
    const cJSON *config = vm->params.xen.config;
    const cJSON *info = xen_build_info(vm);
    const char *bootloader = json_string_or(info, "bootloader", "");

    if (*bootloader && !config_is_pvh(config))
        return error_set(err, ERROR_REFUSED, "an HVM guest has no bootloader '%s'", bootloader);
    return check_movable_config(config, err) && check_bootloader(bootloader, err) &&
           check_device_model(json_string_or(info, "device_model", ""), err) &&
           check_words(vm, json_get(info, "extra"), err) &&
           check_words(vm, json_get(info, "extra_hvm"), err) &&
           check_scripts(vm, json_get(config, "nics"), err) &&
           check_scripts(vm, json_get(config, "disks"), err);
}

/* ---- the public face ---- */

bool xen_check_arrived(struct xen_copy *vm, struct error *err)
{
    argv_result_done(&vm->line);
    return error_goes_on(err,
                         xen_argv_arrived(vm->params.xen.words, &vm->params, &vm->line, err)) &&
           error_goes_on(err, line_files_check(&vm->line, USER, err)) && check_devices(vm, err) &&
           error_goes_on(err, check_config(vm, err) ||
                                  error_prefix(err, "libxl's configuration of the domain"));
}
