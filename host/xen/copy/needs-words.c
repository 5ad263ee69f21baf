/* The words of a device model's command line as needs. */
#include "host/xen/argv/rewriters.h"
#include "host/xen/copy/needs.h"

enum {
    VNC_FIRST = 5900,
    VNC_DISPLAYS = 99
};

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

void display_need(const char *address, uint64_t display, bool or_later, struct needs *needs)
{
    needs_add_ports(needs, NEED_LISTENER, address, VNC_FIRST + display,
                    VNC_FIRST + (or_later ? VNC_DISPLAYS : display), "-vnc");
}

/* Networks are found by the table of options; what else is known is a file, a socket or a terminal.
 */
static void add_serial(const struct needs_line *line, const char *where)
{
    static const char *const known[] = {
        "file:", "unix:", "pipe:", "tcp:", "udp:",  "telnet:", "websocket:", "tn3270:", "chardev:",
        "mon:",  "pty",   "none",  "null", "stdio", "vc",      "/",          NULL
    };

    if (!word_begins_among(where, known))
        line_add(line, NEED_UNKNOWN, where ? where : line->option);
}

/* A tap is joined to its bridge by the script of its network interface. */
static void add_network(const struct needs_line *line, const struct keyvals *kv)
{
    static const char *const scripts[] = { "script", "downscript", "helper" };
    const char *type = keyvals_get_implied(kv, "type");

    if (!is(type, "tap"))
        line_add(line, NEED_UNKNOWN, type ? type : line->option);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (!is(keyvals_get(kv, scripts[i]), "no") && (i < 2 || keyvals_get(kv, scripts[i])))
            line_add(line, NEED_SCRIPT,
                     keyvals_get(kv, scripts[i]) ? keyvals_get(kv, scripts[i]) : "/etc/qemu-ifup");
    if (keyvals_get(kv, "br"))
        line_add(line, NEED_BRIDGE, keyvals_get(kv, "br"));
}

static void add_option(const struct needs_line *line, const struct keyvals *kv)
{
    if (is(line->option, "netdev"))
        add_network(line, kv);
    else if (is(line->option, "serial") || is(line->option, "parallel") ||
             is(line->option, "debugcon"))
        add_serial(line, keyvals_get_implied(kv, "device"));
}

void words_need(const cJSON *words, const struct disk_params *disks,
                const struct argv_result *found, struct needs *needs)
{
    static const char *const monitors[] = { "/var/run/xen/qmp-libxl-" XEN_ARGV_DOMID,
                                            "/var/run/xen/qmp-libxenstat-" XEN_ARGV_DOMID, NULL };
    struct needs_line line = {
        .table = &xen_options, .words = words, .disks = disks, .own = monitors, .needs = needs
    };

    line_each(&line, add_option);
    line_need_ports(&line, found);
    line_need_images(&line);
    line_need_paths(&line);
}
