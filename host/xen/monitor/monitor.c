/* Watch a domain, as xl does for those that it has started. */
#include "host/xen/monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "host/xen/ground/config.h"
#include "host/xen/ground/connection.h"
#include "host/xen/ground/domain.h"
#include "host/xen/monitor/domain-watch.h"
#include "host/xen/monitor/rebuild.h"
#include "xmig/paths.h"
#include "xmig/text.h"

enum {
    LOOK_MS = 10000 /* look even if the watch has not fired */
};

struct monitor {
    struct loop *loop;
    const struct event_sink *events;
    struct xen_log *log;
    xc_interface *xc;
    struct xs_handle *xs;
    uint32_t domid;
    int lock;
};

/* ---- only one watches ---- */

static bool take_lock(struct monitor *monitor, bool *taken, struct error *err)
{
    AUTO_FREE char *path = formatted(PATH_RUNTIME "/monitor-%u.lock", monitor->domid);

    (void)mkdir(PATH_RUNTIME, 0700);
    *taken = false;
    monitor->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (monitor->lock < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", path);
    *taken = flock(monitor->lock, LOCK_EX | LOCK_NB) == 0;
    return *taken || errno == EWOULDBLOCK ||
           error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
}

static void drop_lock(struct monitor *monitor)
{
    AUTO_FREE char *path = formatted(PATH_RUNTIME "/monitor-%u.lock", monitor->domid);

    if (monitor->lock >= 0)
        unlink(path);
    cleanup_close(&monitor->lock);
    monitor->lock = -1;
}

/* ---- until the guest ends ---- */

/* A suspended guest is being moved or saved, so it has not ended: it goes on, or is destroyed. */
static bool await_end(struct monitor *monitor, bool *gone, unsigned *reason, struct error *err)
{
    struct domain_watch *watch = domain_watch_new(monitor->loop, monitor->xs, err);
    bool ok = watch != NULL;

    while (ok) {
        xc_domaininfo_t info;

        *gone = !domain_info(monitor->xc, monitor->domid, &info) || (info.flags & XEN_DOMINF_dying);
        if (*gone || (domain_is_shut_down(&info, reason) && *reason != SHUTDOWN_suspend))
            break;
        ok = domain_watch_wait(watch, LOOK_MS, err);
    }
    domain_watch_free(watch);
    return ok;
}

/* ---- what then is done ---- */

static const char *action_for(const cJSON *config, unsigned reason)
{
    static const char *const members[] = {
        [SHUTDOWN_poweroff] = "on_poweroff",     [SHUTDOWN_reboot] = "on_reboot",
        [SHUTDOWN_crash] = "on_crash",           [SHUTDOWN_watchdog] = "on_watchdog",
        [SHUTDOWN_soft_reset] = "on_soft_reset",
    };

    if (reason >= sizeof(members) / sizeof(members[0]) || !members[reason])
        return "destroy";
    return json_string_or(config, members[reason], "destroy");
}

static bool dump(struct rebuilder *rebuilder, uint32_t domid, const char *name, struct error *err)
{
    AUTO_FREE char *path = formatted("/var/lib/xen/dump/%s-%lld.core", name, (long long)time(NULL));

    return rebuild_dump(rebuilder, domid, path, err);
}

static bool end_domain(struct monitor *monitor, struct rebuilder *rebuilder, const char *action,
                       const char *name, struct error *err)
{
    AUTO_FREE char *kept = formatted("%s-%lld", name, (long long)time(NULL));
    struct error why = { 0 };

    if (!strcmp(action, "rename_restart"))
        return rebuild_preserve(rebuilder, monitor->domid, kept, err);
    if (!strncmp(action, "coredump_", 9) && !dump(rebuilder, monitor->domid, name, &why))
        event_say(monitor->events, EVENT_WARNING, NULL, "%s", why.text);
    return rebuild_destroy(rebuilder, monitor->domid, err);
}

static bool is_restart(const char *action)
{
    return !strcmp(action, "restart") || !strcmp(action, "rename_restart") ||
           !strcmp(action, "coredump_restart") || !strcmp(action, "soft_reset");
}

static bool act_with(struct monitor *monitor, struct rebuilder *rebuilder, const cJSON *config,
                     const char *action, bool *again, struct error *err)
{
    const char *name = json_string_or(json_get(config, "c_info"), "name", "domain");
    AUTO_FREE char *text = must(cJSON_Print(config));

    *again = is_restart(action);
    if (!end_domain(monitor, rebuilder, action, name, err))
        return false;
    if (!*again)
        return true;
    drop_lock(monitor);
    if (!rebuild_create(rebuilder, text, &monitor->domid, err))
        return false;
    event_say(monitor->events, EVENT_NOTE, NULL, "'%s' runs again, as domain %u", name,
              monitor->domid);
    return true;
}

/* Open libxl only while xmig has no children: libxl waits for all children of the process. */
static bool act(struct monitor *monitor, unsigned reason, const cJSON *config, bool *again,
                struct error *err)
{
    const char *action = action_for(config, reason);
    struct rebuilder *rebuilder;
    bool ok;

    *again = false;
    event_say(monitor->events, EVENT_NOTE, NULL,
              "domain %u has shut itself down (reason %u): the action is '%s'", monitor->domid,
              reason, action);
    if (!strcmp(action, "preserve"))
        return true;
    rebuilder = rebuilder_new(xen_log_logger(monitor->log), err);
    if (!rebuilder)
        return false;
    ok = act_with(monitor, rebuilder, config, action, again, err);
    rebuilder_free(rebuilder);
    xen_log_drain(monitor->log, monitor->events);
    return ok;
}

/* Watch one domain until the guest ends. Sets *again if the guest has a new domain. */
static bool watch_one(struct monitor *monitor, bool *again, struct error *err)
{
    AUTO_JSON cJSON *config = NULL;
    char uuid[XEN_UUID_SIZE];
    xc_domaininfo_t info;
    unsigned reason = 0;
    bool taken, gone;

    *again = false;
    if (!take_lock(monitor, &taken, err) || !taken)
        return !err->kind;
    if (!await_end(monitor, &gone, &reason, err))
        return false;
    if (gone || !domain_info(monitor->xc, monitor->domid, &info))
        return true;
    domain_uuid(&info, uuid);
    config = config_read(monitor->domid, uuid, err);
    return config && act(monitor, reason, config, again, err);
}

static bool watch_all(struct monitor *monitor, const char *domain, struct error *err)
{
    bool again = true;

    if (!domain_find(monitor->xc, monitor->xs, domain, &monitor->domid))
        return error_set(err, ERROR_REFUSED, "there is no domain '%s'", domain);
    while (again)
        if (!watch_one(monitor, &again, err))
            return false;
    return true;
}

bool monitor_run(struct loop *loop, const char *domain, const struct event_sink *events,
                 struct error *err)
{
    struct monitor monitor = { .loop = loop, .events = events, .log = xen_log_new(), .lock = -1 };
    bool ok;

    monitor.xc = xc_interface_open(xen_log_logger(monitor.log), xen_log_logger(monitor.log), 0);
    monitor.xs = xs_open(0);
    ok = (monitor.xc && monitor.xs) ||
         error_set(err, ERROR_SYSTEM, "cannot talk to Xen and xenstore: %m");
    ok = ok && watch_all(&monitor, domain, err);
    drop_lock(&monitor);
    if (monitor.xs)
        xs_close(monitor.xs);
    if (monitor.xc)
        xc_interface_close(monitor.xc);
    xen_log_free(monitor.log);
    return ok;
}
