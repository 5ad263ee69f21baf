/* Two machines in one process: each has its state, its identity and a simulated
 * VM; the sender runs on the caller's thread, every `xmig recv` on one of its own. A crash
 * ends a life without undoing anything; recover begins another.
 */
#ifndef XMIG_TESTS_FAULT_WORLD_H
#define XMIG_TESTS_FAULT_WORLD_H

#include <pthread.h>

#include "host/simulated/machine.h"
#include "xmig/commit.h"
#include "xmig/facts.h"
#include "xmig/run.h"

enum {
    WORLD_LIVES_MAX = 64
};

/* With XMIG_TEST_RECORD=DIRECTORY every conversation is written there for tests/wire/read.py; with
 * XMIG_TEST_DIR=DIRECTORY the machines are there, and not in /dev/shm.
 */

struct life {
    struct world *world;
    pthread_t thread;
    int fd;
    struct tap *tap; /* writes down what is said, if asked to */
    struct result result;
};

struct world {
    char *dir;
    char *state_dir[2];
    char *runtime_dir[2];
    struct identity identity[2];
    struct migration_options options;
    char id[17]; /* the migration's */
    const char *hypervisor;
    const char *vm;
    _Atomic bool unreachable;      /* the network is down: dialling fails */
    bool unreachable_after_commit; /* … from the second connection on */
    bool way_dies;                 /* what the first connection opened leads nowhere afterwards */
    bool no_new_login;             /* dialling anew fails: only a person has the password */
    bool unattended;               /* the next recover is a guardian's attempt */
    bool called_off;               /* … its loop is interrupted, as by a person */
    bool wrong_token;              /* the next recover has another migration's */
    bool older_peer;               /* the other machine's xmig speaks the protocol before ours */
    bool blind_peer;               /* … ours, without the feature "look" */
    const char *damaged_lane;      /* loses its first bytes on the way */
    struct journal_hook hook[2];
    struct event_sink events;       /* of the next send or recover */
    struct event_sink events_there; /* of the receivers that begin from now on */
    struct shared {
        _Atomic unsigned comparisons; /* of the clocks */
        char heard[256];              /* the other side's history */
    } shared[2];
    char refusals[2048];                /* of the last send: what the checks refuse, as JSON */
    size_t dials;                       /* how often the other machine was dialled */
    size_t compressed_lanes;            /* how many of the lanes have such a name */
    struct life lives[WORLD_LIVES_MAX]; /* receivers, oldest first */
    size_t life_count;
};

/* A world with short times, before anything has happened. */
void world_init(struct world *world);

/* Wait for every receiver's end. */
void world_join(struct world *world);

/* The same for those that have ended already; are there no others? */
void world_join_dead(struct world *world);
bool world_all_joined(const struct world *world);

/* The receivers' first life's result: that of the process that received. */
const struct result *world_received(const struct world *world);

void world_done(struct world *world);

/* Guardians started since the last world_init() for this side; each is a process that ends at once.
 */
bool world_has_guardian(const struct world *world, enum side side);

/* `xmig send`. */
void world_send(struct world *world, struct result *result);

/* What --fault is from now on; "": none. */
void world_fault(struct world *world, const char *fault);

/* `xmig send` with this --fault, which nothing later suffers. */
enum outcome world_send_with(struct world *world, const char *fault, struct result *result);

/* `xmig recover ID` at one of the machines. */
void world_recover(struct world *world, enum side side, struct recover_options options,
                   struct result *result);

/* Move as far as PREPARED: then no process is left on either side. */
void world_lose_all_but_the_copy(struct world *world);

/* The machine as its file tells. state is RUN_GONE when there is none. */
void world_look(const struct world *world, enum side side, struct machine *machine);

enum run_state world_state(const struct world *world, enum side side);

/* The other hand at a side: what a mark of this name does is in host/simulated. */
void world_mark(const struct world *world, enum side side, const char *name, bool on);

/* The last note of this fact in a side's journal; the caller frees it; NULL: there is none. */
cJSON *world_fact(const struct world *world, enum side side, enum fact fact);

/* The last record of a side's journal; RECORD_NONE: there is none. */
enum record world_last_record(const struct world *world, enum side side);

/* Every record of a side's journal is a step that the model permits. */
void world_replay(const struct world *world, enum side side);

/* Damage: this side's journal is lost. */
void world_lose_journal(struct world *world, enum side side);

/* The machine is reset: its VM dies, and it has another boot id. */
void world_reset(struct world *world, enum side side);

#endif
