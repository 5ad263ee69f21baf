/* libxl's configuration of a domain as needs: libxl starts what it says when the guest reboots. */
#include "host/xen/copy/needs.h"

#include "host/needs/disks.h"

#include "host/xen/argv/rewriters.h"
#include "host/xen/ground/connection.h"
#include "host/xen/ground/disk-nodes.h"

struct config {
    const struct xen_params *params;
    struct needs_line line; /* for its texts, and the disks */
};

/* What a member means, by its name wherever it is. */
static const struct {
    const char *name;
    enum need_kind kind;
} members[] = {
    { "device_model", NEED_PROGRAM },
    { "device_model_user", NEED_USER },
    { "bootloader", NEED_COMMAND },
    { "script", NEED_SCRIPT },
    { "bridge", NEED_BRIDGE },
    { "gatewaydev", NEED_BRIDGE },
    { "ifname", NEED_BRIDGE },
    { "kernel", NEED_READ },
    { "ramdisk", NEED_READ },
    { "firmware", NEED_READ },
    { "system_firmware", NEED_READ },
    { "smbios_firmware", NEED_READ },
    { "acpi_firmware", NEED_READ },
    { "stubdomain_kernel", NEED_READ },
    { "stubdomain_ramdisk", NEED_READ },
};

bool is_disks_name(const struct disk_params *disks, const char *name)
{
    while (disks->name && strcmp(disks->name, name) != 0)
        disks++;
    return disks->name != NULL;
}

static bool is_on(const cJSON *object, const char *name, const char *otherwise)
{
    return !strcmp(json_string_or(object, name, otherwise), "True");
}

static void take_named(const struct config *config, enum need_kind kind, const char *text)
{
    if (!*text || (kind == NEED_SCRIPT && !strcmp(text, XEN_OWN_SCRIPT)))
        return;
    if (kind != NEED_READ || *text == '/') /* a name without a directory is a file of Xen's own */
        line_add(&config->line, kind, text);
    else if (strchr(text, '/'))
        line_add(&config->line, NEED_UNKNOWN, text);
}

static void take_words(const struct config *config, const cJSON *words)
{
    AUTO_JSON cJSON *renamed = must(cJSON_Duplicate(words, true));
    struct argv_result found = { 0 };
    struct error err = { 0 };

    xen_argv_rename(renamed, config->params->xen.renamed);
    if (!xen_argv_look(renamed, config->params, &found, &err))
        line_add(&config->line, NEED_UNKNOWN, err.text);
    words_need(renamed, config->line.disks, &found, config->line.needs);
    argv_result_done(&found);
}

static void take_serial(const struct config *config, const char *where)
{
    const char *const texts[] = { "-serial", where };
    AUTO_JSON cJSON *words = must(cJSON_CreateStringArray(texts, 2));

    take_words(config, words);
}

static void take_text(const struct config *config, const char *name, const char *text)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (!strcmp(members[i].name, name)) {
            take_named(config, members[i].kind, text);
            return;
        }
    if (!strncmp(name, "serial", 6) && *text)
        take_serial(config, text);
    else if ((!strncmp(name, "colo", 4) && *text && strcmp(text, "False") != 0) ||
             (!strncmp(name, "usbdevice", 9) && strchr(text, ':')))
        line_add(&config->line, NEED_UNKNOWN, text);
    else
        line_need_text(&config->line, name, text);
}

/* A disk's path is replaced here where the disk moves, and where its medium does. */
static void take_disk(const struct config *config, const cJSON *disk)
{
    const char *vdev = json_string_or(disk, "vdev", "");
    const char *path = json_string_or(disk, "pdev_path", "");
    struct xen_medium medium;
    bool reads = cJSON_IsNumber(json_get(disk, "readwrite")) &&
                 cJSON_GetNumberValue(json_get(disk, "readwrite")) == 0;

    if (is_disks_name(config->line.disks, vdev) ||
        media_find(config->params->xen.media, vdev, &medium) || !*path)
        return;
    line_add(&config->line, reads ? NEED_READ : NEED_FILE, path);
    if (!format_is_plain(json_string_or(disk, "format", "raw")))
        line_add(&config->line, NEED_UNKNOWN, json_string_or(disk, "format", ""));
}

static void take_vnc(const struct config *config, const cJSON *vnc)
{
    if (is_on(vnc, "enable", "True"))
        display_need(json_string_or(vnc, "listen", "127.0.0.1"), json_uint_or(vnc, "display", 0),
                     is_on(vnc, "findunused", "True"), config->line.needs);
}

static void take(const struct config *config, const char *name, const cJSON *json)
{
    static const char *const words[] = { "extra", "extra_hvm", NULL };
    static const char *const not_files[] = { "pdev_path", "xsdata", "platformdata", "cmdline",
                                             NULL };
    const cJSON *item;

    if (word_is_among(name, not_files))
        return;
    if (word_is_among(name, words)) {
        take_words(config, json);
        return;
    }
    if (!strcmp(name, "vnc"))
        take_vnc(config, json);
    if (cJSON_IsString(json))
        take_text(config, name, json->valuestring);
    cJSON_ArrayForEach (item, json)
        take(config, item->string ? item->string : name, item);
}

void config_needs(const struct xen_params *params, const struct disk_params *disks,
                  struct needs *needs)
{
    struct config config = {
        .params = params,
        .line = { .table = &xen_options, .disks = disks, .needs = needs, .option = "reboot" },
    };
    const cJSON *disk;

    cJSON_ArrayForEach (disk, json_get(params->xen.config, "disks"))
        take_disk(&config, disk);
    take(&config, "", params->xen.config);
}
