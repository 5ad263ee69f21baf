/* The two sides of a migration. */
#ifndef XMIG_SIDE_H
#define XMIG_SIDE_H

#include <stdbool.h>

enum side {
    SIDE_SEND,
    SIDE_RECV
};

const char *side_name(enum side side); /* "send", "recv" */
static inline enum side side_other(enum side side)
{
    return side == SIDE_SEND ? SIDE_RECV : SIDE_SEND;
}

#endif
