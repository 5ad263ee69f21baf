/* The table of programs that manage VMs of QEMU's. To add one, add a row. */
#include "host/qemu/managers.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>

#include "host/qemu/argv/argv.h"
#include "xmig/text.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct manager managers[] = {
    {
        .name = "libvirt",
        .is_final = true,
        .consequence = "libvirt would take the VM's end here for a crash, could start the VM again "
                       "from its old configuration, and does not know it at the target",
        .command = "virsh migrate --live --persistent --undefinesource --copy-storage-all ",
        .command_end = " qemu+ssh://HOST/system",
        .groups = LIST("*/machine-qemu*", "*.libvirt-qemu*", "*/libvirtd.service*",
                       "*/virtqemud.service*"),
        .words = LIST("*libvirt/qemu/*domain-*", "*libvirt/qemu/channel/*"),
        .parents = LIST("libvirtd", "virtqemud"),
        .pidfiles = LIST("/run/libvirt/qemu/", ".pid"),
        .files = LIST("/etc/libvirt/qemu/", ".xml", "/run/libvirt/qemu/", ".xml"),
    },
    {
        .name = "Proxmox",
        .consequence = "Proxmox would show the VM as stopped here, could start it again (at boot, "
                       "or by HA), and does not know it at the target",
        .command = "qm migrate ",
        .command_end = " NODE --online --with-local-disks",
        .groups = LIST("*/qemu.slice/*.scope*"),
        .words = LIST("*/run/qemu-server/*", "/etc/pve/*", "*=/etc/pve/*"),
        .parents = LIST("pvedaemon*", "pvestatd"),
        .pidfiles = LIST("/var/run/qemu-server/", ".pid"),
        .files = LIST("/etc/pve/qemu-server/", ".conf"),
        .has_numbers = true,
    },
    {
        .name = "Incus",
        .consequence = "Incus would show the VM as stopped here, could start it again, and does "
                       "not know it at the target",
        .command = "incus move ",
        .command_end = " REMOTE: (with migration.stateful=true)",
        .groups = LIST("*/incus.service*", "*/incusd.service*"),
        .words = LIST("*/var/lib/incus/*", "*/run/incus/*", "*/var/log/incus/*", "*product=Incus*"),
        .parents = LIST("incusd"),
        .pidfiles = LIST("/run/incus/", "/qemu.pid"),
        .files = LIST("/var/lib/incus/virtual-machines/", ""),
    },
    {
        .name = "LXD",
        .consequence = "LXD would show the VM as stopped here, could start it again, and does not "
                       "know it at the target",
        .command = "lxc move ",
        .command_end = " REMOTE: (with migration.stateful=true)",
        .groups = LIST("*/snap.lxd.daemon.service*", "*/lxd.service*"),
        .words = LIST("*/var/lib/lxd/*", "*/var/snap/lxd/*", "*/run/lxd/*", "*/var/log/lxd/*",
                      "*product=LXD*"),
        .parents = LIST("lxd"),
        .pidfiles = LIST("/var/snap/lxd/common/lxd/logs/", "/qemu.pid"),
        .files = LIST("/var/lib/lxd/virtual-machines/", "",
                      "/var/snap/lxd/common/lxd/virtual-machines/", ""),
    },
    {
        .name = "Ganeti",
        .consequence = "ganeti-watcher would start the VM again here within minutes, and Ganeti "
                       "does not know it at the target",
        .command = "gnt-instance migrate ",
        .command_end = "",
        .groups = LIST("*/ganeti*.service*"),
        .words = LIST("*/run/ganeti/kvm-hypervisor/*"),
        .parents = LIST("ganeti-noded", "ganeti-kvmd"),
        .pidfiles = LIST("/var/run/ganeti/kvm-hypervisor/pid/", ""),
        .files = LIST("/var/run/ganeti/kvm-hypervisor/conf/", ".runtime"),
    },
};

enum {
    MANAGERS = sizeof(managers) / sizeof(*managers)
};

/* ---- what shows that a VM is a manager's ---- */

static bool matches(const char *const *patterns, const char *text)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, text, 0) == 0)
            return true;
    return false;
}

static bool has_word(const struct manager *manager, const cJSON *words)
{
    const cJSON *word;

    cJSON_ArrayForEach (word, words)
        if (matches(manager->words, word->valuestring))
            return true;
    return false;
}

static const char *parent_of(const struct manager *manager, const struct process_place *place)
{
    for (size_t i = 0; i < place->ancestor_count; i++)
        if (matches(manager->parents, place->ancestors[i].name))
            return place->ancestors[i].name;
    return NULL;
}

static const char *number_of(const cJSON *words)
{
    const cJSON *word;

    cJSON_ArrayForEach (word, words)
        if ((!strcmp(word->valuestring, "-id") || !strcmp(word->valuestring, "--id")) && word->next)
            return word->next->valuestring;
    return NULL;
}

static bool is_file_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A file that names the process; "" in `path`: none does. */
static void find_pidfile(const char *root, const struct manager *manager, const char *id, pid_t pid,
                         char *path, size_t size)
{
    AUTO_FREE char *file =
        formatted("%s%s%s%s", root, manager->pidfiles[0], id, manager->pidfiles[1]);
    FILE *opened = is_file_name(id) ? fopen(file, "re") : NULL;
    int named = 0;

    *path = '\0';
    if (!opened)
        return;
    if (fscanf(opened, "%d", &named) == 1 && named == (int)pid)
        snprintf(path, size, "%s", file + strlen(root));
    fclose(opened);
}

static void add_sign(struct managed *managed, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_sign(struct managed *managed, const char *format, ...)
{
    size_t used = strlen(managed->signs);
    AUTO_FREE char *sign = NULL;
    va_list args;

    va_start(args, format);
    sign = vformatted(format, args);
    va_end(args);
    snprintf(managed->signs + used, sizeof(managed->signs) - used, "%s%s", used ? ", " : "", sign);
}

static void look_for(const char *root, const struct manager *manager,
                     const struct qemu_process *process, const struct process_place *place,
                     struct managed *managed)
{
    const char *number = manager->has_numbers ? number_of(process->words) : NULL;
    const char *id = number ? number : process->name ? process->name : "";
    const char *parent = parent_of(manager, place);
    char pidfile[256];

    *managed = (struct managed){ .manager = manager };
    snprintf(managed->id, sizeof(managed->id), "%s", *id ? id : "NAME");
    find_pidfile(root, manager, id, process->pid, pidfile, sizeof(pidfile));
    if (matches(manager->groups, place->groups))
        add_sign(managed, "its control group is '%s'", place->unit ? place->unit : manager->name);
    if (has_word(manager, process->words))
        add_sign(managed, "its command line has paths of %s's", manager->name);
    if (parent)
        add_sign(managed, "%s has started it", parent);
    if (*pidfile)
        add_sign(managed, "'%s' names it", pidfile);
}

void managers_recognise(const char *root, const struct qemu_process *process,
                        const struct process_place *place, struct managed *managed)
{
    for (size_t i = 0; i < MANAGERS; i++) {
        look_for(root, &managers[i], process, place, managed);
        if (*managed->signs)
            return;
    }
    *managed = (struct managed){ 0 };
}

/* ---- what a manager knows ---- */

static bool says_name(const char *path, const char *name)
{
    char line[512];
    FILE *file = fopen(path, "re");
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\r\n")] = '\0';
        found =
            !strncmp(line, "name: ", strlen("name: ")) && !strcmp(line + strlen("name: "), name);
    }
    if (file)
        fclose(file);
    return found;
}

/* Where VMs have numbers, each file is asked for its VM's name. */
static char *find_numbered(const char *root, const struct manager *manager, const char *name)
{
    AUTO_FREE char *pattern = formatted("%s%s*%s", root, manager->files[0], manager->files[1]);
    char *found = NULL;
    glob_t all;

    if (glob(pattern, 0, NULL, &all) != 0)
        return NULL;
    for (size_t i = 0; i < all.gl_pathc && !found; i++)
        if (says_name(all.gl_pathv[i], name))
            found = must(strdup(all.gl_pathv[i]));
    globfree(&all);
    return found;
}

static char *find_file(const char *root, const struct manager *manager, const char *name)
{
    if (manager->has_numbers)
        return find_numbered(root, manager, name);
    for (const char *const *file = manager->files; *file; file += 2) {
        AUTO_FREE char *path = formatted("%s%s%s%s", root, file[0], name, file[1]);

        if (access(path, F_OK) == 0)
            return steal(path);
    }
    return NULL;
}

const struct manager *managers_know(const char *root, const char *name, char *path, size_t size)
{
    for (size_t i = 0; is_file_name(name) && i < MANAGERS; i++) {
        AUTO_FREE char *found = find_file(root, &managers[i], name);

        if (!found)
            continue;
        snprintf(path, size, "%s", found + strlen(root));
        return &managers[i];
    }
    return NULL;
}
