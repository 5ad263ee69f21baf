/* A simulated VM: a struct, kept in a file beside the migration's journal, so that
 * it outlives the process that moves it, as a real VM does.
 */
#ifndef XMIG_HOST_SIMULATED_MACHINE_H
#define XMIG_HOST_SIMULATED_MACHINE_H

#include "xmig/vm.h"

enum {
    MACHINE_DISKS_MAX = 8,
    MACHINE_RUNS_MAX = 16
};

struct machine {
    char path[512]; /* its file */
    enum run_state state;
    char name[64];
    size_t disk_count;
    uint64_t disk_size;
    uint64_t ram_size;
    uint64_t writes[MACHINE_DISKS_MAX]; /* a disk's content: how many writes it has seen */
    bool complete;                      /* target: RAM, device state and disks are all here */
    bool fenced;                        /* source: handed over */
    char disks[16];                     /* "own", "made", "kept" or "discarded" */
    uint64_t flush_ms;                  /* how long the target needs to flush its disks */
    char hang[8];                       /* "drain" or "seal": the step that never ends; "" */
    /* Start and end of each run, CLOCK_MONOTONIC ns: runs of source and target must not overlap. */
    uint64_t runs[MACHINE_RUNS_MAX][2];
    size_t run_count;
};

/* "NAME[,disks=N][,disk-size=BYTES][,ram=BYTES][,hang=WHERE][,flush=MS]": K, M and
 * G are understood.
 */
bool machine_parse(struct machine *machine, const char *vm, struct error *err);

void machine_set_state(struct machine *machine, enum run_state state);

/* One write to every disk, if the guest runs. Called whenever a mirror or RAM is looked at. */
void machine_work(struct machine *machine);

bool machine_save(const struct machine *machine, struct error *err);

/* False when there is no such file: the machine is gone. */
bool machine_load(struct machine *machine);

/* Is there a file `name` beside the migrations' directories? Tests make it to ask for a fault. */
bool machine_has_mark(const struct machine *machine, const char *name);

#endif
