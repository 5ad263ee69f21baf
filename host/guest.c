/* What may be asked of a guest, whatever its hypervisor is: checks what must hold, and knows what
 * NULL in its table means.
 */
#include "xmig/hypervisor.h"
#include "xmig/guest-calls.h"

#include <assert.h>

void ram_hooks_paused(const struct ram_hooks *hooks)
{
    if (hooks->paused)
        hooks->paused(hooks->arg);
}

void guest_free(struct guest *guest)
{
    if (guest)
        guest->ops->free(guest);
}

bool guest_attach(struct guest *guest, const char *vm, struct error *err)
{
    assert(!guest->found);
    guest->found = guest->ops->attach(guest, vm, err);
    return guest->found;
}

bool guest_reattach(struct guest *guest, const cJSON *records, struct error *err)
{
    assert(!guest->found);
    guest->found = guest->ops->reattach(guest, records, err);
    return guest->found;
}

bool guest_describe(struct guest *guest, cJSON *params, struct error *err)
{
    assert(guest->found);
    return guest->ops->describe(guest, params, err);
}

void guest_plan(struct guest *guest, struct plan *plan)
{
    assert(guest->found);
    guest->ops->plan(guest, plan);
}

bool guest_remember(struct guest *guest, cJSON *facts, struct error *err)
{
    assert(guest->found);
    return guest->ops->remember(guest, facts, err);
}

static const struct mirror_ops *mirrors_of(const struct guest *guest)
{
    assert(guest->found && guest->ops->mirrors);
    return guest->ops->mirrors;
}

bool guest_speaks_nbd(const struct guest *guest)
{
    return guest->ops->mirrors && guest->ops->mirrors->speaks_nbd;
}

bool guest_mirror_start(struct guest *guest, const char *disk, const char *path, struct error *err)
{
    if (!guest->ops->mirrors)
        return error_set(err, ERROR_REFUSED, "%s cannot mirror the disks of its VMs",
                         guest->hypervisor->name);
    return mirrors_of(guest)->start(guest, disk, path, err);
}

void guest_mirror_guard(struct guest *guest, const char *disk)
{
    if (mirrors_of(guest)->guard)
        mirrors_of(guest)->guard(guest, disk);
}

bool guest_mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                        struct error *err)
{
    return mirrors_of(guest)->state(guest, disk, state, err);
}

bool guest_mirror_wait(struct guest *guest, uint64_t timeout_ms, struct error *err)
{
    const struct mirror_ops *mirrors = mirrors_of(guest);

    return mirrors->wait ? mirrors->wait(guest, timeout_ms, err)
                         : loop_pause(guest->context.loop, timeout_ms, err);
}

void guest_mirror_stop(struct guest *guest, const char *disk)
{
    mirrors_of(guest)->stop(guest, disk);
}

bool guest_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                    struct error *err)
{
    assert(guest->found);
    return guest->ops->ram_send(guest, path, hooks, err);
}

void guest_mark(struct guest *guest, cJSON *fact)
{
    assert(guest->found);
    guest->ops->mark(guest, fact);
}

bool guest_is_unwritten(struct guest *guest, const cJSON *fact, struct error *err)
{
    assert(guest->found);
    return guest->ops->is_unwritten(guest, fact, err);
}

uint64_t guest_paused_at(struct guest *guest)
{
    assert(guest->found);
    return guest->ops->paused_at(guest);
}

uint64_t guest_paused_for(struct guest *guest, bool with_ram)
{
    assert(guest->found);
    return guest->ops->paused_for(guest, with_ram);
}

enum run_state guest_state(struct guest *guest)
{
    assert(guest->found);
    return guest->ops->state(guest);
}

bool guest_unchanged(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->unchanged(guest, err);
}

bool guest_resume(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->resume(guest, err);
}

bool guest_fence(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->fence(guest, err);
}

bool guest_unfence(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->unfence(guest, err);
}

bool guest_nobody_else(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->nobody_else(guest, err);
}

bool guest_runs_again(struct guest *guest, char *who, size_t size)
{
    assert(guest->found);
    return guest->ops->runs_again(guest, who, size);
}

bool guest_destroy(struct guest *guest, struct error *err)
{
    assert(guest->found);
    return guest->ops->destroy(guest, err);
}
