/* A scene of the fault tests: two machines, what happens to them, and what people say then. */
#ifndef TESTS_FAULT_SCENE_H
#define TESTS_FAULT_SCENE_H

#include "tests/unit/helpers.h"
#include "world.h"

/* ---- `xmig recover`, as people use it ---- */

static const struct recover_options plain = { 0 };
static const struct recover_options on_my_word = { .peer_is_dead = true };
static const struct recover_options discarding = { .discard = true };
static const struct recover_options forward = { .forward = true };
static const struct recover_options back = { .back = true };

static inline enum outcome recover_at(struct world *world, enum side side,
                                      struct recover_options options)
{
    struct result result;

    world_recover(world, side, options, &result);
    return result.outcome;
}

/* ---- another hand ---- */

static inline void put(const struct world *world, enum side side, enum run_state state)
{
    struct machine machine;

    world_look(world, side, &machine);
    machine_set_state(&machine, state);
    assert_true(machine_save(&machine, NULL));
}

/* What happens to the guest, or to others at the source, when the source has written a record. */
struct moment {
    const struct world *world;
    enum record record;
    const char *marks[3];
};

static inline bool at_the_moment(void *arg, enum record record, bool written)
{
    const struct moment *moment = arg;

    if (written && record == moment->record)
        for (const char *const *mark = moment->marks; *mark; mark++)
            world_mark(moment->world, SIDE_SEND, *mark, true);
    return true;
}

/* ---- the beginning of a test ---- */

#define SCENE                                                                                      \
    struct world world;                                                                            \
    struct result result;                                                                          \
    (void)unused;                                                                                  \
    (void)result;                                                                                  \
    world_init(&world)

/* The marks come when the source has written RECORD. */
#define SCENE_AT(RECORD, ...)                                                                      \
    struct moment moment = { .record = RECORD, .marks = { __VA_ARGS__ } };                         \
    SCENE;                                                                                         \
    moment.world = &world;                                                                         \
    world.hook[SIDE_SEND] = (struct journal_hook)                                                  \
    {                                                                                              \
        at_the_moment, &moment                                                                     \
    }

#endif
