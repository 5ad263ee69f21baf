/* One connection to the peer, made by a transport's dial(): by a child process such as ssh, or by
 * work within this process, such as a thread with a socket of its own. Callers do not know which.
 */
#ifndef XMIG_LINK_H
#define XMIG_LINK_H

#include "xmig/loop.h"

struct link;

/* How a kind of link goes away. Each of the two frees `impl`. */
struct link_ops {
    /* End the connection, unless it has ended. */
    void (*cut)(struct link *link);
    /* Let the connection end by itself, which may be later than this program. NULL: cut(). */
    void (*leave)(struct link *link);
};

struct link {
    const struct link_ops *ops; /* NULL: nothing to end, nothing to free */
    void *impl;
    struct loop *loop;
    int fd; /* our end of a control connection; -1: a lane, or somebody has taken it */
    bool ended;
    int status;       /* once it has ended; 0: well; the transport's explain() knows the others */
    struct error why; /* … in words, where the transport has them */
    void (*on_end)(void *arg);
    void *arg;
};

/* For transports: a link that stands for `impl`, or for `child` (taken; NULL gives NULL). */
struct link *link_new(struct loop *loop, const struct link_ops *ops, void *impl);
struct link *link_of_child(struct loop *loop, struct child *child);

/* For transports: the connection has ended. Called on the loop; `link` may be freed meanwhile. */
void link_end(struct link *link, int status);

/* `ended(arg)` runs on the loop when the connection has ended, and may free the link. */
void link_on_end(struct link *link, void (*ended)(void *arg), void *arg);

/* Wait for the link's end, also when the loop has been interrupted. False: it goes on. */
bool link_wait(struct link *link, uint64_t timeout_ms, struct error *err);
bool link_wait_anyway(struct link *link, uint64_t timeout_ms);

/* Forget the link: its connection is cut, or left to itself. NULL is fine. */
void link_free(struct link *link);
void link_leave(struct link *link);

#endif
