/* Copies just what the target needs to make an empty machine like the source's,
 * and makes it there: disks of the right size, and (xen) a paused domain.
 *
 * The parameters are values only: no guest page exists at the target until
 * ram-stream. They travel while both sides check, so that the target can refuse
 * before anything is touched.
 */
#include "stages.h"

#include "xmig/cleanup.h"
#include "xmig/vm-params.h"

static const struct message_rule messages[] = { { "params", SIDE_SEND }, { NULL, SIDE_SEND } };

static bool send_params(struct migration *m, void *state, struct error *err)
{
    (void)state;
    m->params = must(cJSON_CreateObject());
    if (!guest_describe(m->guest, m->params, err))
        return false;
    return session_send(m->peer, "params", cJSON_Duplicate(m->params, true), err);
}

/* All that the sender asks for is judged at once, before anything is looked at here. */
static bool ask_policy(struct migration *m, struct error *err)
{
    struct needs needs = { 0 };
    int refused = error_aside(err);
    bool ok;

    if (!m->policy)
        return true;
    needs_add(&needs, NEED_LEASE, "", m->options->lease_ms, "%s", "--lease");
    if (m->options->fault.point[0]) {
        AUTO_FREE char *fault = fault_print(&m->options->fault);

        needs_add(&needs, NEED_FAULT, fault, 0, "%s", "--fault");
    }
    ok = copy_needs(m->copy, m->params, &needs, err) && policy_permits(m->policy, &needs, err) &&
         error_goes_on(err, policy_take_place(m->policy, m->runtime_dir, err));
    needs_done(&needs);
    return ok && error_none_since(err, refused);
}

/* The sender may read files of any size first: what ends the wait is that it falls silent. */
static bool check_params(struct migration *m, void *state, struct error *err)
{
    struct vm_params common;

    (void)state;
    m->params = session_expect(m->peer, "params", LOOP_NO_DEADLINE, err);
    if (!m->params)
        return false;
    if (!fields_read(vm_fields, m->params, &common, err))
        return error_prefix(err, "the sender's parameters");
    return ask_policy(m, err) && copy_check(m->copy, m->params, err);
}

static void plan_send(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    guest_plan(m->guest, out);
}

static void plan_recv(struct migration *m, void *state, struct plan *out)
{
    (void)state;
    copy_plan(m->copy, out);
}

static bool create_machine(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_create(m->copy, err);
}

/* Complete disks are kept, under a name that tells what they are: see R4. */
static bool remove_machine(struct migration *m, void *state, struct error *err)
{
    (void)state;
    return copy_give_up(m->copy, m->prepared, err);
}

const struct stage params_copy = {
    .name = "params-copy",
    .summary = "copy the VM's parameters and make an empty machine",
    .send_summary = "read the running VM's configuration, disks and features, and send them",
    .recv_summary = "check room, names and versions; create the disks and the paused machine",
    .after = (const char *const[]){ NULL },
    .messages = messages,
    .send = { .check = send_params, .plan = plan_send },
    .recv = { .check = check_params,
              .plan = plan_recv,
              .run = create_machine,
              .undo = remove_machine },
};
