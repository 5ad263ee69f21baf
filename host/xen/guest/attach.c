/* Finding the domain to be moved, and refusing early what cannot be. */
#include "host/xen/xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include <xen/hvm/params.h>

#include "xmig/paths.h"
#include "host/xen/guest/refuse.h"
#include "xmig/process.h"

/* The command line of process `pid`, without the program: NUL-terminated words in a file. */
static cJSON *read_words(pid_t pid, struct error *err)
{
    AUTO_FREE char *path = xen_text("/proc/%d/cmdline", (int)pid);
    AUTO_FREE char *word = NULL;
    AUTO_JSON cJSON *words = must(cJSON_CreateArray());
    size_t size = 0;
    FILE *file = fopen(path, "re");

    if (!file) {
        error_set(err, ERROR_REFUSED, "its device model (process %d) does not run: %m", (int)pid);
        return NULL;
    }
    while (getdelim(&word, &size, '\0', file) > 0)
        cJSON_AddItemToArray(words, must(cJSON_CreateString(word)));
    fclose(file);
    cJSON_DeleteItemFromArray(words, 0);
    return steal(words);
}

static bool read_device_model(struct xen *vm, struct error *err)
{
    struct xen_source *source = &vm->source;
    AUTO_FREE char *link = NULL;

    source->pid =
        (pid_t)store_number(vm->xs, 0, "/local/domain/%u/image/device-model-pid", vm->domid);
    if (source->pid <= 0)
        return error_set(err, ERROR_REFUSED, "it has no device model of its own");
    source->start_time = process_start_time(source->pid);
    source->words = read_words(source->pid, err);
    if (!source->words)
        return false;
    link = xen_text("/proc/%d/exe", (int)source->pid);
    source->program = path_real("/", link);
    if (!xen_connect(vm, QMP_CONNECT_MS, err))
        return error_prefix(err, "its device model");
    return true;
}

/* What cannot be moved need not have a configuration. */
static bool check_domain(struct xen *vm, const xc_domaininfo_t *info, struct error *err)
{
    AUTO_FREE char *type = store_read(vm->xs, "/libxl/%u/type", vm->domid);
    AUTO_FREE char *model = store_read(vm->xs, "/libxl/%u/dm-version", vm->domid);
    AUTO_FREE char *stub =
        store_read(vm->xs, "/local/domain/%u/image/device-model-domid", vm->domid);
    struct domain_facts facts = { .type = type,
                                  .model = model,
                                  .has_stub = stub != NULL,
                                  .info = info,
                                  .config = vm->source.config };

    if (info->flags & XEN_DOMINF_hvm_guest &&
        xc_hvm_param_get(vm->xc, vm->domid, HVM_PARAM_ACPI_S_STATE, &facts.sleep_state) < 0)
        return xen_fail(vm, err, "cannot ask whether it sleeps");
    return refuse_domain(&facts, err);
}

static bool read_domain(struct xen *vm, struct error *err)
{
    struct error why = { 0 };
    xc_domaininfo_t info;

    if (!domain_info(vm->xc, vm->domid, &info))
        return error_set(err, ERROR_REFUSED, "it is gone");
    domain_uuid(&info, vm->uuid);
    vm->source.name = store_read(vm->xs, "/local/domain/%u/name", vm->domid);
    if (!vm->source.name)
        return error_set(err, ERROR_REFUSED, "it has no name in xenstore");
    vm->source.config = config_read(vm->domid, vm->uuid, &why);
    if (!check_domain(vm, &info, err))
        return false;
    if (!vm->source.config)
        *err = why;
    return vm->source.config != NULL;
}

/* The file goes with libxl's others of the domain. */
static bool take_lock(struct xen *vm, struct error *err)
{
    AUTO_FREE char *path = xen_text("/var/lib/xen/userdata-l.%u.%s.xmig-lock", vm->domid, vm->uuid);

    vm->source.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (vm->source.lock < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", path);
    if (flock(vm->source.lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    cleanup_close(&vm->source.lock);
    vm->source.lock = 0;
    return error_set(err, ERROR_REFUSED,
                     "another xmig is at work on it: see 'xmig list' and 'xmig recover'");
}

void xen_source_unlock(struct xen *vm)
{
    AUTO_FREE char *path = xen_text("/var/lib/xen/userdata-l.%u.%s.xmig-lock", vm->domid, vm->uuid);

    if (vm->source.lock <= 0)
        return;
    unlink(path);
    cleanup_close(&vm->source.lock);
}

bool xen_attach(struct host *host, const char *name, struct error *err)
{
    struct xen *vm = xen_of(host);
    uint32_t domid;

    if (!xen_open(vm, err))
        return false;
    if (!domain_find(vm->xc, vm->xs, name, &domid))
        return error_set(err, ERROR_REFUSED, "Xen has no domain called '%s'", name);
    vm->domid = domid;
    if (!read_domain(vm, err) || !take_lock(vm, err) || !read_device_model(vm, err) ||
        !qmp_refuse_block_jobs(vm->q, err))
        return error_prefix(err, "the domain '%s' cannot be moved", name);
    snprintf(host->called, sizeof(host->called), "%s", vm->source.name);
    qmp_guard(vm->q, true);
    return true;
}
