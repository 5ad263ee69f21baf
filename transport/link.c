/* Links: what became of a connection, and the ones that are child processes. */
#include "xmig/link.h"

#include "xmig/cleanup.h"

struct link *link_new(struct loop *loop, const struct link_ops *ops, void *impl)
{
    struct link *link = must(calloc(1, sizeof(*link)));

    *link = (struct link){ .ops = ops, .impl = impl, .loop = loop, .fd = -1 };
    return link;
}

void link_end(struct link *link, int status)
{
    link->ended = true;
    link->status = status;
    if (link->on_end)
        link->on_end(link->arg);
}

void link_on_end(struct link *link, void (*ended)(void *arg), void *arg)
{
    link->on_end = ended;
    link->arg = arg;
}

static bool has_ended(void *arg)
{
    const struct link *link = arg;

    return link->ended;
}

bool link_wait(struct link *link, uint64_t timeout_ms, struct error *err)
{
    return loop_wait(link->loop, has_ended, link, timeout_ms, err);
}

bool link_wait_anyway(struct link *link, uint64_t timeout_ms)
{
    return loop_wait_anyway(link->loop, has_ended, link, timeout_ms);
}

static void forget(struct link *link)
{
    cleanup_close(&link->fd);
    free(link);
}

void link_free(struct link *link)
{
    if (!link)
        return;
    if (link->ops)
        link->ops->cut(link);
    forget(link);
}

void link_leave(struct link *link)
{
    if (!link)
        return;
    if (link->ops)
        (link->ops->leave ? link->ops->leave : link->ops->cut)(link);
    forget(link);
}

/* ---- a child process ---- */

static void child_has_ended(void *arg)
{
    struct link *link = arg;
    int status = 0;

    child_ended(link->impl, &status);
    link_end(link, status);
}

static void cut_child(struct link *link)
{
    child_free(link->impl);
}

static void leave_child(struct link *link)
{
    child_release(link->impl);
}

struct link *link_of_child(struct loop *loop, struct child *child)
{
    static const struct link_ops ops = { .cut = cut_child, .leave = leave_child };
    struct link *link = child ? link_new(loop, &ops, child) : NULL;

    if (link)
        child_on_end(child, child_has_ended, link);
    return link;
}
