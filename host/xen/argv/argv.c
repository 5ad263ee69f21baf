/* A table of the options that libxl gives a device model, and of some that users add. */
#include "host/xen/argv/argv.h"

#include <stdio.h>

#include "host/xen/argv/argv-rewrite.h"

/* ---- the table ---- */

static const struct option {
    const char *name;
    bool takes_value;
    xen_rewriter *rewrite;
} options[] = {
    { "xen-domid", true, xen_argv_domid },
    { "no-shutdown", false, xen_argv_keep },
    { "no-reboot", false, xen_argv_keep },
    { "chardev", true, xen_argv_chardev },
    { "mon", true, xen_argv_keep },
    { "nodefaults", false, xen_argv_keep },
    { "no-user-config", false, xen_argv_keep },
    { "name", true, xen_argv_name },
    { "vnc", true, xen_argv_vnc },
    { "display", true, xen_argv_display },
    { "k", true, xen_argv_keep },
    { "kernel", true, xen_argv_input },
    { "initrd", true, xen_argv_input },
    { "append", true, xen_argv_keep },
    { "bios", true, xen_argv_input },
    { "serial", true, xen_argv_serial },
    { "parallel", true, xen_argv_serial },
    { "debugcon", true, xen_argv_serial },
    { "nographic", false, xen_argv_keep },
    { "device", true, xen_argv_device },
    { "boot", true, xen_argv_keep },
    { "usb", false, xen_argv_keep },
    { "usbdevice", true, xen_argv_usbdevice },
    { "soundhw", true, xen_argv_keep },
    { "audio", true, xen_argv_keep },
    { "audiodev", true, xen_argv_keep },
    { "no-acpi", false, xen_argv_keep },
    { "smp", true, xen_argv_keep },
    { "netdev", true, xen_argv_netdev },
    { "net", true, xen_argv_net },
    { "machine", true, xen_argv_machine },
    { "M", true, xen_argv_machine },
    { "m", true, xen_argv_keep },
    { "drive", true, xen_argv_drive },
    { "vga", true, xen_argv_keep },
    { "global", true, xen_argv_keep },
    { "rtc", true, xen_argv_keep },
    { "smbios", true, xen_argv_keep },
    { "msg", true, xen_argv_keep },
    { "d", true, xen_argv_keep },
    { "D", true, xen_argv_keep },
    { "trace", true, xen_argv_keep },
    { "overcommit", true, xen_argv_keep },

    { "spice", true, xen_argv_refuse },
    { "runas", true, xen_argv_refuse },
    { "chroot", true, xen_argv_refuse },
    { "run-with", true, xen_argv_refuse },
    { "sandbox", true, xen_argv_refuse },
    { "xen-domid-restrict", false, xen_argv_refuse },

    { "S", false, xen_argv_drop },
    { "incoming", true, xen_argv_drop },
};

static const struct option *find_option(const char *wanted)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i].name, wanted))
            return &options[i];
    return NULL;
}

static void note_renamed(struct xen_rewriting *r, const char *value)
{
    int last = cJSON_GetArraySize(r->words) - 1;
    const cJSON *word = cJSON_GetArrayItem(r->words, last);

    if (value && word && strcmp(word->valuestring, value) != 0)
        cJSON_AddStringToObject(r->vm->renamed, value, word->valuestring);
}

/* The option at `*word`, which is moved behind it and its value. */
static bool rewrite_one(struct xen_rewriting *r, const cJSON **word, struct error *err)
{
    const char *text = (*word)->valuestring;
    const struct option *option =
        *text == '-' ? find_option(text + (text[1] == '-' ? 2 : 1)) : NULL;
    const char *value = NULL;

    if (!option)
        return error_set(err, ERROR_REFUSED,
                         "xmig does not know the device model's option '%s', and so not whether "
                         "the guest can be moved with it",
                         text);
    *word = (*word)->next;
    if (option->takes_value) {
        if (!*word)
            return error_set(err, ERROR_REFUSED, "the device model's option '%s' has no value",
                             text);
        value = (*word)->valuestring;
        *word = (*word)->next;
    }
    if (!option->rewrite(r, option->name, value, err))
        return false;
    if (option->rewrite != xen_argv_drop)
        note_renamed(r, value);
    return true;
}

/* ---- the public face ---- */

cJSON *xen_argv_rewrite(const cJSON *words, struct xen_argv *vm, struct error *err)
{
    AUTO_JSON cJSON *rewritten = must(cJSON_CreateArray());
    struct xen_rewriting r = { vm, rewritten };
    const cJSON *word = words->child;

    while (word)
        if (!rewrite_one(&r, &word, err))
            return NULL;
    return steal(rewritten);
}

static char *with_number(const char *text, unsigned domid)
{
    AUTO_FREE char *rest = must(strdup(text));
    char *place = strstr(rest, XEN_ARGV_DOMID);
    char *numbered;

    if (!place)
        return steal(rest);
    *place = '\0';
    if (asprintf(&numbered, "%s%u%s", rest, domid, place + strlen(XEN_ARGV_DOMID)) < 0)
        abort();
    return numbered;
}

cJSON *xen_argv_number(const cJSON *words, unsigned domid)
{
    cJSON *numbered = must(cJSON_CreateArray());
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        AUTO_FREE char *text = with_number(word->valuestring, domid);

        cJSON_AddItemToArray(numbered, must(cJSON_CreateString(text)));
    }
    return numbered;
}
