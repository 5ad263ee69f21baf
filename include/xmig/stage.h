/* A stage: one step of a migration, both its halves in one file.
 *
 * To add one: write stages/NAME.c, add a line to stages/catalog.c and one to
 * CMakeLists.txt. docs/writing-a-stage.md walks through it.
 */
#ifndef XMIG_STAGE_H
#define XMIG_STAGE_H

#include "xmig/move.h"
#include "xmig/plan.h"

/* One side's half. The fields' order is its life; NULL: nothing to do here.
 * The pipeline logs, times, checks and injects faults around every call.
 *
 * For every half whose run was entered exactly one of undo, finish and leave
 * follows. After PREPARED (recv) or COMMIT (send) only leave, until there is
 * a verdict.
 */
struct stage_half {
    /* Look, touch nothing; refuse. All halves' checks come before any run. */
    bool (*check)(struct migration *m, void *state, struct error *err);
    /* Say what run will do. */
    void (*plan)(struct migration *m, void *state, struct plan *out);
    /* Do it, sequentially. Both sides' halves run at once; neither goes on to the
     * next stage before both have succeeded.
     */
    bool (*run)(struct migration *m, void *state, struct error *err);
    /* Reverse a run, complete or not. False: something is left over. */
    bool (*undo)(struct migration *m, void *state, struct error *err);
    /* After success: drop leftovers. False: something is left over. */
    bool (*finish)(struct migration *m, void *state, struct error *err);
    /* The verdict is open: let go of everything, change nothing. */
    void (*leave)(struct migration *m, void *state);
};

struct stage {
    const char *name;         /* also the barrier's and the fault point's name */
    const char *summary;      /* one line, for `xmig stages` */
    const char *send_summary; /* what each side does; NULL: nothing */
    const char *recv_summary;
    const char *const *after;            /* these come earlier; a unit test checks the catalog */
    const struct message_rule *messages; /* its conversation; ends with a NULL type */
    bool optional;                       /* --without may leave it out */
    size_t state_size;                   /* zeroed, one per migration, owned by the pipeline */
    struct stage_half send, recv;
};

/* The stages in order, NULL-terminated; stages/catalog.c */
extern const struct stage *const stage_catalog[];

/* NULL: no such stage. */
const struct stage *stage_find(const char *name);

#endif
