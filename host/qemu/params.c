/* The members of the parameters: their names, types and bounds. */
#include "host/qemu/params.h"

#include "core/field-rows.h"

enum {
    VERSION_MAX = 1000,
    LOG_LEVEL_MAX = 100,
    QUEUE_MAX = 32768, /* of virtio's specification */
    UMASK_USUAL = 022,
    UMASK_MAX = 0777
};

/* UINT32_MAX would mean "nobody" to setreuid(2). */
#define ID_MAX (UINT32_MAX - 1)

static bool is_bridge(const char *name)
{
    return !*name || tap_is_name(name);
}

#undef FIELDS_OF
#define FIELDS_OF struct qemu_tap
const struct field qemu_tap_fields[] = {
    TEXT(tap, .is_valid = tap_is_name),
    TEXT(bridge, .is_valid = is_bridge),
    TEXT(script, OPTIONAL),
    TEXT(by_hand, OPTIONAL),
    PART(state, struct tap_state, tap_state_fields),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct qemu_drive
const struct field qemu_drive_fields[] = {
    TEXT(name),
    TEXT(device),
    TEXT(qdev),
    FLAG(medium),
    TEXT(source, OPTIONAL),
    TEXT(format, OPTIONAL),
    TEXT(node, OPTIONAL),
    OBJECT(limits, OPTIONAL),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct qemu_medium
const struct field qemu_medium_fields[] = {
    TEXT(name),   TEXT(device),           TEXT(qdev),
    TEXT(node),   TEXT(source),           TEXT(image),
    TEXT(format), NUMBER(size, OPTIONAL), CHARS(sha256, OPTIONAL),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct qemu_queue
const struct field qemu_queue_fields[] = {
    TEXT(device),
    TEXT(name),
    NUMBER(length, .max = QUEUE_MAX),
    NUMBER(by_line, .max = QUEUE_MAX),
    NUMBER(after_reset, .max = QUEUE_MAX),
    { 0 },
};

static bool is_path(const char *path)
{
    return *path == '/' && !strchr(path, ',');
}

/* What is one word of an option of swtpm's. */
static bool is_words(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-=,")] == '\0';
}

#undef FIELDS_OF
#define FIELDS_OF struct qemu_tpm
const struct field qemu_tpm_fields[] = {
    TEXT(program),
    FLAG(version_2),
    TEXT(folder, .is_valid = is_path),
    TEXT(socket, .is_valid = is_path),
    TEXT(log, OPTIONAL, .is_valid = is_path),
    TEXT(pidfile, OPTIONAL, .is_valid = is_path),
    TEXT(flags, OPTIONAL, .is_valid = is_words),
    TEXT(locality, OPTIONAL, .is_valid = is_words),
    TEXT(seccomp, OPTIONAL, .is_valid = is_words),
    NUMBER(log_level, OPTIONAL, .max = LOG_LEVEL_MAX),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct qemu_machine
static const struct field machine_fields[] = {
    TEXT(program),
    TEXT(machine),
    TEXT(accelerator),
    NUMBER(major, .max = VERSION_MAX),
    NUMBER(minor, .max = VERSION_MAX),
    NUMBER(uid, .max = ID_MAX),
    TEXT(user, OPTIONAL),
    NUMBER(umask, OPTIONAL, .otherwise = UMASK_USUAL, .max = UMASK_MAX),
    FLAG(drops_privileges),
    FLAG(unmanaged, OPTIONAL),
    FLAG(program_chosen, OPTIONAL),
    TEXTS(words),
    TEXTS(outputs),
    TEXTS(sockets),
    TEXTS(pidfiles),
    TEXTS(searched),
    TEXTS(audio),
    TEXTS(bridges),
    EACH(needs, needed_file_fields),
    EACH(ports, qemu_port_fields),
    MAP(slots),
    EACH(taps, qemu_tap_fields),
    EACH(drives, qemu_drive_fields),
    EACH(media, qemu_medium_fields),
    EACH(queues, qemu_queue_fields, OPTIONAL),
    TEXTS(uso, OPTIONAL),
    TEXTS(tunnels, OPTIONAL),
    OBJECT(throttles, OPTIONAL),
    EACH(tpms, qemu_tpm_fields, OPTIONAL),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct qemu_params
const struct field qemu_fields[] = {
    TEXT(name),
    NUMBER(memory),
    EACH(disks, disk_fields),
    PART(qemu, struct qemu_machine, machine_fields),
    { 0 },
};

bool qemu_params_read(const cJSON *json, struct qemu_params *params, struct error *err)
{
    return fields_read(qemu_fields, json, params, err);
}
