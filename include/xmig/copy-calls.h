/* What may be asked of a copy; copy.h's table says what each does. host/copy.c */
#ifndef XMIG_COPY_CALLS_H
#define XMIG_COPY_CALLS_H

#include "xmig/copy.h"

/* NULL is fine. */
void copy_free(struct copy *copy);

/* Before the rest: */
bool copy_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                struct error *err);

/* Once: */
bool copy_check(struct copy *copy, const cJSON *params, struct error *err);
bool copy_reattach(struct copy *copy, const cJSON *records, struct error *err);

/* Only of a copy that is known: */
void copy_plan(struct copy *copy, struct plan *plan);
bool copy_create(struct copy *copy, struct error *err);
bool copy_start(struct copy *copy, struct error *err);
int copy_open_lane(struct copy *copy, const char *name, struct error *err);
bool copy_flush_disks(struct copy *copy, struct error *err);
bool copy_ram_listen(struct copy *copy, struct error *err);
bool copy_ram_recv(struct copy *copy, struct error *err);
bool copy_seal(struct copy *copy, struct error *err);
void copy_remember_sealed(struct copy *copy, cJSON *facts);
bool copy_never_ran(struct copy *copy, struct error *err);
bool copy_disks_have_names(struct copy *copy, struct error *err);
bool copy_before_resume(struct copy *copy, struct error *err);
bool copy_resume(struct copy *copy, struct error *err);
void copy_after_resume(struct copy *copy);
enum run_state copy_state(struct copy *copy);
bool copy_runs_again(struct copy *copy, char *who, size_t size);
bool copy_destroy(struct copy *copy, struct error *err);
/* End the machine, and with `keep` keep its disks; else delete them. */
bool copy_give_up(struct copy *copy, bool keep, struct error *err);
bool copy_disks_discard(struct copy *copy, struct error *err);

#endif
