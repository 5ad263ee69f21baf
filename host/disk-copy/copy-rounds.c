/* When a round begins, and whether the rounds get anywhere. */
#include "host/disk-copy/copy-rounds.h"

#include "xmig/cleanup.h"

enum {
    ROUND_MS = 2000, /* from one round to the next at least: each slows the guest's writes down */
    READY_ROUND_MS = 5000 /* the same for a copy that follows the guest */
};

struct copy_rounds {
    struct loop *loop;
    struct block_copier *copier;
    struct writes writes;
    struct changed_blocks changed; /* what is being copied */
    uint64_t total;
    uint64_t round_ms; /* when the present round began: nothing written later is in it */
    uint64_t bytes;    /* the present round's, */
    uint64_t took_ms;  /* and for how long they were written; 0: the first, which has everything */
    bool ready;
};

/* ---- a round ---- */

static void copy_changed(struct copy_rounds *rounds, bool skip_zeroes)
{
    rounds->bytes = changed_blocks_bytes(&rounds->changed);
    rounds->total = block_copier_done(rounds->copier) + rounds->bytes;
    block_copier_copy(rounds->copier, &rounds->changed, skip_zeroes);
}

static bool next_round(struct copy_rounds *rounds, struct error *err)
{
    uint64_t now_ms = loop_now_ms();

    changed_blocks_clear(&rounds->changed);
    if (!rounds->writes.since_last(rounds->writes.arg, &rounds->changed, err))
        return false;
    rounds->took_ms = now_ms > rounds->round_ms ? now_ms - rounds->round_ms : 1;
    rounds->round_ms = now_ms;
    copy_changed(rounds, false);
    return true;
}

/* A round that takes half as long to copy as it was written leaves a smaller one. */
static bool follows(const struct copy_rounds *rounds)
{
    uint64_t done_ms = block_copier_done_ms(rounds->copier);

    if (rounds->took_ms == 0)
        return false;
    return rounds->bytes == 0 || done_ms < rounds->round_ms + rounds->took_ms / 2;
}

bool copy_rounds_go_on(struct copy_rounds *rounds, struct error *err)
{
    if (!block_copier_ok(rounds->copier, err))
        return false;
    if (!block_copier_is_idle(rounds->copier))
        return true;
    rounds->ready = rounds->ready || follows(rounds);
    if (loop_now_ms() - rounds->round_ms < (rounds->ready ? READY_ROUND_MS : ROUND_MS))
        return true;
    return next_round(rounds, err);
}

/* ---- how far it is ---- */

bool copy_rounds_are_ready(const struct copy_rounds *rounds)
{
    return rounds->ready;
}

uint64_t copy_rounds_done(const struct copy_rounds *rounds)
{
    return block_copier_done(rounds->copier);
}

uint64_t copy_rounds_total(const struct copy_rounds *rounds)
{
    return rounds->total;
}

uint64_t copy_rounds_debt(const struct copy_rounds *rounds)
{
    uint64_t left = rounds->total - block_copier_done(rounds->copier);

    if (rounds->took_ms == 0)
        return left;
    return left + rounds->bytes * (loop_now_ms() - rounds->round_ms) / rounds->took_ms;
}

/* ---- its end ---- */

static bool await_idle(struct copy_rounds *rounds, uint64_t stall_ms, struct error *err)
{
    uint64_t before;

    do {
        struct error why = { 0 };

        before = block_copier_done(rounds->copier);
        if (loop_wait(rounds->loop, block_copier_is_idle, rounds->copier, stall_ms, &why))
            return block_copier_ok(rounds->copier, err);
        if (why.kind != ERROR_TIMEOUT || loop_interrupted(rounds->loop)) {
            *err = why;
            return false;
        }
    } while (block_copier_done(rounds->copier) != before);
    return error_set(err, ERROR_TIMEOUT, "nothing has been copied for %llu s",
                     (unsigned long long)stall_ms / 1000);
}

bool copy_rounds_begin_last(struct copy_rounds *rounds, uint64_t stall_ms, struct error *err)
{
    return await_idle(rounds, stall_ms, err) && next_round(rounds, err);
}

bool copy_rounds_finish(struct copy_rounds *rounds, uint64_t stall_ms, struct error *err)
{
    if (!await_idle(rounds, stall_ms, err))
        return false;
    block_copier_flush(rounds->copier);
    return await_idle(rounds, stall_ms, err);
}

/* ---- the public face ---- */

struct copy_rounds *copy_rounds_new(struct loop *loop, struct block_copier *copier,
                                    struct writes writes, uint64_t size, uint64_t block,
                                    bool skip_zeroes)
{
    struct copy_rounds *rounds = must(calloc(1, sizeof(*rounds)));

    rounds->loop = loop;
    rounds->copier = copier;
    rounds->writes = writes;
    changed_blocks_init(&rounds->changed, size, block);
    for (uint64_t i = 0; i < rounds->changed.count; i++)
        changed_blocks_mark(&rounds->changed, i);
    rounds->round_ms = loop_now_ms();
    copy_changed(rounds, skip_zeroes);
    return rounds;
}

void copy_rounds_free(struct copy_rounds *rounds)
{
    if (!rounds)
        return;
    block_copier_free(rounds->copier);
    changed_blocks_done(&rounds->changed);
    free(rounds);
}
