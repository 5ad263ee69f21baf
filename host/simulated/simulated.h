/* Shared by the simulated guest and the simulated copy: a machine and its ends of the lanes. */
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

/* Set the path of the machine's file: one for "source", one for "target". */
void simulated_place(struct simulated *sim, const char *side);
/* Load the machine's file that `records` name. Without a file the machine is RUN_GONE. */
void simulated_find_again(struct simulated *sim, const cJSON *records);
/* Change the machine's state, and write its file. */
bool simulated_change(struct simulated *sim, enum run_state state, struct error *err);
void simulated_end_lanes(struct simulated *sim);
/* Play a hypervisor that never answers, if the setting "hang" is `where`: wait until interrupted.
 */
bool simulated_hang_at(struct simulated *sim, const char *where, struct error *err);
/* Read the file again, which a test may have changed: has the VM run since `runs` runs? */
bool simulated_has_run_since(struct simulated *sim, size_t runs);
/* machine_has_mark(), also for a machine that has no file yet. */
bool simulated_has_mark(const struct simulated *sim, const char *name);
/* Append a byte to the mark, if a test has made it: the test counts the calls. */
void simulated_count_at_mark(const struct simulated *sim, const char *name);

#endif
