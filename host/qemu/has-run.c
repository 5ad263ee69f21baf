/* Has a paused QEMU run its guest? To who is connected it tells that as events; what happened
 * before is told by the time that its vCPUs have run.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/qemu/qemu.h"

enum {
    /* What a vCPU's thread needs to be woken and sent to sleep again, as queries do. */
    IDLE_NS = 5000000,
};

void qemu_watch(struct qemu *vm)
{
    vm->watched = true;
    vm->calm = qmp_run_events(vm->q);
}

bool qemu_is_watched(const struct qemu *vm)
{
    return vm->watched && vm->q && !qmp_lost(vm->q, NULL);
}

bool qemu_is_calm(const struct qemu *vm)
{
    return vm->calm == qmp_run_events(vm->q);
}

static bool read_ns(pid_t pid, uint64_t tid, uint64_t *ns)
{
    char path[64];
    FILE *file;
    bool ok;

    snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu64 "/schedstat", (int)pid, tid);
    file = fopen(path, "re");
    ok = file && fscanf(file, "%" SCNu64, ns) == 1;
    if (file)
        fclose(file);
    return ok;
}

/* As text: a double would not hold them. */
static void add_cpu(cJSON *cpus, pid_t pid, uint64_t tid)
{
    cJSON *cpu;
    char text[24];
    uint64_t ns;

    if (!read_ns(pid, tid, &ns))
        return;
    cpu = must(cJSON_CreateObject());
    json_add_uint(cpu, "tid", tid);
    snprintf(text, sizeof(text), "%" PRIu64, ns);
    cJSON_AddStringToObject(cpu, "ran_ns", text);
    cJSON_AddItemToArray(cpus, cpu);
}

void qemu_add_cpus(struct qemu *vm, cJSON *facts)
{
    AUTO_JSON cJSON *answer = NULL;
    const cJSON *cpu;
    cJSON *cpus;

    if (!qmp_call(vm->q, "query-cpus-fast", NULL, &answer, NULL))
        return;
    cpus = cJSON_AddArrayToObject(facts, "cpus");
    cJSON_ArrayForEach (cpu, answer)
        add_cpu(cpus, vm->pid, json_uint_or(cpu, "thread-id", 0));
}

/* Sound for a QEMU that lives: a vCPU that has run a guest has used its thread's time. */
bool qemu_cpus_are_as(const struct qemu *vm, const cJSON *facts, struct error *err)
{
    const cJSON *cpus = cJSON_GetObjectItemCaseSensitive(facts, "cpus");
    const cJSON *cpu;
    uint64_t now;

    if (cJSON_GetArraySize(cpus) == 0)
        return error_set(err, ERROR_SYSTEM, "how long its vCPUs had run was not noted");
    cJSON_ArrayForEach (cpu, cpus) {
        uint64_t then = strtoull(json_string_or(cpu, "ran_ns", "0"), NULL, 10);

        if (!read_ns(vm->pid, json_uint_or(cpu, "tid", 0), &now) || now > then + IDLE_NS)
            return error_set(err, ERROR_REFUSED, "its vCPUs have run since");
    }
    return true;
}
