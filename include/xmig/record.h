/* What a journal's records say; the permitted transitions stand in tests/model/transitions.txt. */
#ifndef XMIG_RECORD_H
#define XMIG_RECORD_H

#include <stdbool.h>

#include "xmig/side.h"

enum record {
    RECORD_NONE = 0, /* no journal */
    RECORD_BEGIN,
    RECORD_NOTE, /* a fact to remember (something made, a peer's identity); changes no state */
    /* the sender's */
    RECORD_PAUSING, /* the guest may be paused for good from here on */
    RECORD_COMMIT,  /* last word: the receiver may own the guest */
    RECORD_ABORTED, /* last word: the guest stays here */
    RECORD_DONE,    /* the receiver runs it */
    RECORD_PROOF,   /* after COMMIT: the receiver's journal proved that it gave the guest back */
    /* the receiver's */
    RECORD_PREPARED,     /* everything is here and complete; nothing runs */
    RECORD_OWNED,        /* last word: the guest is ours */
    RECORD_REFUSED,      /* last word: it is not, and will not be */
    RECORD_RESUMING,     /* the next act can run a vCPU */
    RECORD_RUNNING,      /* it runs */
    RECORD_RELINQUISHED, /* after OWNED: it provably never ran here, and will not */
    RECORD_DESTROYED,    /* after REFUSED or RELINQUISHED: our copy is gone */
    RECORD_LOST,         /* after OWNED: our copy died; the guest runs nowhere */
    /* either */
    RECORD_WORD,   /* the operator said that the peer is dead */
    RECORD_CLOSED, /* nothing is left to do */
    RECORD_COUNT
};

const char *record_name(enum record record);
enum record record_from_name(const char *name); /* RECORD_NONE: no such */

/* May `next` follow `last` in this side's journal? NOTE may, always. */
bool record_permitted(enum side side, enum record last, enum record next);

#endif
