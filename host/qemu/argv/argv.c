/* A table of all of QEMU's options, and what becomes of each. */
#include "host/qemu/argv/argv.h"

#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/argv/argv-rewrite.h"
#include "qmp/argv/keyvals.h"
#include "xmig/paths.h"

/* ---- options that are easy ---- */

static bool keep(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)err;
    rewriting_emit(r, option, value);
    return true;
}

/* What belongs to the running process, or to its start, and not to the machine. */
static bool drop(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)r;
    (void)option;
    (void)value;
    (void)err;
    return true;
}

static bool refuse(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    (void)r;
    return error_set(err, ERROR_REFUSED, "a VM with '-%s%s%s' cannot be moved", option,
                     value ? " " : "", value ? value : "");
}

/* There is no screen at the target; the guest does not notice. */
static bool close_window(struct rewriting *r, const char *option, const char *value,
                         struct error *err)
{
    (void)option;
    (void)value;
    (void)err;
    r->has_display = true;
    if (!r->closed_window) {
        rewriting_emit(r, "display", "none");
        rewriting_note(r, "no window: the target shows no display of its own");
    }
    r->closed_window = true;
    return true;
}

static bool is_window(const char *value)
{
    static const char *const windows[] = {
        "gtk", "sdl", "cocoa", "curses", "spice-app", "default"
    };
    size_t len = strcspn(value, ",");

    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
        if (strlen(windows[i]) == len && !strncmp(windows[i], value, len))
            return true;
    return false;
}

static bool display(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    if (is_window(value))
        return close_window(r, option, value, err);
    if (!strncmp(value, "vnc=", 4))
        return rewrite_vnc(r, option, value + 4, err);
    r->has_display = true;
    return keep(r, option, value, err);
}

static bool nographic(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    r->has_display = true;
    return keep(r, option, value, err);
}

static bool name(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (r->vm->new_name)
        keyvals_set_implied(&kv, "guest", r->vm->new_name);
    r->has_name = true;
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}

static bool runas(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    r->result->drops_privileges = true;
    return keep(r, option, value, err);
}

static bool run_with(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get(&kv, "chroot"))
        return refuse(r, option, value, err);
    if (keyvals_get(&kv, "user"))
        r->result->drops_privileges = true;
    return keep(r, option, value, err);
}

static bool icount(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    return strstr(value, "rr=") ? refuse(r, option, value, err) : keep(r, option, value, err);
}

/* Short for -gdb tcp::1234. */
static bool gdb_default(struct rewriting *r, const char *option, const char *value,
                        struct error *err)
{
    rewriting_port(r, "-s", "", "1234", NULL);
    return keep(r, option, value, err);
}

/* ---- the machine ---- */

/* "pc" means another machine in every version of QEMU: the running one's own name is said. */
static bool machine(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    (void)option;
    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get_implied(&kv, "type")) {
        keyvals_set_implied(&kv, "type", r->vm->machine);
        r->has_machine = true;
    }
    if (keyvals_get(&kv, "accel")) {
        keyvals_set(&kv, "accel", r->vm->accelerator);
        r->has_accelerator = true;
    }
    if (keyvals_get(&kv, "firmware"))
        rewriting_searched_file(r, &kv, "firmware");
    rewriting_emit_keyvals(r, "machine", &kv);
    return true;
}

/* Of several accelerators QEMU took the first that worked; the target must take that one. */
static bool accel(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *which;

    if (!keyvals_parse(value, &kv, err))
        return false;
    which = keyvals_get_implied(&kv, "accel");
    if (!which || strcmp(which, r->vm->accelerator) != 0)
        return true;
    r->has_accelerator = true;
    return keep(r, option, value, err);
}

static bool enable_kvm(struct rewriting *r, const char *option, const char *value,
                       struct error *err)
{
    if (strcmp(r->vm->accelerator, "kvm") != 0)
        return true;
    r->has_accelerator = true;
    return keep(r, option, value, err);
}

/* ---- the table ---- */

struct argv_option {
    const char *name;
    bool takes_value;
    argv_rewriter *rewrite;
};

static const struct argv_option options[] = {
    { "M", true, machine },
    { "machine", true, machine },
    { "accel", true, accel },
    { "enable-kvm", false, enable_kvm },
    { "name", true, name },
    { "cpu", true, keep },
    { "smp", true, keep },
    { "m", true, keep },
    { "numa", true, keep },
    { "boot", true, keep },
    { "k", true, keep },
    { "uuid", true, keep },
    { "rtc", true, keep },
    { "icount", true, icount },
    { "seed", true, keep },
    { "global", true, keep },
    { "set", true, keep },
    { "compat", true, keep },
    { "no-acpi", false, keep },
    { "no-hpet", false, keep },
    { "no-fd-bootchk", false, keep },
    { "win2k-hack", false, keep },
    { "rtc-td-hack", false, keep },
    { "semihosting", false, keep },
    { "semihosting-config", true, keep },
    { "singlestep", false, keep },
    { "old-param", false, keep },
    { "prom-env", true, keep },
    { "nodefaults", false, keep },
    { "no-user-config", false, keep },
    { "no-reboot", false, keep },
    { "no-shutdown", false, keep },
    { "action", true, keep },
    { "watchdog", true, keep },
    { "watchdog-action", true, keep },
    { "echr", true, keep },
    { "msg", true, keep },
    { "overcommit", true, keep },
    { "mem-prealloc", false, keep },
    { "only-migratable", false, keep },
    { "sandbox", true, keep },
    { "async-teardown", false, keep },
    { "enable-fips", false, keep },
    { "enable-sync-profile", false, keep },
    { "d", true, keep },
    { "dfilter", true, keep },
    { "usb", false, keep },
    { "usbdevice", true, rewrite_usbdevice },
    { "vga", true, keep },
    { "g", true, keep },
    { "soundhw", true, keep },
    { "audio", true, rewrite_audio },
    { "audiodev", true, rewrite_audio },
    { "iscsi", true, keep },
    { "runas", true, runas },
    { "run-with", true, run_with },

    { "drive", true, rewrite_drive },
    { "blockdev", true, rewrite_blockdev },
    { "hda", true, rewrite_hda },
    { "hdb", true, rewrite_hda },
    { "hdc", true, rewrite_hda },
    { "hdd", true, rewrite_hda },
    { "fda", true, rewrite_hda },
    { "fdb", true, rewrite_hda },
    { "cdrom", true, rewrite_hda },
    { "pflash", true, rewrite_hda },
    { "mtdblock", true, rewrite_hda },
    { "sd", true, rewrite_hda },

    { "device", true, rewrite_device },
    { "object", true, rewrite_object },
    { "netdev", true, rewrite_net },
    { "nic", true, rewrite_net },
    { "net", true, rewrite_net },
    { "chardev", true, rewrite_chardev },
    { "mon", true, rewrite_mon },
    { "qmp", true, rewrite_character_device },
    { "qmp-pretty", true, rewrite_character_device },
    { "monitor", true, rewrite_character_device },
    { "serial", true, rewrite_character_device },
    { "parallel", true, rewrite_character_device },
    { "debugcon", true, rewrite_character_device },
    { "gdb", true, rewrite_character_device },
    { "s", false, gdb_default },

    { "kernel", true, rewrite_input },
    { "initrd", true, rewrite_input },
    { "dtb", true, rewrite_input },
    { "append", true, keep },
    { "shim", true, rewrite_input },
    { "bios", true, rewrite_input },
    { "option-rom", true, rewrite_option_rom },
    { "L", true, rewrite_input },
    { "fw_cfg", true, rewrite_inputs_within },
    { "smbios", true, rewrite_inputs_within },
    { "acpitable", true, rewrite_acpitable },
    { "trace", true, rewrite_trace },
    { "mem-path", true, rewrite_mem_path },
    { "pidfile", true, rewrite_pidfile },
    { "D", true, rewrite_log },

    { "display", true, display },
    { "nographic", false, nographic },
    { "sdl", false, close_window },
    { "curses", false, close_window },
    { "full-screen", false, drop },
    { "alt-grab", false, drop },
    { "ctrl-grab", false, drop },
    { "no-quit", false, drop },
    { "no-frame", false, drop },
    { "portrait", false, drop },
    { "rotate", true, drop },
    { "vnc", true, rewrite_vnc },
    { "spice", true, rewrite_spice },

    { "S", false, drop },
    { "incoming", true, drop },
    { "loadvm", true, drop },
    { "daemonize", false, drop },
    { "writeconfig", true, drop },
    { "qtest", true, drop },
    { "qtest-log", true, drop },

    { "snapshot", false, refuse },
    { "chroot", true, refuse },
    { "readconfig", true, refuse },
    { "preconfig", false, refuse },
    { "add-fd", true, refuse },
    { "fsdev", true, refuse },
    { "virtfs", true, refuse },
    { "virtfs_synth", false, refuse },
    { "virtiofs", true, refuse },
    { "tpmdev", true, refuse },
    { "plugin", true, refuse },
    { "bt", true, refuse },
    { "enable-hax", false, refuse },
    { "xen-domid", true, refuse },
    { "xen-attach", false, refuse },
    { "xen-domid-restrict", false, refuse },
    { "dump-vmstate", true, refuse },
};

static const struct argv_option *find_option(const char *wanted)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i].name, wanted))
            return &options[i];
    return NULL;
}

/* A word of the command line that is an option: its name without the dashes. */
static const char *option_name(const char *word)
{
    if (*word != '-' || !word[1])
        return NULL;
    return word + (word[1] == '-' ? 2 : 1);
}

/* ---- walking along the command line ---- */

bool argv_step(const cJSON **word, struct argv_step *step, struct error *err)
{
    const char *text = (*word)->valuestring;

    *step = (struct argv_step){ .name = option_name(text), .value = text };
    *word = (*word)->next;
    if (!step->name)
        return true;
    step->option = find_option(step->name);
    step->value = NULL;
    if (!step->option)
        return error_set(err, ERROR_REFUSED,
                         "xmig does not know QEMU's option '%s', and so not whether the VM can be "
                         "moved with it",
                         text);
    if (!step->option->takes_value)
        return true;
    if (!*word)
        return error_set(err, ERROR_REFUSED, "QEMU's option '%s' has no value", text);
    step->value = (*word)->valuestring;
    *word = (*word)->next;
    return true;
}

static bool rewrite_all(const cJSON *words, struct rewriting *r, struct error *err)
{
    const cJSON *word = words->child;
    struct argv_step step;

    while (word) {
        if (!argv_step(&word, &step, err))
            return false;
        if (!error_goes_on(err, step.option ? step.option->rewrite(r, step.name, step.value, err)
                                            : rewrite_hda(r, "hda", step.value, err)))
            return false;
    }
    return true;
}

/* What the source had without saying so. */
static void add_the_unsaid(struct rewriting *r)
{
    if (!r->has_machine)
        rewriting_emit(r, "machine", r->vm->machine);
    if (!r->has_accelerator)
        rewriting_emit(r, "accel", r->vm->accelerator);
    if (!r->has_name && r->vm->new_name)
        rewriting_emit(r, "name", r->vm->new_name);
    if (!r->has_display)
        rewriting_emit(r, "display", "none");
}

static bool all_disks_found(const struct argv_vm *vm, struct error *err)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!vm->disks[i].found &&
            !error_goes_on(err, error_set(err, ERROR_REFUSED,
                                          "the disk image '%s' is not on QEMU's command line: it "
                                          "was plugged in later",
                                          vm->disks[i].paths[0])))
            return false;
    return true;
}

/* ---- the public face ---- */

bool argv_rewrite(const cJSON *words, struct argv_vm *vm, struct argv_result *result,
                  struct error *err)
{
    AUTO_JSON cJSON *nodes = must(cJSON_CreateObject());
    struct rewriting r = { .vm = vm, .result = result, .nodes = nodes };
    int refused = error_aside(err);

    *result = (struct argv_result){
        .words = must(cJSON_CreateArray()),
        .needs = must(cJSON_CreateArray()),
        .outputs = must(cJSON_CreateArray()),
        .sockets = must(cJSON_CreateArray()),
        .searched = must(cJSON_CreateArray()),
        .audio = must(cJSON_CreateArray()),
        .ports = must(cJSON_CreateArray()),
        .bridges = must(cJSON_CreateArray()),
        .pidfiles = must(cJSON_CreateArray()),
        .notes = must(cJSON_CreateArray()),
    };
    if (!rewrite_all(words, &r, err) || !error_none_since(err, refused) ||
        !all_disks_found(vm, err) || !error_none_since(err, refused))
        return false;
    add_the_unsaid(&r);
    return true;
}

void argv_result_done(struct argv_result *result)
{
    cJSON_Delete(result->words);
    cJSON_Delete(result->needs);
    cJSON_Delete(result->outputs);
    cJSON_Delete(result->sockets);
    cJSON_Delete(result->searched);
    cJSON_Delete(result->audio);
    cJSON_Delete(result->ports);
    cJSON_Delete(result->bridges);
    cJSON_Delete(result->pidfiles);
    cJSON_Delete(result->notes);
    *result = (struct argv_result){ 0 };
}
