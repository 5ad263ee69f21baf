/* A simulated VM: its settings, run state, disks (each a number of writes), and JSON file. */
#include "machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

static bool parse_size(const char *text, uint64_t *size)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    const char *const units = "KMG";
    const char *unit = *end ? strchr(units, *end) : NULL;

    if (end == text || (*end && (!unit || end[1])))
        return false;
    if (unit)
        value <<= 10 * (unit - units + 1);
    *size = value;
    return value <= UINT64_C(1) << 40;
}

static bool parse_setting(struct machine *machine, const char *setting, struct error *err)
{
    uint64_t value;
    const char *equals = strchr(setting, '=');

    if (!strcmp(setting, "hang=drain") || !strcmp(setting, "hang=seal")) {
        snprintf(machine->hang, sizeof(machine->hang), "%s", equals + 1);
        return true;
    }
    if (!equals || !parse_size(equals + 1, &value))
        return error_set(err, ERROR_REFUSED, "'%s' is not SETTING=NUMBER", setting);
    if (!strncmp(setting, "disks=", 6) && value <= MACHINE_DISKS_MAX)
        machine->disk_count = value;
    else if (!strncmp(setting, "disk-size=", 10))
        machine->disk_size = value;
    else if (!strncmp(setting, "ram=", 4))
        machine->ram_size = value;
    else if (!strncmp(setting, "flush=", 6))
        machine->flush_ms = value;
    else
        return error_set(err, ERROR_REFUSED,
                         "a simulated VM has disks (at most %d), disk-size, ram, hang and flush, "
                         "not '%s'",
                         MACHINE_DISKS_MAX, setting);
    return true;
}

bool machine_parse(struct machine *machine, const char *vm, struct error *err)
{
    AUTO_FREE char *copy = must(strdup(vm));
    char *rest = copy;
    const char *name = strsep(&rest, ",");
    const char *setting;

    if (!*name || strlen(name) >= sizeof(machine->name))
        return error_set(err, ERROR_REFUSED, "'%s' is not a valid name for a VM", name);
    *machine = (struct machine){ .disk_count = 2, .disk_size = 4 << 20, .ram_size = 4 << 20 };
    snprintf(machine->name, sizeof(machine->name), "%s", name);
    snprintf(machine->disks, sizeof(machine->disks), "own");
    while ((setting = strsep(&rest, ",")))
        if (!parse_setting(machine, setting, err))
            return false;
    return true;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void machine_set_state(struct machine *machine, enum run_state state)
{
    if (machine->state == state)
        return;
    if (machine->state == RUN_RUNNING && machine->run_count > 0)
        machine->runs[machine->run_count - 1][1] = now_ns();
    if (state == RUN_RUNNING && machine->run_count < MACHINE_RUNS_MAX)
        machine->runs[machine->run_count++][0] = now_ns();
    machine->state = state;
}

void machine_work(struct machine *machine)
{
    if (machine->state == RUN_RUNNING)
        for (size_t i = 0; i < machine->disk_count; i++)
            machine->writes[i]++;
}

/* Add a time or a counter as text: cJSON's numbers are doubles, which would round it. */
static void add_number(cJSON *array, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

static uint64_t number_at(const cJSON *array, size_t i)
{
    const cJSON *item = cJSON_GetArrayItem(array, (int)i);

    return cJSON_IsString(item) ? strtoull(item->valuestring, NULL, 10) : 0;
}

static cJSON *to_json(const struct machine *machine)
{
    cJSON *json = must(cJSON_CreateObject());
    cJSON *writes = cJSON_AddArrayToObject(json, "writes");
    cJSON *runs = cJSON_AddArrayToObject(json, "runs");

    cJSON_AddStringToObject(json, "name", machine->name);
    cJSON_AddStringToObject(json, "state", run_state_name(machine->state));
    cJSON_AddBoolToObject(json, "complete", machine->complete);
    cJSON_AddBoolToObject(json, "fenced", machine->fenced);
    cJSON_AddStringToObject(json, "disks", machine->disks);
    for (size_t i = 0; i < machine->disk_count; i++)
        add_number(writes, machine->writes[i]);
    for (size_t i = 0; i < machine->run_count; i++)
        for (size_t edge = 0; edge < 2; edge++)
            add_number(runs, machine->runs[i][edge]);
    return json;
}

/* Write a new file and rename it, so that a reader always finds a complete one. */
bool machine_save(const struct machine *machine, struct error *err)
{
    AUTO_JSON cJSON *json = to_json(machine);
    AUTO_FREE char *text = json_print(json);
    AUTO_CLOSE int fd = -1;
    AUTO_FREE char *aside = formatted("%s.new", machine->path);

    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        rename(aside, machine->path) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot keep the simulated VM in '%s': %m",
                         machine->path);
    return true;
}

static enum run_state state_named(const char *name)
{
    for (int state = RUN_UNKNOWN; state <= RUN_RUNNING; state++)
        if (!strcmp(run_state_name((enum run_state)state), name))
            return (enum run_state)state;
    return RUN_UNKNOWN;
}

static size_t at_most(int count, size_t most)
{
    return (size_t)count < most ? (size_t)count : most;
}

static void from_json(struct machine *machine, const cJSON *json)
{
    const cJSON *writes = cJSON_GetObjectItemCaseSensitive(json, "writes");
    const cJSON *runs = cJSON_GetObjectItemCaseSensitive(json, "runs");

    snprintf(machine->name, sizeof(machine->name), "%s", json_string_or(json, "name", ""));
    snprintf(machine->disks, sizeof(machine->disks), "%s", json_string_or(json, "disks", ""));
    machine->state = state_named(json_string_or(json, "state", ""));
    machine->complete = json_true(json, "complete");
    machine->fenced = json_true(json, "fenced");
    machine->disk_count = at_most(cJSON_GetArraySize(writes), MACHINE_DISKS_MAX);
    for (size_t i = 0; i < machine->disk_count; i++)
        machine->writes[i] = number_at(writes, i);
    machine->run_count = at_most(cJSON_GetArraySize(runs) / 2, MACHINE_RUNS_MAX);
    for (size_t i = 0; i < machine->run_count; i++)
        for (size_t edge = 0; edge < 2; edge++)
            machine->runs[i][edge] = number_at(runs, 2 * i + edge);
}

bool machine_load(struct machine *machine)
{
    AUTO_CLOSE int fd = open(machine->path, O_RDONLY | O_CLOEXEC);
    AUTO_JSON cJSON *json = NULL;
    char text[4096];
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));

    if (len <= 0)
        return false;
    json = json_parse_object(text, (size_t)len, NULL);
    if (!json)
        return false;
    from_json(machine, json);
    return true;
}

bool machine_has_mark(const struct machine *machine, const char *name)
{
    const char *slash = strrchr(machine->path, '/');
    AUTO_FREE char *path =
        formatted("%.*s/../%s", (int)(slash - machine->path), machine->path, name);

    return access(path, F_OK) == 0;
}
