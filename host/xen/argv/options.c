/* The table of the options that libxl gives a device model, and of some that users add;
 * qmp/argv/option-table.h says how to add one.
 */
#include "host/xen/argv/rewriters.h"
#include "qmp/argv/option-rows.h"

static const struct option_row rows[] = {
    VALUE("xen-domid", xen_rewrite_domid),
    FLAG("xen-attach", rewriting_keep),
    FLAG("no-shutdown", rewriting_keep),
    FLAG("no-reboot", rewriting_keep),
    KEYVALS("chardev", xen_rewrite_chardev),
    VALUE("mon", rewriting_keep),
    FLAG("nodefaults", rewriting_keep),
    FLAG("no-user-config", rewriting_keep),
    VALUE("name", xen_rewrite_name),
    KEYVALS("vnc", xen_rewrite_vnc),
    VALUE("display", xen_rewrite_none),
    VALUE("k", rewriting_keep),
    VALUE("kernel", xen_rewrite_input),
    VALUE("initrd", xen_rewrite_input),
    VALUE("append", rewriting_keep),
    VALUE("bios", xen_rewrite_input),
    VALUE("serial", xen_rewrite_serial),
    VALUE("parallel", xen_rewrite_serial),
    VALUE("debugcon", xen_rewrite_serial),
    FLAG("nographic", rewriting_keep),
    KEYVALS("device", xen_rewrite_device),
    VALUE("boot", rewriting_keep),
    FLAG("usb", rewriting_keep),
    VALUE("usbdevice", xen_rewrite_usbdevice),
    VALUE("soundhw", rewriting_keep),
    VALUE("audio", rewriting_keep),
    KEYVALS("audiodev", xen_rewrite_outputs),
    FLAG("no-acpi", rewriting_keep),
    VALUE("smp", rewriting_keep),
    KEYVALS("netdev", xen_rewrite_netdev),
    VALUE("net", xen_rewrite_none),
    KEYVALS("machine", xen_rewrite_machine),
    KEYVALS("M", xen_rewrite_machine),
    VALUE("m", rewriting_keep),
    KEYVALS("drive", xen_rewrite_drive),
    VALUE("vga", rewriting_keep),
    VALUE("global", rewriting_global),
    VALUE("rtc", rewriting_keep),
    KEYVALS("smbios", xen_rewrite_inputs),
    VALUE("msg", rewriting_keep),
    VALUE("d", rewriting_keep),
    VALUE("D", rewriting_drop),
    KEYVALS("trace", xen_rewrite_outputs),
    VALUE("overcommit", rewriting_keep),

    VALUE("spice", rewriting_refuse),
    VALUE("runas", rewriting_refuse),
    VALUE("chroot", rewriting_refuse),
    VALUE("run-with", rewriting_refuse),
    VALUE("sandbox", rewriting_refuse),
    FLAG("xen-domid-restrict", rewriting_refuse),

    FLAG("S", rewriting_drop),
    VALUE("incoming", rewriting_drop),
};

static const char *const texts[] = { "append", "name", "smbios", NULL };

const struct option_table xen_options = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .texts = texts,
    .owner = "the device model's",
    .mover = "the guest",
    .holder = "a guest whose device model has",
};
