/* Two machines in one process: each has its state, its identity and a simulated
 * VM; the sender runs on the caller's thread, every `xmig recv` on one of its own. A crash
 * ends a life without undoing anything; recover begins another.
 */
#ifndef XMIG_TESTS_FAULT_WORLD_H
#define XMIG_TESTS_FAULT_WORLD_H

#include <pthread.h>

#include "host/simulated/machine.h"
#include "xmig/migration.h"

enum { WORLD_LIVES_MAX = 64 };

struct life {
    struct world *world;
    pthread_t thread;
    int fd;
    struct result result;
};

struct world {
    char dir[64];
    char state_dir[2][80];
    char runtime_dir[2][80];
    struct identity identity[2];
    struct migration_options options;
    struct migration sender; /* the last life's, kept for its id */
    char id[17];
    const char *vm;
    bool unreachable; /* the network is down: dialling fails */
    struct journal_hook hook[2];
    struct life lives[WORLD_LIVES_MAX]; /* receivers, oldest first */
    size_t life_count;
};

/* A world with short times, before anything has happened. */
void world_init(struct world *world);

/* Wait for every receiver's end. */
void world_join(struct world *world);

/* The receivers' first life's result: that of the process that received. */
const struct result *world_received(const struct world *world);

void world_done(struct world *world);

/* `xmig send`. */
void world_send(struct world *world, struct result *result);

/* `xmig recover ID` at one of the machines. */
void world_recover(struct world *world, enum side side, struct recover_options options,
                   struct result *result);

/* The machine as its file tells. state is RUN_GONE when there is none. */
void world_look(const struct world *world, enum side side, struct machine *machine);

/* The last record of a side's journal; RECORD_NONE: there is none. */
enum record world_last_record(const struct world *world, enum side side);

/* Damage: this side's journal is lost. */
void world_lose_journal(struct world *world, enum side side);

/* The machine is reset: its VM dies, and it has another boot id. */
void world_reset(struct world *world, enum side side);

#endif
