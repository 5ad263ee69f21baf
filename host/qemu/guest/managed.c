/* Whose the VM is here, besides the person's who moves it: a manager's, or a service's that starts
 * its command again.
 */
#include "host/qemu/managers.h"

#include <stdio.h>

#include "host/qemu/guest/guest.h"
#include "xmig/text.h"

/* ---- what ends a process, and starts it again ---- */

struct supervisor {
    const char *process; /* its name */
    const char *program; /* what people call it */
    const char *cure;
};

static const struct supervisor *supervisor_of(const struct process_place *place)
{
    static const struct supervisor supervisors[] = {
        { "supervisord", "supervisord", "its program has autorestart=false" },
        { "runsv", "runit", "'sv once SERVICE' was said" },
        { "s6-supervise", "s6", "'s6-svc -O SERVICE' was said" },
        { "supervise", "daemontools", "'svc -o SERVICE' was said" },
    };

    for (size_t i = 0; i < place->ancestor_count; i++) {
        if (service_is_login(&place->ancestors[i]))
            return NULL;
        for (size_t j = 0; j < sizeof(supervisors) / sizeof(*supervisors); j++)
            if (!strcmp(place->ancestors[i].name, supervisors[j].process))
                return &supervisors[j];
    }
    return NULL;
}

static const char *file_of(const struct service *service)
{
    return service->file && *service->file ? service->file : "which has no file";
}

/* Else the service's main process, a script perhaps, has started QEMU, and others as well. */
static bool is_main(const struct qemu_guest *vm)
{
    return vm->service.main_pid == 0 || vm->service.main_pid == vm->process.pid;
}

/* The caller frees it. */
static char *say_service(const struct qemu_guest *vm)
{
    const struct service *service = &vm->service;

    return is_main(vm) ? formatted("the VM is the unit %s (%s)", service->name, file_of(service))
                       : formatted("the VM is run by the main process (%d) of the unit %s (%s)",
                                   (int)service->main_pid, service->name, file_of(service));
}

/* ---- refusals ---- */

/* Say it, as a refusal or for the plan. */
static bool object(struct qemu_guest *vm, bool is_final, struct error *err, const char *what,
                   const char *cure)
{
    if (vm->base.context.options.unmanaged && !is_final) {
        cJSON_AddItemToArray(vm->managers, must(cJSON_CreateString(what)));
        return true;
    }
    return error_set(err, ERROR_REFUSED, "%s: %s", what, cure);
}

static bool check_manager(struct qemu_guest *vm, const struct managed *managed, struct error *err)
{
    const struct manager *manager = managed->manager;
    AUTO_FREE char *what = NULL;
    AUTO_FREE char *cure = NULL;

    what = formatted("%s manages this VM (%s). %s", manager->name, managed->signs,
                     manager->consequence);
    cure = formatted("use '%s%s%s'%s", manager->command, managed->id, manager->command_end,
                     manager->is_final ? ""
                                       : ", or say --unmanaged and settle it with the manager "
                                         "yourself");
    return object(vm, manager->is_final, err, what, cure);
}

static bool check_supervisor(struct qemu_guest *vm, const struct supervisor *supervisor,
                             struct error *err)
{
    AUTO_FREE char *what = NULL;
    AUTO_FREE char *cure = NULL;

    what = formatted("%s (%s) has started this VM, and would start it again as soon as it is ended "
                     "here: two copies, where nothing else keeps the old one off",
                     supervisor->program, supervisor->process);
    cure = formatted("say --unmanaged once %s", supervisor->cure);
    return object(vm, false, err, what, cure);
}

static bool check_service(struct qemu_guest *vm, struct error *err)
{
    const struct service *service = &vm->service;
    bool at_failure = service->restart && strcmp(service->restart, "always") != 0 &&
                      strcmp(service->restart, "on-success") != 0;
    AUTO_FREE char *who = NULL;
    AUTO_FREE char *what = NULL;
    AUTO_FREE char *cure = NULL;

    if (!service_restarts(service))
        return true;
    who = say_service(vm);
    what = formatted("%s with Restart=%s: %s start it again %s after it %s here, two copies where "
                     "nothing else keeps the old one off",
                     who, service->restart,
                     is_main(vm) ? "systemd would" : "that process, or systemd, may",
                     service->delay ? service->delay : "at once",
                     at_failure ? "fails or has to be killed" : "is ended");
    cure = formatted("set Restart=no in '%s edit --runtime %s' and try again, or say --unmanaged",
                     service->systemctl, service->name);
    return object(vm, false, err, what, cure);
}

static bool check_place(struct qemu_guest *vm, const struct process_place *place, struct error *err)
{
    struct managed managed;
    const struct supervisor *supervisor = supervisor_of(place);

    managers_recognise("", &vm->process, place, &managed);
    if (managed.manager)
        return check_manager(vm, &managed, err);
    if (supervisor)
        return error_goes_on(err, check_supervisor(vm, supervisor, err));
    service_done(&vm->service);
    service_of_process(vm->base.context.loop, place, vm->process.pid, &vm->service);
    return error_goes_on(err, check_service(vm, err));
}

bool qemu_managed_check(struct qemu_guest *vm, struct error *err)
{
    struct process_place place;
    bool ok;

    cJSON_Delete(vm->managers);
    vm->managers = must(cJSON_CreateArray());
    process_place_read("", vm->process.pid, &place);
    ok = check_place(vm, &place, err);
    process_place_done(&place);
    return ok;
}

/* ---- for people ---- */

static char *say_disable(const struct service *service)
{
    return formatted("'%s disable %s'", service->systemctl, service->name);
}

void qemu_managed_remember(const struct qemu_guest *vm, cJSON *facts)
{
    AUTO_FREE char *disable = vm->service.name ? say_disable(&vm->service) : NULL;

    if (disable)
        cJSON_AddStringToObject(facts, "disable", disable);
    if (vm->service.enabled)
        cJSON_AddStringToObject(facts, "enabled", vm->service.name);
}

void qemu_managed_plan(const struct qemu_guest *vm, struct plan *plan)
{
    const struct service *service = &vm->service;
    AUTO_FREE char *who = NULL;
    const cJSON *note;

    cJSON_ArrayForEach (note, vm->managers)
        plan_say(plan, "%s", note->valuestring);
    if (!service->name)
        return;
    who = say_service(vm);
    if (!service->restart)
        plan_say(plan,
                 "the VM is in the unit %s, of which systemd could not be asked (%s): see to it "
                 "that nothing starts the VM again here",
                 service->name, service->why);
    else
        plan_say(plan,
                 "%s%s, Restart=%s%s; afterwards say '%s disable %s' here, "
                 "and 'xmig unit' at the target prints a new one",
                 who, is_main(vm) ? "" : ", which may start it again", service->restart,
                 service->enabled ? ", which a boot starts" : "", service->systemctl,
                 service->name);
}

void qemu_managed_tell(const struct qemu_guest *vm)
{
    const char *enabled = json_string_or(vm->facts, "enabled", NULL);

    if (enabled)
        event_say(&vm->base.context.events, EVENT_WARNING, NULL,
                  "the unit %s is still enabled here, and would try to start the old copy at the "
                  "next boot: say %s; 'xmig unit' at the target prints one for there",
                  enabled, json_string_or(vm->facts, "disable", ""));
}
