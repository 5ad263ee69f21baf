/* The members of the parameters: their names, types and bounds. */
#include "host/xen/params.h"

#include "core/field-rows.h"

enum {
    UUID_LENGTH = 36,
    VERSION_MAX = 0xffff,
    VCPUS_MAX = 1024,
    UMASK_USUAL = 022,
    UMASK_MAX = 0777,
    ID_MAX = 0x7fff, /* of domains */
    WEIGHT_MAX = 0xffff,
    HVM_SWITCH_MAX = 0xff
};

#define PAGES_MAX (UINT64_C(1) << 40)

/* They become parts of paths in xenstore, and of files. */
static bool is_part(const char *text)
{
    return *text && !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_uuid(const char *text)
{
    return strlen(text) == UUID_LENGTH && strspn(text, "0123456789abcdefABCDEF-") == UUID_LENGTH;
}

static bool is_hex(const char *text)
{
    return !text[strspn(text, "0123456789abcdef")];
}

#define FIELDS_OF struct xen_device
const struct field xen_device_fields[] = {
    TEXT(kind, .is_valid = is_part),
    TEXT(id, .is_valid = is_part),
    TEXT(backend, .is_valid = is_part),
    MAP(backend_keys),
    MAP(frontend_keys),
    FLAG(is_connected),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct xen_medium
const struct field xen_medium_fields[] = {
    TEXT(name), TEXT(id), TEXT(drive), TEXT(source), TEXT(image), { 0 },
};

/* A scheduler may have no shares, or not tell of them. */
#undef FIELDS_OF
#define FIELDS_OF struct xen_schedule
static const struct field schedule_fields[] = {
    NUMBER(scheduler, OPTIONAL, .otherwise = XEN_SCHEDULER_UNKNOWN),
    NUMBER(weight, OPTIONAL, .max = WEIGHT_MAX),
    NUMBER(cap, OPTIONAL, .max = WEIGHT_MAX),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct xen_cpu_policy
static const struct field cpu_policy_fields[] = {
    TEXT(leaves, .is_valid = is_hex),
    TEXT(msrs, .is_valid = is_hex),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct xen_domain
static const struct field domain_fields[] = {
    TEXT(machine),
    TEXT(program),
    FLAG(program_chosen),
    NUMBER(umask, OPTIONAL, .otherwise = UMASK_USUAL, .max = UMASK_MAX),
    NUMBER(qemu_major, .max = VERSION_MAX),
    NUMBER(qemu_minor, .max = VERSION_MAX),
    NUMBER(program_size, OPTIONAL),
    NUMBER(program_time, OPTIONAL),
    TEXTS(words),
    TEXTS(needs),
    EACH(hashes, needed_file_fields),
    MAP(renamed),
    NUMBER(domid, .max = ID_MAX),
    TEXT(uuid, .is_valid = is_uuid),
    TEXT(boot),
    TEXT(source_name),
    TEXT(rtc_timeoffset),
    MAP(control),
    MAP(platform),
    MAP(hvmloader),
    OBJECT(config),
    EACH(devices, xen_device_fields),
    EACH(media, xen_medium_fields),
    NUMBER(memory_target),
    NUMBER(videoram),
    NUMBER(xen_major, .max = VERSION_MAX),
    NUMBER(xen_minor, .max = VERSION_MAX),
    NUMBER(vcpus, .max = VCPUS_MAX),
    NUMBER(pages, .max = PAGES_MAX),
    NUMBER(max_pages, .max = PAGES_MAX),
    NUMBER(paging_pool),
    NUMBER(emulation, .max = UINT32_MAX),
    NUMBER(tsc_mode, .max = UINT32_MAX),
    NUMBER(hpet, .max = HVM_SWITCH_MAX),
    NUMBER(vpt_align, .max = HVM_SWITCH_MAX),
    NUMBER(timer_mode, .max = HVM_SWITCH_MAX),
    NUMBER(altp2m, .max = HVM_SWITCH_MAX),
    FLAG(hap),
    PART(schedule, struct xen_schedule, schedule_fields),
    PART(cpu_policy, struct xen_cpu_policy, cpu_policy_fields),
    { 0 },
};

#undef FIELDS_OF
#define FIELDS_OF struct xen_params
const struct field xen_fields[] = {
    TEXT(name, .is_valid = is_part),
    NUMBER(memory),
    EACH(disks, disk_fields),
    PART(xen, struct xen_domain, domain_fields),
    { 0 },
};

bool media_find(const cJSON *media, const char *name, struct xen_medium *medium)
{
    const cJSON *item;

    fields_each (item, media, xen_medium_fields, medium)
        if (!strcmp(medium->name, name))
            return true;
    return false;
}

bool xen_params_read(const cJSON *json, struct xen_params *params, struct error *err)
{
    return fields_read(xen_fields, json, params, err);
}
