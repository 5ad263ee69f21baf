/* The machine as QEMU has it now, beside the line that started it. The target is started with
 * that line: what was plugged in, taken out or added since either goes along, or is refused here,
 * and looked at once more before the guest is paused.
 */
#include "host/qemu/guest/machine.h"

#include <stdio.h>

#include "qmp/argv/keyvals.h"
#include "host/qemu/taps.h"
#include "host/qemu/throttles.h"
#include "host/qemu/drives.h"

static const char *text_of(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : "";
}

static bool has_string(const cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(text_of(item), text))
            return true;
    return false;
}

static void add_string(cJSON *array, const char *text)
{
    cJSON_AddItemToArray(array, must(cJSON_CreateString(text)));
}

/* ---- reading ---- */

static char *machine_ask(struct qemu *vm, const char *command, struct error *err)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *text = NULL;

    cJSON_AddStringToObject(arguments, "command-line", command);
    if (!qmp_call(vm->q, "human-monitor-command", arguments, &text, err))
        return NULL;
    return must(strdup(text_of(text)));
}

static cJSON *read_children(struct qemu_guest *vm, const char *path, struct error *err)
{
    cJSON *arguments = must(cJSON_CreateObject());
    AUTO_JSON cJSON *properties = NULL;
    cJSON *children;
    const cJSON *property;

    cJSON_AddStringToObject(arguments, "path", path);
    if (!qmp_call(vm->qemu.q, "qom-list", arguments, &properties, err))
        return NULL;
    children = must(cJSON_CreateArray());
    cJSON_ArrayForEach (property, properties)
        if (!strncmp(json_string_or(property, "type", ""), "child<", 6))
            cJSON_AddItemToArray(children, cJSON_Duplicate(property, true));
    return children;
}

/* The names of the children that are devices: "device[3]" among what is not attached. */
static cJSON *read_names(struct qemu_guest *vm, const char *path, const char *prefix,
                         struct error *err)
{
    AUTO_JSON cJSON *children = read_children(vm, path, err);
    cJSON *names = children ? must(cJSON_CreateArray()) : NULL;
    const cJSON *child;

    cJSON_ArrayForEach (child, children)
        if (!strncmp(json_string_or(child, "name", ""), prefix, strlen(prefix)))
            add_string(names, json_string_or(child, "name", ""));
    return names;
}

/* Memory that the line does not name is a device's, or QEMU's own. */
static bool is_own_memory(struct qemu_guest *vm, const cJSON *child)
{
    static const char *const objects[] = { "object", NULL };

    return !strncmp(json_string_or(child, "type", ""), "child<memory-backend", 20) &&
           !line_says(vm->process.words, objects, json_string_or(child, "name", ""));
}

static cJSON *read_objects(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *children = read_children(vm, "/objects", err);
    cJSON *names = children ? must(cJSON_CreateArray()) : NULL;
    const cJSON *child;

    cJSON_ArrayForEach (child, children)
        if (!is_own_memory(vm, child))
            add_string(names, json_string_or(child, "name", ""));
    return names;
}

static cJSON *read_chardevs(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *chardevs = NULL;
    cJSON *labels;
    const cJSON *chardev;

    if (!qmp_call(vm->qemu.q, "query-chardev", NULL, &chardevs, err))
        return NULL;
    labels = must(cJSON_CreateArray());
    cJSON_ArrayForEach (chardev, chardevs)
        add_string(labels, json_string_or(chardev, "label", ""));
    return labels;
}

/* The names in "hub0port1: #net7" but for the last, if that is the guest's own end. */
static void add_networks(cJSON *networks, char *names, bool without_last)
{
    char *next;

    for (char *name = names; name; name = next) {
        next = strstr(name, ": ");
        if (next) {
            *next = '\0';
            next += 2;
        }
        if ((next || !without_last) && !has_string(networks, name))
            add_string(networks, name);
    }
}

/* " \ net0: index=0,type=tap,…", also behind the port of a hub; a port may have nothing. */
static void add_line(cJSON *networks, const char *line)
{
    const char *end = strstr(line, ": index=");
    size_t indent = strspn(line, " \\");
    AUTO_FREE char *names = NULL;

    if (!end && strncmp(line, " \\ ", 3) != 0)
        return;
    names = must(strndup(line + indent, end ? (size_t)(end - line) - indent : strlen(line)));
    add_networks(networks, names, end && strstr(end, ",type=nic,"));
}

static cJSON *networks_of(const char *text)
{
    cJSON *networks = must(cJSON_CreateArray());
    AUTO_FREE char *copy = must(strdup(text));
    char *rest = copy;
    const char *line;

    while ((line = strsep(&rest, "\r\n")))
        add_line(networks, line);
    return networks;
}

static cJSON *read_forwards(struct qemu_guest *vm, struct error *err)
{
    AUTO_FREE char *text = machine_ask(&vm->qemu, "info usernet", err);

    return text ? usernet_forwards(text) : NULL;
}

static bool take(cJSON *machine, const char *name, cJSON *part)
{
    if (part)
        cJSON_AddItemToObject(machine, name, part);
    return part != NULL;
}

static bool take_networks(struct qemu_guest *vm, cJSON *machine, struct error *err)
{
    AUTO_FREE char *text = machine_ask(&vm->qemu, "info network", err);

    return text && take(machine, "networks", networks_of(text)) &&
           take(machine, "taps", taps_read(text, vm->qemu.pid, err)) &&
           take(machine, "uso", offloads_read(vm->qemu.pid, TAP_USO)) &&
           take(machine, "tunnels", offloads_read(vm->qemu.pid, TAP_TUNNELS));
}

cJSON *machine_read(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *machine = must(cJSON_CreateObject());

    if (take(machine, "devices", read_names(vm, "/machine/peripheral", "", err)) &&
        take(machine, "anonymous", read_names(vm, "/machine/peripheral-anon", "device[", err)) &&
        take(machine, "built-in", read_names(vm, "/machine/unattached", "device[", err)) &&
        take(machine, "slots", pci_slots(&vm->qemu, err)) &&
        take(machine, "queues", queues_read(&vm->qemu, err)) &&
        take(machine, "objects", read_objects(vm, err)) &&
        take(machine, "chardevs", read_chardevs(vm, err)) && take_networks(vm, machine, err) &&
        take(machine, "forwards", read_forwards(vm, err)) &&
        take(machine, "throttles", throttles_read(&vm->qemu, vm->process.words, err)) &&
        take(machine, "drives", drives_read(&vm->qemu, vm->process.start_dir, err)))
        return steal(machine);
    error_prefix(err, "cannot tell what the VM consists of");
    return NULL;
}

/* ---- beside the line: what has a name ---- */

struct kind {
    const char *part;   /* of the machine */
    const char *option; /* that makes one */
    const char *name;   /* for people */
    const char *add;    /* commands of the monitor's */
    const char *remove;
    bool (*is_own)(struct qemu_guest *vm, const char *id); /* QEMU makes it by itself */
};

/* An option of its own can make a device and call it as the option is called (-debugcon). */
static bool is_own_device(struct qemu_guest *vm, const char *id)
{
    return argv_has(vm->process.words, id);
}

/* "compat_monitor1": as QEMU calls what it makes of an option that names nothing. */
static bool is_numbered(const char *id, const char *name)
{
    size_t length = strlen(name);

    return !strncmp(id, name, length) && !id[length + strspn(id + length, "0123456789")];
}

/* Since QEMU 11.1 a monitor is an object, too. */
static bool is_own_object(struct qemu_guest *vm, const char *id)
{
    static const char *const options[] = { "mon", NULL };

    return is_numbered(id, "compat_monitor") || line_says(vm->process.words, options, id);
}

/* "serial0", "compat_monitor1", and what lies beneath one that several share. */
static bool is_own_chardev(struct qemu_guest *vm, const char *id)
{
    static const char *const names[] = { "serial",   "parallel",  "compat_monitor",
                                         "virtcon",  "usbserial", "braille",
                                         "debugcon", "vc",        "gdb" };
    static const char *const chardev[] = { "chardev", NULL };
    const cJSON *words = vm->process.words;
    const char *base = strstr(id, "-base");
    AUTO_FREE char *above = base && !base[5] ? must(strndup(id, (size_t)(base - id))) : NULL;

    if (*id == '#')
        return true; /* -gdb and the like have one */
    if (above)
        return line_says(words, chardev, above) || is_own_chardev(vm, above);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_numbered(id, names[i]))
            return true;
    return false;
}

/* QEMU itself names the networks of -nic and -net ("#net013") and the ports of hubs. */
static bool is_own_network(struct qemu_guest *vm, const char *id)
{
    static const char *const options[] = { "nic", "net", NULL };
    int hub, port;

    return *id == '#' || sscanf(id, "hub%dport%d", &hub, &port) == 2 ||
           !strncmp(id, "__org.qemu", 10) || line_says(vm->process.words, options, id);
}

static const struct kind kinds[] = {
    { "devices", "device", "device", "device_add", "device_del", is_own_device },
    { "objects", "object", "object", "object-add", "object-del", is_own_object },
    { "networks", "netdev", "network", "netdev_add", "netdev_del", is_own_network },
    { "chardevs", "chardev", "character device", "chardev-add", "chardev-remove", is_own_chardev },
};

static bool refuse_added(const struct kind *kind, const char *id, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "the %s '%s' was added after the VM's start, and is not on its command line: "
                     "take it out first (%s %s)",
                     kind->name, id, kind->remove, id);
}

static bool refuse_gone(const struct kind *kind, const char *id, struct error *err)
{
    return error_set(err, ERROR_REFUSED,
                     "the %s '%s' of the VM's command line is not there any more: add it again "
                     "first (%s), or start the VM without it",
                     kind->name, id, kind->add);
}

static bool check_kind(struct qemu_guest *vm, const struct kind *kind, const cJSON *present,
                       struct error *err)
{
    AUTO_JSON cJSON *said = line_ids(vm->process.words, kind->option, "id");
    const cJSON *id;

    cJSON_ArrayForEach (id, present)
        if (!has_string(said, text_of(id)) && !kind->is_own(vm, text_of(id)) &&
            !error_goes_on(err, refuse_added(kind, text_of(id), err)))
            return false;
    cJSON_ArrayForEach (id, said)
        if (!has_string(present, text_of(id)) &&
            !error_goes_on(err, refuse_gone(kind, text_of(id), err)))
            return false;
    return true;
}

/* ---- beside the line: what has none ---- */

/* QEMU counts them up as it makes them: one that was taken out leaves a gap. */
static bool check_gaps(const cJSON *names, const char *where, struct error *err)
{
    int count = cJSON_GetArraySize(names);

    for (int i = 0; i < count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "device[%d]", i);
        if (!has_string(names, name))
            return error_set(err, ERROR_REFUSED,
                             "a device of the VM was taken out after its start ('%s/%s'), by its "
                             "guest or in the monitor, and the command line would make it again: "
                             "restart the VM without it, or move it switched off",
                             where, name);
    }
    return true;
}

static bool check_anonymous(struct qemu_guest *vm, const cJSON *names, struct error *err)
{
    size_t said = line_count_anonymous(vm->process.words, vm->machine);
    size_t present = (size_t)cJSON_GetArraySize(names);

    if (present > said)
        return error_set(err, ERROR_REFUSED,
                         "a device without an id was plugged in after the VM's start: unplug it "
                         "first (device_del /machine/peripheral-anon/device[%zu])",
                         present - 1);
    if (present < said)
        return error_set(err, ERROR_REFUSED,
                         "a device without an id was taken out after the VM's start, and the "
                         "command line would make it again: restart the VM without it");
    return check_gaps(names, "/machine/peripheral-anon", err);
}

/* ---- beside the line: the rest ---- */

static bool check_exports(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *exports = NULL;

    if (!qmp_call(vm->qemu.q, "query-block-exports", NULL, &exports, err))
        return false;
    if (!exports->child)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "QEMU exports a disk of the VM to somebody ('%s', %s): end that first "
                     "(block-export-del)",
                     json_string_or(exports->child, "id", "?"),
                     json_string_or(exports->child, "type", "?"));
}

static bool makes_gdbserver(const struct qemu_guest *vm)
{
    return argv_has(vm->process.words, "gdb") || argv_has(vm->process.words, "s");
}

static bool check_gdbserver(struct qemu_guest *vm, const cJSON *chardevs, struct error *err)
{
    if (!has_string(chardevs, "gdb") || makes_gdbserver(vm))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "a gdbserver was started after the VM's start: end it first (gdbserver none)");
}

static bool asks_password(const cJSON *words, const char *option, const char *flag, bool when)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *value = argv_value(words, option);

    return value && keyvals_parse(value, &kv, NULL) && keyvals_flag(&kv, flag) == when &&
           !keyvals_get(&kv, "password-secret");
}

/* A password is not to be read back. Without one QEMU lets nobody in. */
static void tell_passwords(struct qemu_guest *vm)
{
    const cJSON *words = vm->process.words;
    static const char text[] =
        "%s's password cannot be read from QEMU: set it again at the target (set_password %s "
        "PASSWORD); until then nobody is let in there";

    if (asks_password(words, "vnc", "password", true))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL, text, "VNC", "vnc");
    if (asks_password(words, "spice", "disable-ticketing", false))
        event_say(&vm->base.context.events, EVENT_WARNING, NULL, text, "SPICE", "spice");
}

/* The screen of -M isapc: QEMU 7.2 sends its state, and aborts as it loads that ("mr->alias"). */
static bool check_isa_cirrus(struct qemu_guest *vm, struct error *err)
{
    AUTO_JSON cJSON *children =
        strcmp(vm->machine, "isapc") ? NULL : read_children(vm, "/machine/unattached", err);
    const cJSON *child;

    cJSON_ArrayForEach (child, children)
        if (!strcmp(json_string_or(child, "type", ""), "child<isa-cirrus-vga>"))
            return error_set(err, ERROR_REFUSED,
                             "no QEMU can load the state of the VM's screen, an isa-cirrus-vga: "
                             "restart the guest with -vga std, or with -vga none");
    return true;
}

bool machine_check(struct qemu_guest *vm, const cJSON *machine, struct error *err)
{
    if (!error_goes_on(err, check_exports(vm, err)) ||
        !error_goes_on(err, check_isa_cirrus(vm, err)) ||
        !error_goes_on(err, check_gdbserver(vm, json_get(machine, "chardevs"), err)))
        return false;
    tell_passwords(vm);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!check_kind(vm, &kinds[i], json_get(machine, kinds[i].part), err))
            return false;
    return error_goes_on(err, check_anonymous(vm, json_get(machine, "anonymous"), err)) &&
           check_gaps(json_get(machine, "built-in"), "/machine/unattached", err);
}

/* ---- once more ---- */

/* The first name that only `one` has; NULL: none. */
static const char *only_in(const cJSON *one, const cJSON *other)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, one)
        if (!has_string(other, text_of(item)))
            return text_of(item);
    return NULL;
}

static bool same_names(const char *part, const cJSON *before, const cJSON *now, struct error *err)
{
    const char *added = only_in(now, before);
    const char *gone = only_in(before, now);

    if (!added && !gone)
        return true;
    return error_set(err, ERROR_SYSTEM, "'%s' (%s) was %s while the VM was being moved: try again",
                     added ? added : gone, part, added ? "added" : "taken out");
}

static bool same_drives(const cJSON *before, const cJSON *now, struct error *err)
{
    const cJSON *item, *later = now ? now->child : NULL;
    struct qemu_drive drive;

    fields_each (item, before, qemu_drive_fields, &drive) {
        if (!later || !cJSON_Compare(item, later, true))
            return error_set(err, ERROR_SYSTEM,
                             "the medium or the I/O limits of the drive '%s' were changed while "
                             "the VM was being moved: try again",
                             drive.name);
        later = later->next;
    }
    if (!later)
        return true;
    fields_get(qemu_drive_fields, later, &drive);
    return error_set(err, ERROR_SYSTEM,
                     "the drive '%s' was added while the VM was being moved: try again",
                     drive.name);
}

bool machine_is_still(struct qemu_guest *vm, const cJSON *before, struct error *err)
{
    static const char *const parts[] = { "devices", "anonymous", "built-in",
                                         "objects", "chardevs",  "networks" };
    AUTO_JSON cJSON *now = before ? machine_read(vm, err) : NULL;

    if (!now)
        return before == NULL;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!same_names(parts[i], json_get(before, parts[i]), json_get(now, parts[i]), err))
            return false;
    if (!cJSON_Compare(json_get(before, "forwards"), json_get(now, "forwards"), true))
        return error_set(err, ERROR_SYSTEM,
                         "a port forwarding (hostfwd) was changed while the VM was being moved: "
                         "try again");
    if (!cJSON_Compare(json_get(before, "taps"), json_get(now, "taps"), true))
        return error_set(err, ERROR_SYSTEM,
                         "the bridge of a tap of the VM's, or what that makes of it as a port, was "
                         "changed while the VM was being moved: try again");
    if (!cJSON_Compare(json_get(before, "queues"), json_get(now, "queues"), true))
        return error_set(err, ERROR_SYSTEM,
                         "the guest was booted anew while the VM was being moved, which made the "
                         "queues of its virtio devices longer or shorter: try again");
    if (!cJSON_Compare(json_get(before, "throttles"), json_get(now, "throttles"), true))
        return error_set(
            err, ERROR_SYSTEM,
            "the limits of a throttle group were changed while the VM was being moved: "
            "try again");
    return same_drives(json_get(before, "drives"), json_get(now, "drives"), err);
}
