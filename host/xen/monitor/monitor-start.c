/* Start the process that watches a domain. */
#include <fcntl.h>
#include <stdio.h>

#include "host/xen/monitor/monitor.h"
#include "xmig/cleanup.h"

bool monitor_start(struct loop *loop, uint32_t domid, struct error *err)
{
    AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
    AUTO_CLOSE int log =
        open("/var/log/xen/xmig-monitor.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    char number[16];
    const char *const words[] = { self ? self : "xmig", "monitor", number, NULL };
    struct child *child;

    snprintf(number, sizeof(number), "%u", domid);
    child = child_start(loop, words, -1, log, log, err);
    child_release(child);
    return child != NULL;
}
