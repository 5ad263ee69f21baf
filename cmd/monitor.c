/* xmig monitor: stands in for the process that `xl create` leaves behind to watch a domain. */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "wrap.h"
#include "xmig/hypervisor-calls.h"

static const char help_text[] =
    "usage: xmig monitor DOMAIN\n"
    "\n"
    "Watches a Xen domain, given by its name or number, as xl does for the domains that xl\n"
    "started. When the guest turns itself off, reboots or crashes, the monitor does what the\n"
    "domain's configuration says (on_poweroff, on_reboot, on_crash, on_watchdog). A move starts\n"
    "the monitor; type this command only if the monitor was killed.\n"
    "\n"
    "  -h, --help  this text\n";

static void say(void *arg, const struct event *event)
{
    (void)arg;
    if (event->text && event->kind != EVENT_DEBUG)
        wrap_say(stderr, WRAP_INDENT, "xmig monitor: %s", event->text);
}

static int watch(const char *domain)
{
    const struct event_sink events = { say, NULL };
    struct loop *loop = loop_new();
    struct error err = { 0 };
    bool ok = hypervisor_find("xen")->monitor(loop, domain, &events, &err);

    if (!ok)
        wrap_say(stderr, WRAP_INDENT, "xmig monitor: %s", err.text);
    loop_free(loop);
    return ok ? 0 : 1;
}

int command_monitor(int argc, char *argv[])
{
    struct error err = { 0 };

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return print_help(help_text);
    if (argc != 2 || argv[1][0] == '-') {
        error_set(&err, ERROR_REFUSED, "'monitor' takes one domain");
        return end_with_usage(argc, argv, &err);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return watch(argv[1]);
}
