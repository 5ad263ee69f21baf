/* A watch on xenstore fires when any domain is shut down or gone; it does not tell which. */
#include "host/xen/monitor/domain-watch.h"
#include "xmig/cleanup.h"

struct domain_watch {
    struct loop *loop;
    struct xs_handle *xs;
    uv_poll_t poll;
    bool fired;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct domain_watch *watch = poll->data;
    char **fired;

    (void)status;
    (void)events;
    while ((fired = xs_check_watch(watch->xs))) {
        watch->fired = true;
        free(fired);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct domain_watch *domain_watch_new(struct loop *loop, struct xs_handle *xs, struct error *err)
{
    struct domain_watch *watch;

    if (!xs_watch(xs, "@releaseDomain", "xmig")) {
        error_set(err, ERROR_SYSTEM, "cannot watch the domains: %m");
        return NULL;
    }
    watch = must(calloc(1, sizeof(*watch)));
    watch->loop = loop;
    watch->xs = xs;
    watch->poll.data = watch;
    if (uv_poll_init(loop_uv(loop), &watch->poll, xs_fileno(xs)) ||
        uv_poll_start(&watch->poll, UV_READABLE, on_readable))
        abort();
    return watch;
}

void domain_watch_free(struct domain_watch *watch)
{
    if (!watch)
        return;
    (void)xs_unwatch(watch->xs, "@releaseDomain", "xmig");
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static bool has_fired(void *arg)
{
    return ((struct domain_watch *)arg)->fired;
}

bool domain_watch_wait(struct domain_watch *watch, uint64_t timeout_ms, struct error *err)
{
    struct error why = { 0 };

    if (!loop_wait(watch->loop, has_fired, watch, timeout_ms, &why) && why.kind != ERROR_TIMEOUT) {
        *err = why;
        return false;
    }
    watch->fired = false;
    return true;
}
