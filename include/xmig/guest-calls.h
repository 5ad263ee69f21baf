/* What may be asked of a guest; guest.h's table says what each does. host/guest.c */
#ifndef XMIG_GUEST_CALLS_H
#define XMIG_GUEST_CALLS_H

#include "xmig/guest.h"

/* NULL is fine. */
void guest_free(struct guest *guest);

/* Once: */
bool guest_attach(struct guest *guest, const char *vm, struct error *err);
bool guest_reattach(struct guest *guest, const cJSON *records, struct error *err);

/* Only of a guest that was found: */
bool guest_describe(struct guest *guest, cJSON *params, struct error *err);
void guest_plan(struct guest *guest, struct plan *plan);
bool guest_remember(struct guest *guest, cJSON *facts, struct error *err);
/* Do its mirrors, to the socket they are given? */
bool guest_speaks_nbd(const struct guest *guest);
bool guest_mirror_start(struct guest *guest, const char *disk, const char *path, struct error *err);
void guest_mirror_guard(struct guest *guest, const char *disk);
bool guest_mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                        struct error *err);
/* Waits the time out where the hypervisor tells of nothing. */
bool guest_mirror_wait(struct guest *guest, uint64_t timeout_ms, struct error *err);
void guest_mirror_stop(struct guest *guest, const char *disk);
bool guest_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                    struct error *err);
void guest_mark(struct guest *guest, cJSON *fact);
bool guest_is_unwritten(struct guest *guest, const cJSON *fact, struct error *err);
uint64_t guest_paused_at(struct guest *guest);
uint64_t guest_paused_for(struct guest *guest, bool with_ram);
enum run_state guest_state(struct guest *guest);
bool guest_unchanged(struct guest *guest, struct error *err);
bool guest_resume(struct guest *guest, struct error *err);
bool guest_fence(struct guest *guest, struct error *err);
bool guest_unfence(struct guest *guest, struct error *err);
bool guest_nobody_else(struct guest *guest, struct error *err);
bool guest_runs_again(struct guest *guest, char *who, size_t size);
bool guest_destroy(struct guest *guest, struct error *err);

#endif
