/* What the simulated guest and its copy have in common: a machine, and the lanes' ends. */
#ifndef XMIG_HOST_SIMULATED_SIMULATED_H
#define XMIG_HOST_SIMULATED_SIMULATED_H

#include "lane.h"
#include "machine.h"

struct simulated {
    const struct vm_context *context;
    struct machine machine;
    struct simulated_lane *disks[MACHINE_DISKS_MAX]; /* "disk/…" */
    struct simulated_lane *ram;                      /* "ram" */
};

struct guest *simulated_guest_new(void);
struct copy *simulated_copy_new(void);

/* The machine's file is that of `side`: "source" or "target". */
void simulated_place(struct simulated *sim, const char *side);
/* Find the machine's file again, which `records` name; that of one that is gone is gone, too. */
void simulated_find_again(struct simulated *sim, const cJSON *records);
/* Change the machine's state, and write its file. */
bool simulated_change(struct simulated *sim, enum run_state state, struct error *err);
void simulated_end_lanes(struct simulated *sim);
/* What never answers, if the machine is one that hangs at `where`: until somebody interrupts it. */
bool simulated_hang_at(struct simulated *sim, const char *where, struct error *err);
/* Has it run more than `runs` times, or does it run? Another process, or a test, may have had a
 * hand in it.
 */
bool simulated_has_run_since(struct simulated *sim, size_t runs);
/* The tests play the other hand: a file of this name in the directory of all migrations. */
bool simulated_has_mark(const struct simulated *sim, const char *name);
/* How often: a byte for each time, where there is such a mark. */
void simulated_count_at_mark(const struct simulated *sim, const char *name);

#endif
