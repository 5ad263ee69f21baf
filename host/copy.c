/* What may be asked of a copy, whatever its hypervisor is: checks what must hold, and knows what
 * NULL in its table means.
 */
#include "xmig/copy-calls.h"

#include <assert.h>

#include "xmig/hypervisor.h"
#include "xmig/vm-params.h"

void copy_free(struct copy *copy)
{
    if (copy)
        copy->ops->free(copy);
}

bool copy_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                struct error *err)
{
    const char *hypervisor = copy->hypervisor->name;
    struct vm_params common;

    if (!fields_read(vm_fields, params, &common, err))
        return false;
    needs_add(needs, NEED_VM, common.name, 0, "%s", "");
    needs_add(needs, NEED_HYPERVISOR, hypervisor, copy->hypervisor->made_up, "%s", "");
    needs_add(needs, NEED_MEMORY, "", common.memory, "%s", "");
    if (copy->ops->needs)
        return copy->ops->needs(copy, params, needs, err);
    needs_add(needs, NEED_UNKNOWN, "what a VM needs", 0, "%s", hypervisor);
    return true;
}

bool copy_check(struct copy *copy, const cJSON *params, struct error *err)
{
    assert(!copy->known);
    copy->known = true; /* a copy that its check refuses is asked for its plan, too */
    return copy->ops->check(copy, params, err);
}

bool copy_reattach(struct copy *copy, const cJSON *records, struct error *err)
{
    assert(!copy->known);
    copy->known = copy->ops->reattach(copy, records, err);
    return copy->known;
}

void copy_plan(struct copy *copy, struct plan *plan)
{
    assert(copy->known);
    copy->ops->plan(copy, plan);
}

bool copy_create(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->create(copy, err);
}

bool copy_start(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return !copy->ops->start || copy->ops->start(copy, err);
}

int copy_open_lane(struct copy *copy, const char *name, struct error *err)
{
    if (!copy->known) { /* a peer may ask whenever it likes */
        error_set(err, ERROR_PROTOCOL, "there is no lane '%s' before the parameters", name);
        return -1;
    }
    return copy->ops->open_lane(copy, name, err);
}

bool copy_flush_disks(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return !copy->ops->flush_disks || copy->ops->flush_disks(copy, err);
}

bool copy_ram_listen(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return !copy->ops->ram_listen || copy->ops->ram_listen(copy, err);
}

bool copy_ram_recv(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->ram_recv(copy, err);
}

bool copy_seal(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->seal(copy, err);
}

void copy_remember_sealed(struct copy *copy, cJSON *facts)
{
    assert(copy->known);
    if (copy->ops->remember_sealed)
        copy->ops->remember_sealed(copy, facts);
}

bool copy_never_ran(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->never_ran(copy, err);
}

bool copy_disks_have_names(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->disks_have_names(copy, err);
}

bool copy_before_resume(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return !copy->ops->before_resume || copy->ops->before_resume(copy, err);
}

bool copy_resume(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->resume(copy, err);
}

void copy_after_resume(struct copy *copy)
{
    assert(copy->known);
    if (copy->ops->after_resume)
        copy->ops->after_resume(copy);
}

enum run_state copy_state(struct copy *copy)
{
    assert(copy->known);
    return copy->ops->state(copy);
}

bool copy_runs_again(struct copy *copy, char *who, size_t size)
{
    assert(copy->known);
    return copy->ops->runs_again(copy, who, size);
}

bool copy_destroy(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->destroy(copy, err);
}

bool copy_give_up(struct copy *copy, bool keep, struct error *err)
{
    return copy_destroy(copy, err) &&
           (keep ? copy->ops->disks_keep(copy, err) : copy_disks_discard(copy, err));
}

bool copy_disks_discard(struct copy *copy, struct error *err)
{
    assert(copy->known);
    return copy->ops->disks_discard(copy, err);
}
