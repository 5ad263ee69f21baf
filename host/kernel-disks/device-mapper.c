/* One task of libdevmapper a call. */
#include "host/kernel-disks/device-mapper.h"

#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "host/kernel-disks/tables.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static char last_line[256]; /* of what the library has said since the last task was made */

__attribute__((format(printf, 5, 6))) static void note_line(int level, const char *file, int line,
                                                            int number, const char *format, ...)
{
    va_list args;

    (void)file, (void)line, (void)number;
    if ((level & 7) > 4) /* errors and warnings are below */
        return;
    va_start(args, format);
    vsnprintf(last_line, sizeof(last_line), format, args);
    va_end(args);
}

static void destroy_task(struct dm_task **task)
{
    if (*task)
        dm_task_destroy(*task);
}

#define AUTO_TASK __attribute__((cleanup(destroy_task)))

static struct dm_task *new_task(int type, const char *name)
{
    struct dm_task *task;

    dm_log_with_errno_init(note_line);
    *last_line = '\0';
    task = must(dm_task_create(type));
    if (name && !dm_task_set_name(task, name))
        abort(); /* of memory */
    return task;
}

static bool failed(struct dm_task *task, const char *what, const char *name, struct error *err)
{
    int cause = dm_task_get_errno(task);

    if (!cause && *last_line)
        return error_set(err, ERROR_SYSTEM, "cannot %s '%s': %s", what, name, last_line);
    errno = cause;
    return error_set(err, ERROR_SYSTEM, "cannot %s '%s': %m", what, name);
}

static bool run_task(struct dm_task *task, const char *what, const char *name, struct error *err)
{
    return dm_task_run(task) || failed(task, what, name, err);
}

/* A signal would end the kernel's wait for I/O: an exchange of tables would fail half-way, and drop
 * the table that was loaded for it.
 */
static bool run_without_signals(struct dm_task *task, const char *what, const char *name,
                                struct error *err)
{
    sigset_t all, before;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = run_task(task, what, name, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

/* ---- what there is ---- */

/* By these first words, which are cryptsetup's, LVM and udev leave the device alone: a guest's disk
 * may be a physical volume, whose group is none of this host's.
 */
static char *uuid_of(const char *name)
{
    return formatted("CRYPT-TEMP-XMIG-%s", name);
}

static bool is_made_here(struct dm_task *task)
{
    AUTO_FREE char *uuid = uuid_of(dm_task_get_name(task));

    return !strcmp(dm_task_get_uuid(task), uuid);
}

static bool look(struct dm_task *task, const char *what, struct mapped_device *device,
                 struct error *err)
{
    struct dm_info info;

    device->is_absent = false; /* `what` may be its name */
    if (!run_task(task, "look at", what, err))
        return false;
    if (!dm_task_get_info(task, &info))
        return failed(task, "look at", what, err);
    device->is_absent = !info.exists;
    if (device->is_absent)
        return error_set(err, ERROR_SYSTEM, "the device mapper has no '%s'", what);
    *device = (struct mapped_device){
        .number = makedev(info.major, info.minor),
        .is_lvm = !strncmp(dm_task_get_uuid(task), "LVM-", 4),
        .is_made_here = is_made_here(task),
        .is_read_only = info.read_only,
        .suspended = info.suspended,
        .has_loaded = info.inactive_table,
    };
    snprintf(device->name, sizeof(device->name), "%s", dm_task_get_name(task));
    return true;
}

bool mapper_find(dev_t number, struct mapped_device *device, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_INFO, NULL);
    char what[32];

    snprintf(what, sizeof(what), "%u:%u", major(number), minor(number));
    dm_task_set_major(task, (int)major(number));
    dm_task_set_minor(task, (int)minor(number));
    return look(task, what, device, err);
}

bool mapper_look(const char *name, struct mapped_device *device, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_INFO, name);

    return look(task, name, device, err);
}

bool mapper_each(void (*seen)(void *arg, const char *name), void *arg, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_LIST, NULL);
    const struct dm_names *names;

    if (!run_task(task, "list", "the device mapper's devices", err))
        return false;
    names = dm_task_get_names(task);
    for (uint32_t next = 0; names->dev != 0; names = (const void *)((const char *)names + next)) {
        seen(arg, names->name);
        next = names->next;
        if (next == 0) /* it is the last */
            return true;
    }
    return true;
}

static char *lines_of(struct dm_task *task)
{
    void *next = NULL;
    char *text = must(strdup(""));

    do {
        AUTO_FREE char *before = text;
        uint64_t first, sectors;
        char *type = NULL, *words = NULL;

        next = dm_get_next_target(task, next, &first, &sectors, &type, &words);
        text = type ? formatted("%s%" PRIu64 " %" PRIu64 " %s %s\n", before, first, sectors, type,
                                words)
                    : must(strdup(before));
    } while (next);
    return text;
}

char *mapper_table(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_TABLE, name);

    dm_task_secure_data(task);
    return run_task(task, "read the table of", name, err) ? lines_of(task) : NULL;
}

char *mapper_state(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_STATUS, name);

    dm_task_no_flush(task);
    return run_task(task, "ask for the state of", name, err) ? lines_of(task) : NULL;
}

/* ---- what is changed ---- */

static bool add_lines(struct dm_task *task, const char *table, const char *name, struct error *err)
{
    while (*table) {
        size_t length = strcspn(table, "\n");
        AUTO_FREE char *line = must(strndup(table, length));
        uint64_t first, sectors;
        char type[32];
        int words = 0;

        if (sscanf(line, "%" SCNu64 " %" SCNu64 " %31s %n", &first, &sectors, type, &words) != 3 ||
            !dm_task_add_target(task, first, sectors, type, line + words))
            return error_set(err, ERROR_SYSTEM, "a table for '%s' cannot be understood", name);
        table += length + (table[length] == '\n');
    }
    dm_task_secure_data(task);
    return true;
}

/* Run the task and wait until udev has seen to its device, which is nobody else's business: without
 * these flags udev would look for file systems and volume groups in a guest's disk.
 */
static bool run_with_udev(struct dm_task *task, const char *what, const char *name,
                          struct error *err)
{
    uint32_t cookie = 0;
    bool ok;

    if (!dm_task_set_cookie(task, &cookie,
                            DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
                                DM_UDEV_DISABLE_OTHER_RULES_FLAG))
        return failed(task, what, name, err);
    ok = run_task(task, what, name, err);
    dm_udev_wait(cookie);
    return ok;
}

bool mapper_create(const char *name, const char *table, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_CREATE, name);
    AUTO_FREE char *uuid = uuid_of(name);

    return dm_task_set_uuid(task, uuid) && add_lines(task, table, name, err) &&
           run_with_udev(task, "make the device", name, err);
}

bool mapper_remove(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_REMOVE, name);

    dm_task_retry_remove(task);
    if (run_with_udev(task, "remove the device", name, err))
        return true;
    return dm_task_get_errno(task) == ENXIO;
}

bool mapper_load(const char *name, const char *table, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_RELOAD, name);

    return add_lines(task, table, name, err) && run_task(task, "load a table for", name, err);
}

bool mapper_unload(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_CLEAR, name);

    return run_task(task, "drop the second table of", name, err);
}

/* No file system of this host is on a guest's disk, so there is none to be frozen. */
bool mapper_suspend(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_SUSPEND, name);

    dm_task_skip_lockfs(task);
    return run_without_signals(task, "suspend", name, err);
}

/* Without a cookie udev goes by what it knows of the device already. */
bool mapper_resume(const char *name, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_RESUME, name);

    dm_task_skip_lockfs(task);
    return run_without_signals(task, "resume", name, err);
}

bool mapper_message(const char *name, const char *text, struct error *err)
{
    AUTO_TASK struct dm_task *task = new_task(DM_DEVICE_TARGET_MSG, name);
    AUTO_FREE char *what = formatted("send '%s' to", text);

    return dm_task_set_sector(task, 0) && dm_task_set_message(task, text) &&
           run_task(task, what, name, err);
}

/* In the names of logical volumes "-" stands between the parts, and "--" for "-". */
char *mapper_volume_group(const char *name)
{
    char *group = must(strdup(name)), *to = group;

    for (const char *at = name; *at; at++) {
        if (at[0] == '-' && at[1] != '-') {
            *to = '\0';
            return group;
        }
        at += *at == '-';
        *to++ = *at;
    }
    free(group);
    return NULL;
}
