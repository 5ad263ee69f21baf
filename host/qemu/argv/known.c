/* Does a QEMU know all that a command line says? What it does not know would end it at its start,
 * when the disks have been made already.
 */
#include "host/qemu/argv/known.h"

#include "host/qemu/argv/argv.h"
#include "xmig/text.h"

/* An option whose value begins with, or has, the name of a kind of thing. */
struct kind_row {
    const char *option, *key;     /* the key is implied, unless `list_what` has it, too */
    const char *list, *list_what; /* what lists the kinds; NULL: nothing does, or another check */
    const char *properties;       /* "-PROPERTIES KIND<suffix>,help" lists its properties; NULL */
    const char *suffix;
    const char *called;
    const char *const *besides; /* keys that are no properties; NULL-terminated */
};

static const char *const of_device[] = { "driver", "id", "bus", "help", NULL };
static const char *const of_object[] = { "qom-type", "id", "help", NULL };
static const char *const of_cpu[] = { "model", "help", NULL };
/* Most are properties that a machine has only when it has been made. */
static const char *const of_machine[] = { "type",    "accel",          "pflash0",
                                          "pflash1", "pcspk-audiodev", "kernel-irqchip",
                                          "help",    "kernel_irqchip", "kvm-shadow-mem",
                                          NULL };

static const struct kind_row kinds[] = {
    { "device", "driver", "device", "help", "device", "", "device", of_device },
    { "object", "qom-type", "object", "help", "object", "", "kind of object", of_object },
    { "cpu", "model", "cpu", "help", "device", "-x86_64-cpu", "CPU", of_cpu },
    { "machine", "type", NULL, NULL, "machine", "", "machine", of_machine },
    { "netdev", "type", "netdev", "help", NULL, NULL, "network", NULL },
    { "chardev", "backend", "chardev", "help", NULL, NULL, "character device", NULL },
    { "display", "type", "display", "help", NULL, NULL, "display", NULL },
    { "vga", "type", "vga", "help", NULL, NULL, "graphics card", NULL },
    { "fsdev", "fsdriver", "help", NULL, NULL, NULL, "file system", NULL },
    { "virtfs", "fsdriver", "help", NULL, NULL, NULL, "file system", NULL },
};

/* What a person can do about what is gone; `kind` and `key` may be NULL. */
struct cure {
    const char *option, *kind, *key;
    const char *text;
};

static const char spice[] =
    "on Debian 13 it is in the package qemu-system-modules-spice, which the target lacks";

static const struct cure cures[] = {
    { "device", "sga", NULL,
      "no newer QEMU has it; restart the guest with -machine graphics=off, which does the same" },
    { "device", "qxl", NULL, spice },
    { "device", "qxl-vga", NULL, spice },
    { "vga", "qxl", NULL, spice },
    { "spice", NULL, NULL, spice },
    { "chardev", "spicevmc", NULL, spice },
    { "chardev", "spiceport", NULL, spice },
    { "fsdev", "proxy", NULL,
      "no newer QEMU has it; restart the guest with -fsdev local, or with virtiofsd" },
    { "virtfs", "proxy", NULL,
      "no newer QEMU has it; restart the guest with -virtfs local, or with virtiofsd" },
    { "soundhw", NULL, NULL, "restart the guest with -audiodev and -device in its place" },
    { "device", "virtio-blk-pci", "scsi",
      "no newer QEMU passes SCSI commands through; restart the guest without it, or with "
      "virtio-scsi" },
};

static const char *cure_of(const char *option, const char *kind, const char *key)
{
    for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
        if (!strcmp(cures[i].option, option) &&
            (!cures[i].kind || (kind && !strcmp(cures[i].kind, kind))) &&
            (!cures[i].key || (key && !strcmp(cures[i].key, key))) && !cures[i].key == !key)
            return cures[i].text;
    return key ? "restart the guest without it, or install at the target a QEMU that has it"
               : "install at the target what has it, or restart the guest without it";
}

/* ---- properties ---- */

struct looking {
    const struct argv_known *known;
    const struct kind_row *row;
    const char *kind;
    const char *help; /* "KIND,help" */
    struct error *err;
    bool ok;
};

static bool is_known(const struct looking *looking, const char *key)
{
    return word_is_among(key, looking->row->besides) ||
           known_property(looking->known, looking->row->properties, looking->help, key);
}

static void look_at_key(struct looking *looking, const char *key)
{
    const char *option = looking->row->option;

    if (!looking->ok || is_known(looking, key) ||
        (!strncmp(key, "no", 2) && is_known(looking, key + 2)))
        return;
    looking->ok = error_goes_on(
        looking->err,
        error_set(looking->err, ERROR_REFUSED,
                  "the VM's QEMU has '%s' for the %s '%s' (-%s), which %s does not know: %s", key,
                  looking->row->called, looking->kind, option, looking->known->who,
                  cure_of(option, looking->kind, key)));
}

/* Of a CPU "+avx" and "-avx" are short for "avx=on" and "avx=off". */
static void look_at_item(struct looking *looking, const struct keyval *item, bool is_first)
{
    const char *key = item->key ? item->key : item->value;

    if (!item->key && is_first)
        return;
    look_at_key(looking, key + (*key == '+' || *key == '-'));
}

static bool check_properties(const struct argv_known *known, const struct kind_row *row,
                             const struct keyvals *kv, const char *kind, struct error *err)
{
    AUTO_FREE char *help = formatted("%s%s,help", kind, row->suffix);
    struct looking looking = { known, row, kind, help, err, true };
    const cJSON *member;

    for (size_t i = 0; i < kv->count; i++)
        look_at_item(&looking, &kv->items[i], i == 0);
    cJSON_ArrayForEach (member, kv->json)
        look_at_key(&looking, member->string);
    return looking.ok;
}

/* ---- kinds ---- */

/* Debian has them in packages of their own: QEMU has no help for such an option without its
 * package, and lists no such character device, whether it is there or not.
 */
static bool has_spice(const struct argv_known *known)
{
    const char *help = known->help(known->arg, "spice", "help");

    return help && strstr(help, "disable-ticketing");
}

static bool is_listed(const struct argv_known *known, const struct kind_row *row, const char *kind)
{
    bool is_chardev = !strcmp(row->option, "chardev");

    if (is_chardev && !strncmp(kind, "spice", 5))
        return has_spice(known);
    return (is_chardev && !strcmp(kind, "braille")) ||
           known_in_list(known, row->list, row->list_what, kind);
}

static bool check_kind(const struct argv_known *known, const struct kind_row *row, const char *kind,
                       struct error *err)
{
    return !row->list || is_listed(known, row, kind) ||
           error_set(err, ERROR_REFUSED, "the VM's QEMU has the %s '%s', which %s does not: %s",
                     row->called, kind, known->who, cure_of(row->option, kind, NULL));
}

static bool check_value(const struct argv_known *known, const struct option_step *step,
                        struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kind_row *row = &kinds[i];
        const char *kind;

        if (strcmp(row->option, step->name) != 0)
            continue;
        if (!keyvals_parse(step->value, &kv, err))
            return false;
        kind = keyvals_get_implied(&kv, row->key);
        if (!kind)
            return true;
        if (!error_goes_on(err, check_kind(known, row, kind, err)))
            return false;
        return !known->is_other || !row->properties ||
               !check_kind(known, row, kind, NULL) /* which has been told */ ||
               check_properties(known, row, &kv, kind, err);
    }
    return true;
}

/* ---- drivers of disks ---- */

struct drivers {
    const struct argv_known *known;
    const char *unknown;
};

static void look_at_driver(void *arg, const char *driver)
{
    struct drivers *drivers = arg;

    if (!known_in_list(drivers->known, "drive", "format=help", driver))
        drivers->unknown = driver;
}

static bool check_drivers(const struct argv_known *known, const struct option_step *step,
                          struct error *err)
{
    static const char *const with_drivers[] = { "drive", "blockdev", NULL };
    AUTO_KEYVALS struct keyvals kv = { 0 };
    struct drivers drivers = { known, NULL };

    if (!word_is_among(step->name, with_drivers))
        return true;
    if (!keyvals_parse(step->value, &kv, err))
        return false;
    keyvals_each_of(&kv, "driver", look_at_driver, &drivers);
    keyvals_each_of(&kv, "format", look_at_driver, &drivers);
    return !drivers.unknown ||
           error_set(err, ERROR_REFUSED,
                     "the VM's QEMU has a disk by the block driver '%s', which %s does not know: "
                     "install at the target what has it, or give the disk another format",
                     drivers.unknown, known->who);
}

/* ---- the line ---- */

/* These work everywhere, and no help has them. */
static const char *const never_told[] = { "machine", "M", "", NULL };

static bool check_option(const struct argv_known *known, const struct option_step *step,
                         struct error *err)
{
    bool is_spice = !strcmp(step->name, "spice");

    if (word_is_among(step->name, never_told) ||
        (is_spice ? has_spice(known) : known_option(known, step->name)))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "the VM's QEMU has the option '-%s%s%s', which %s does not know: %s",
                     step->name, step->value ? " " : "", step->value ? step->value : "", known->who,
                     cure_of(step->name, NULL, NULL));
}

bool argv_check_known(const cJSON *words, const struct argv_known *known, struct error *err)
{
    struct option_step step = { .rest = words->child };
    int refused = error_aside(err);

    while (step.rest)
        if (!option_next(&qemu_options, &step, err) ||
            !error_goes_on(err, check_option(known, &step, err)) ||
            !error_goes_on(err, check_value(known, &step, err)) ||
            !error_goes_on(err, check_drivers(known, &step, err)))
            return false;
    return error_none_since(err, refused);
}
