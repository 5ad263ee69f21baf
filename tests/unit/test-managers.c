/* Which manager a VM is recognised to belong to, by each sign alone; files of the host's are in a
 * directory of the test's own.
 */
#include "host/qemu/managers.h"

#include "tests/unit/helpers.h"
#include "xmig/text.h"

enum {
    PID = 4711,
    PARENT = 47
};

static char *root;

static int begin(void **unused)
{
    (void)unused;
    root = make_directory();
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    remove_all(root);
    return 0;
}

static void put(const char *path, const char *text)
{
    AUTO_FREE char *command =
        formatted("f='%s%s'; mkdir -p \"${f%%/*}\" && cat >\"$f\"", root, path);
    FILE *pipe = must(popen(command, "w"));

    fputs(text, pipe);
    assert_int_equal(pclose(pipe), 0);
}

/* A VM as /proc shows it. */
static void recognise(const char *groups, const char *parent, const char *words,
                      struct managed *managed)
{
    struct process_place place;
    struct qemu_process process = { .pid = PID, .name = (char *)"web" };
    AUTO_JSON cJSON *line = must(cJSON_Parse(words));
    AUTO_FREE char *stat = formatted("4711 (a b) c) S %d 1 1", parent ? PARENT : 1);
    AUTO_FREE char *parents = formatted("47 (%s) S 1 1 1", parent ? parent : "sh");

    put("/proc/4711/cgroup", groups);
    put("/proc/4711/stat", stat);
    put("/proc/47/stat", parents);
    process.words = line;
    process_place_read(root, PID, &place);
    managers_recognise(root, &process, &place, managed);
    process_place_done(&place);
}

#define GROUP_NONE "0::/user.slice/user-0.slice/session-3.scope\n"
#define LINE_NONE "[\"-name\", \"web\", \"-drive\", \"file=/var/lib/libvirt/images/web.raw\"]"

static void is(const char *manager, const char *id, const char *groups, const char *parent,
               const char *words)
{
    struct managed managed;

    recognise(groups, parent, words, &managed);
    assert_non_null(managed.manager);
    assert_string_equal(managed.manager->name, manager);
    assert_string_equal(managed.id, id);
}

static void knows_a_vm_of_nobodys(void **unused)
{
    struct managed managed;

    (void)unused;
    recognise(GROUP_NONE, "bash", LINE_NONE, &managed);
    assert_null(managed.manager);
    recognise("1:name=systemd:/system.slice/web.service\n0::/\n", NULL, LINE_NONE, &managed);
    assert_null(managed.manager);
}

static void knows_libvirt_by_each_sign(void **unused)
{
    struct managed managed;

    (void)unused;
    is("libvirt", "web", "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n",
       NULL, LINE_NONE);
    is("libvirt", "web", "3:cpu,cpuacct:/machine/web.libvirt-qemu\n", NULL, LINE_NONE);
    is("libvirt", "web", GROUP_NONE, "virtqemud", LINE_NONE);
    is("libvirt", "web", GROUP_NONE, NULL,
       "[\"-object\", \"{\\\"qom-type\\\":\\\"secret\\\",\\\"id\\\":\\\"masterKey0\\\","
       "\\\"file\\\":\\\"/var/lib/libvirt/qemu/domain-1-web/master-key.aes\\\"}\"]");
    is("libvirt", "web", GROUP_NONE, NULL,
       "[\"-object\", "
       "\"secret,id=masterKey0,file=/srv/u/.config/libvirt/qemu/lib/domain-1-web/k\"]");
    put("/run/libvirt/qemu/web.pid", "4711\n");
    recognise(GROUP_NONE, NULL, LINE_NONE, &managed);
    assert_non_null(managed.manager);
    assert_true(managed.manager->is_final);
    assert_string_equal(managed.signs, "'/run/libvirt/qemu/web.pid' names it");
}

static void a_stale_pidfile_is_no_sign(void **unused)
{
    struct managed managed;

    (void)unused;
    put("/run/libvirt/qemu/web.pid", "4712");
    recognise(GROUP_NONE, NULL, LINE_NONE, &managed);
    assert_null(managed.manager);
}

static void knows_proxmox_by_each_sign(void **unused)
{
    struct managed managed;

    (void)unused;
    is("Proxmox", "web", "0::/qemu.slice/100.scope\n", NULL, LINE_NONE);
    is("Proxmox", "100", GROUP_NONE, NULL,
       "[\"-id\", \"100\", \"-name\", \"web,debug-threads=on\", \"-chardev\", "
       "\"socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off\"]");
    is("Proxmox", "web", GROUP_NONE, NULL, "[\"-readconfig\", \"/etc/pve/qemu-server/extra.cfg\"]");
    put("/var/run/qemu-server/100.pid", "4711");
    recognise(GROUP_NONE, NULL, "[\"-id\", \"100\"]", &managed);
    assert_non_null(managed.manager);
    assert_false(managed.manager->is_final);
}

static void knows_incus_lxd_and_ganeti(void **unused)
{
    (void)unused;
    is("Incus", "web", "0::/system.slice/incus.service\n", NULL, LINE_NONE);
    is("Incus", "web", GROUP_NONE, "incusd", LINE_NONE);
    is("Incus", "web", GROUP_NONE, NULL, "[\"-readconfig\", \"/run/incus/web/qemu.conf\"]");
    is("LXD", "web", GROUP_NONE, NULL,
       "[\"-pidfile\", \"/var/snap/lxd/common/lxd/logs/web/qemu.pid\"]");
    is("Ganeti", "web", GROUP_NONE, NULL,
       "[\"-pidfile\", \"/var/run/ganeti/kvm-hypervisor/pid/web\"]");
}

static void tells_all_signs(void **unused)
{
    struct managed managed;

    (void)unused;
    recognise("0::/qemu.slice/100.scope\n", "pvedaemon worke",
              "[\"-pidfile\", \"/var/run/qemu-server/100.pid\"]", &managed);
    assert_string_equal(managed.signs, "its control group is '/qemu.slice/100.scope', its command "
                                       "line has paths of Proxmox's, pvedaemon worke has started "
                                       "it");
}

/* ---- at the target ---- */

static void is_known(const char *name, const char *manager)
{
    char path[256];
    const struct manager *found = managers_know(root, name, path, sizeof(path));

    if (!manager) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->name, manager);
    assert_int_equal(*path, '/');
    assert_null(strstr(path, root));
}

static void finds_who_knows_a_name(void **unused)
{
    (void)unused;
    put("/etc/libvirt/qemu/web.xml", "<domain/>");
    put("/etc/pve/qemu-server/100.conf", "cores: 2\nname: db\n");
    put("/var/lib/incus/virtual-machines/mail/backup.yaml", "");
    put("/var/run/ganeti/kvm-hypervisor/conf/dns.runtime", "[]");
    is_known("web", "libvirt");
    is_known("db", "Proxmox");
    is_known("mail", "Incus");
    is_known("dns", "Ganeti");
    is_known("we", NULL);
    is_known("", NULL);
    is_known("../qemu/web", NULL);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knows_a_vm_of_nobodys),      TEST(knows_libvirt_by_each_sign),
        TEST(a_stale_pidfile_is_no_sign), TEST(knows_proxmox_by_each_sign),
        TEST(knows_incus_lxd_and_ganeti), TEST(tells_all_signs),
        TEST(finds_who_knows_a_name),
    };

    return cmocka_run_group_tests_name("managers", tests, NULL, NULL);
}
