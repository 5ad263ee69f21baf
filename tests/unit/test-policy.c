/* What a policy permits: each key, both ways. */
#include "helpers.h"

#include "xmig/policy.h"

struct scene {
    char *directory;
    struct policy *policy;
    struct needs needs;
};

static int set_up(void **state)
{
    struct scene *scene = must(calloc(1, sizeof(*scene)));

    scene->directory = make_directory();
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    policy_free(scene->policy);
    needs_done(&scene->needs);
    remove_all(scene->directory);
    free(scene);
    return 0;
}

/* The policy has only this in the sender's section. */
static void say(struct scene *scene, const char *settings)
{
    static const char *const names[] = { "alice", NULL };
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/recv.conf", scene->directory);
    file = must(fopen(path, "w"));
    fprintf(file, "[alice]\n%s\n", settings);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
    policy_free(scene->policy);
    scene->policy = policy_load(scene->directory, names);
    assert_true(policy_applies(scene->policy, NULL));
    needs_done(&scene->needs);
}

static void assert_permitted(struct scene *scene)
{
    struct error err = { 0 };

    assert_ok(policy_permits(scene->policy, &scene->needs, &err), &err);
    needs_done(&scene->needs);
}

static void assert_refused(struct scene *scene, const char *words)
{
    struct error err = { 0 };

    assert_false(policy_permits(scene->policy, &scene->needs, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "the policy does not permit 'alice' ");
    assert_says(err.text, words);
    needs_done(&scene->needs);
}

static void permits(struct scene *scene, enum need_kind kind, const char *what, uint64_t amount)
{
    needs_add(&scene->needs, kind, what, amount, "%s", "");
    assert_permitted(scene);
}

static void refuses(struct scene *scene, enum need_kind kind, const char *what, uint64_t amount,
                    const char *words)
{
    needs_add(&scene->needs, kind, what, amount, "%s", "");
    assert_refused(scene, words);
}

static void vms_are_called_so(void **state)
{
    struct scene *scene = *state;

    say(scene, "vms = web-* db1");
    permits(scene, NEED_VM, "web-7", 0);
    permits(scene, NEED_VM, "db1", 0);
    refuses(scene, NEED_VM, "db11", 0, "a VM called 'db11': vms is 'web-* db1' (");
    refuses(scene, NEED_VM, "my-web-7", 0, "recv.conf:2)");
    say(scene, "");
    refuses(scene, NEED_VM, "web-7", 0, "vms is not set");
}

static void made_up_hypervisors_must_be_named(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    permits(scene, NEED_HYPERVISOR, "qemu", 0);
    refuses(scene, NEED_HYPERVISOR, "simulated", 1, "VMs of the hypervisor 'simulated'");
    say(scene, "hypervisors = simulated xen");
    permits(scene, NEED_HYPERVISOR, "simulated", 1);
    permits(scene, NEED_HYPERVISOR, "xen", 0);
    refuses(scene, NEED_HYPERVISOR, "qemu", 0, "hypervisors is 'simulated xen'");
}

static void programs_are_the_distributions_or_named(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    permits(scene, NEED_PROGRAM, "/usr/bin/qemu-system-x86_64", 0);
    refuses(scene, NEED_PROGRAM, "/tmp/qemu-system-x86_64", 0, "the program '/tmp/qemu-system-");
    refuses(scene, NEED_PROGRAM, "/usr/bin/qemu-system-/../../../tmp/x", 0, "programs is not set");
    refuses(scene, NEED_COMMAND, "/bin/sh -c true", 0, "the command '/bin/sh -c true'");
    say(scene, "programs = /opt/*/qemu");
    permits(scene, NEED_PROGRAM, "/opt/9.2/qemu", 0);
    refuses(scene, NEED_PROGRAM, "/opt/9.2/bin/qemu", 0, "programs is '/opt/*/qemu'");
    refuses(scene, NEED_PROGRAM, "/usr/bin/qemu-system-x86_64", 0, "programs is '/opt/*/qemu'");
}

static void images_and_files_lie_below_the_directories(void **state)
{
    static const enum need_kind kinds[] = { NEED_IMAGE, NEED_FILE, NEED_READ };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        say(scene, "image-directories = /srv/vm /srv/more/");
        permits(scene, kinds[i], "/srv/vm/a.raw", 0);
        permits(scene, kinds[i], "/srv/vm/deep/er/a.raw", 0);
        permits(scene, kinds[i], "/srv/more/a.raw", 0);
        refuses(scene, kinds[i], "/srv/vms/a.raw", 0, "'/srv/vms/a.raw': image-directories is");
        refuses(scene, kinds[i], "/srv/vm", 0, "'/srv/vm'");
        refuses(scene, kinds[i], "/srv/vm/../x", 0, "'/srv/vm/../x'");
        refuses(scene, kinds[i], "/srv/vm/..", 0, "'/srv/vm/..'");
        refuses(scene, kinds[i], "srv/vm/a.raw", 0, "'srv/vm/a.raw'");
        say(scene, "");
        refuses(scene, kinds[i], "/srv/vm/a.raw", 0, "image-directories is not set");
    }
    refuses(scene, NEED_FILE, "/usr/share/x", 0, "image-directories is not set");
    permits(scene, NEED_READ, "/usr/share/qemu/bios.bin", 0);
    permits(scene, NEED_READ, "/dev/vhost-net", 0);
    refuses(scene, NEED_READ, "/etc/shadow", 0, "to read '/etc/shadow'");
    refuses(scene, NEED_READ, "/dev/mem", 0, "to read '/dev/mem'");
    refuses(scene, NEED_READ, "/usr/share/../../etc/shadow", 0, "to read");
}

static void links_are_followed(void **state)
{
    struct scene *scene = *state;
    char text[512], inside[64], outside[128];

    snprintf(inside, sizeof(inside), "%s/vm", scene->directory);
    snprintf(outside, sizeof(outside), "%s/vm/out", scene->directory);
    snprintf(text, sizeof(text), "image-directories = %s", inside);
    assert_int_equal(mkdir(inside, 0755), 0);
    assert_int_equal(symlink("/etc", outside), 0);
    snprintf(text, sizeof(text), "%s/nowhere", inside);
    assert_int_equal(symlink("/etc/xmig-not-there", text), 0);
    snprintf(text, sizeof(text), "image-directories = %s", inside);
    say(scene, text);
    snprintf(text, sizeof(text), "%s/new.raw", inside);
    permits(scene, NEED_IMAGE, text, 0);
    snprintf(text, sizeof(text), "%s/new.raw", outside);
    refuses(scene, NEED_IMAGE, text, 0, "/vm/out/new.raw'");
    snprintf(text, sizeof(text), "%s/new/er.raw", outside);
    refuses(scene, NEED_IMAGE, text, 0, "/vm/out/new/er.raw'");
    refuses(scene, NEED_FILE, outside, 0, "/vm/out'");
    snprintf(text, sizeof(text), "%s/nowhere", inside);
    refuses(scene, NEED_FILE, text, 0, "/vm/nowhere'");
}

static void directories_need_not_exist(void **state)
{
    struct scene *scene = *state;

    say(scene, "image-directories = /xmig-none /xmig-none-2/deep");
    permits(scene, NEED_IMAGE, "/xmig-none/a", 0);
    permits(scene, NEED_IMAGE, "/xmig-none-2/deep/a", 0);
    refuses(scene, NEED_IMAGE, "/xmig-other/a", 0, "'/xmig-other/a'");
    refuses(scene, NEED_IMAGE, "/xmig-none-2/a", 0, "'/xmig-none-2/a'");
    refuses(scene, NEED_IMAGE, "/a", 0, "'/a'");
    refuses(scene, NEED_IMAGE, "/", 0, "'/'");
    refuses(scene, NEED_IMAGE, "", 0, "the image ''");
    say(scene, "image-directories = /");
    permits(scene, NEED_IMAGE, "/xmig-other/a", 0);
}

static void volumes_are_of_the_groups(void **state)
{
    struct scene *scene = *state;

    say(scene, "volume-groups = vg0 data-* /dev/sdz");
    permits(scene, NEED_DEVICE, "/dev/vg0/web", 0);
    permits(scene, NEED_DEVICE, "/dev/data-1/web", 0);
    permits(scene, NEED_DEVICE, "/dev/mapper/vg0-web", 0);
    permits(scene, NEED_DEVICE, "/dev/mapper/data--1-we--b", 0);
    permits(scene, NEED_DEVICE, "/dev/sdz", 0);
    refuses(scene, NEED_DEVICE, "/dev/vg1/web", 0, "the block device '/dev/vg1/web'");
    refuses(scene, NEED_DEVICE, "/dev/vg0/../sda", 0, "'/dev/vg0/../sda'");
    refuses(scene, NEED_DEVICE, "/dev/vg0/x/y", 0, "'/dev/vg0/x/y'");
    refuses(scene, NEED_DEVICE, "/dev/mapper/vg0", 0, "'/dev/mapper/vg0'");
    refuses(scene, NEED_DEVICE, "/dev/mapper/vg0--x-web", 0, "'/dev/mapper/vg0--x-web'");
    refuses(scene, NEED_DEVICE, "/dev/mapper/vg0-web-real", 0, "'/dev/mapper/vg0-web-real'");
    refuses(scene, NEED_DEVICE, "/dev/sda", 0, "'/dev/sda'");
    refuses(scene, NEED_DEVICE, "/tmp/vg0/web", 0, "'/tmp/vg0/web'");
}

static void overwriting_is_never_or_named(void **state)
{
    static const char *const never[] = { "", "overwrite = never", "overwrite =" };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        say(scene, never[i]);
        refuses(scene, NEED_OVERWRITE, "/dev/vg0/web", 0, "to overwrite '/dev/vg0/web'");
    }
    say(scene, "overwrite = vg0/web-* /dev/sdz");
    permits(scene, NEED_OVERWRITE, "/dev/vg0/web-1", 0);
    permits(scene, NEED_OVERWRITE, "/dev/mapper/vg0-web--1", 0);
    permits(scene, NEED_OVERWRITE, "/dev/sdz", 0);
    refuses(scene, NEED_OVERWRITE, "/dev/vg0/db", 0, "overwrite is 'vg0/web-* /dev/sdz'");
}

static void users_are_named(void **state)
{
    struct scene *scene = *state;

    say(scene, "users = libvirt-qemu");
    permits(scene, NEED_USER, "libvirt-qemu", 0);
    refuses(scene, NEED_USER, "root", 0, "to run QEMU as 'root': users is 'libvirt-qemu'");
    say(scene, "");
    refuses(scene, NEED_USER, "libvirt-qemu", 0, "users is not set");
}

static void networks_are_bridges_and_scripts(void **state)
{
    struct scene *scene = *state;

    say(scene, "networks = br* /etc/xen/scripts/vif-bridge");
    permits(scene, NEED_BRIDGE, "br0", 0);
    permits(scene, NEED_SCRIPT, "/etc/xen/scripts/vif-bridge", 0);
    refuses(scene, NEED_BRIDGE, "lan", 0, "the network 'lan'");
    refuses(scene, NEED_SCRIPT, "/etc/xen/scripts/vif-nat", 0, "the network script '/etc/xen/scr");
    refuses(scene, NEED_SCRIPT, "br0", 0, "the network script 'br0'");
}

static void listens(struct scene *scene, bool ok, const char *address, uint64_t from, uint64_t to)
{
    needs_add_ports(&scene->needs, NEED_LISTENER, address, from, to, "-vnc");
    if (ok)
        assert_permitted(scene);
    else
        assert_refused(scene, "(-vnc): listeners is");
}

static void listeners_have_an_address_and_ports(void **state)
{
    struct scene *scene = *state;

    say(scene, "listeners = 127.0.0.1:5900-5999 [::1] 10.0.0.1:22");
    listens(scene, true, "127.0.0.1", 5900, 5900);
    listens(scene, true, "localhost", 5950, 5999);
    listens(scene, true, "0:0:0:0:0:0:0:1", 1, 65535);
    listens(scene, true, "10.0.0.1", 22, 22);
    listens(scene, false, "127.0.0.1", 5899, 5900);
    listens(scene, false, "127.0.0.1", 5999, 6000);
    listens(scene, false, "10.0.0.1", 23, 23);
    listens(scene, false, "10.0.0.11", 22, 22);
    listens(scene, false, "", 5900, 5900);
    listens(scene, false, "0.0.0.0", 5900, 5900);
    listens(scene, false, "::", 5900, 5900);
    say(scene, "listeners = *:5900");
    listens(scene, true, "", 5900, 5900);
    listens(scene, true, "10.0.0.1", 5900, 5900);
    listens(scene, false, "", 5901, 5901);
    say(scene, "");
    listens(scene, false, "127.0.0.1", 5900, 5900);
}

static void connects(struct scene *scene, bool ok, const char *host, uint64_t port)
{
    needs_add_ports(&scene->needs, NEED_CONNECTION, host, port, port, "-chardev");
    if (ok)
        assert_permitted(scene);
    else
        assert_refused(scene, "(-chardev): connections is");
}

static void connections_have_an_address_and_ports(void **state)
{
    static const char *const never[] = { "", "connections = never", "connections =" };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        say(scene, never[i]);
        connects(scene, false, "192.0.2.1", 80);
    }
    say(scene, "connections = 192.0.2.1:80 db.example.org");
    connects(scene, true, "192.0.2.1", 80);
    connects(scene, true, "db.example.org", 5432);
    connects(scene, false, "192.0.2.1", 81);
    connects(scene, false, "localhost", 80);
    needs_add_ports(&scene->needs, NEED_CONNECTION, "*", 1, 65535, "user networking");
    assert_refused(scene, "to connect to any host port 1 to 65535 (user networking): connections");
    say(scene, "connections = *");
    connects(scene, true, "192.0.2.1", 80);
    needs_add_ports(&scene->needs, NEED_CONNECTION, "*", 1, 65535, "user networking");
    assert_permitted(scene);
}

static void what_holds_where_nothing_is_set_is_told(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    refuses(scene, NEED_PROGRAM, "/opt/qemu", 0, "programs is not set, which means '/usr/bin/");
    refuses(scene, NEED_HYPERVISOR, "simulated", 1, "hypervisors is not set, which means '*'");
    refuses(scene, NEED_OVERWRITE, "/dev/vg0/a", 0, "overwrite is not set, which means 'never'");
    refuses(scene, NEED_FAULT, "x", 0, "faults is not set, which means 'no'");
    refuses(scene, NEED_USER, "root", 0, "users is not set");
}

static void limits_limit(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    permits(scene, NEED_MEMORY, "", UINT64_MAX);
    permits(scene, NEED_LEASE, "", 0);
    say(scene, "max-memory = 1G\nmax-lease = 1h");
    permits(scene, NEED_MEMORY, "", 1 << 30);
    refuses(scene, NEED_MEMORY, "", (1 << 30) + 1, "1.0 GiB of memory: max-memory is '1G'");
    permits(scene, NEED_LEASE, "", 3600000);
    refuses(scene, NEED_LEASE, "", 3600001, "a lease of 60 min 0 s: max-lease is '1h'");
    refuses(scene, NEED_LEASE, "", 0, "a lease of any length");
}

static void disks_count_together(void **state)
{
    struct scene *scene = *state;

    say(scene, "image-directories = /srv\nvolume-groups = vg0\nmax-disk = 3G");
    needs_add(&scene->needs, NEED_IMAGE, "/srv/a", 1 << 30, "disk 'vda'");
    needs_add(&scene->needs, NEED_DEVICE, "/dev/vg0/b", UINT64_C(2) << 30, "disk 'vdb'");
    assert_permitted(scene);
    needs_add(&scene->needs, NEED_IMAGE, "/srv/a", 1 << 30, "disk 'vda'");
    needs_add(&scene->needs, NEED_DEVICE, "/dev/vg0/b", UINT64_C(3) << 30, "disk 'vdb'");
    assert_refused(scene, "disks of 4.0 GiB in all: max-disk is '3G'");
    needs_add(&scene->needs, NEED_IMAGE, "/srv/a", UINT64_MAX, "disk 'vda'");
    needs_add(&scene->needs, NEED_IMAGE, "/srv/b", 2, "disk 'vdb'");
    assert_refused(scene, "max-disk");
}

static void faults_are_refused_unless_permitted(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    refuses(scene, NEED_FAULT, "BEGIN:after:crash", 0, "the fault 'BEGIN:after:crash'");
    assert_false(policy_permits_faults(scene->policy));
    say(scene, "faults = yes");
    permits(scene, NEED_FAULT, "BEGIN:after:crash", 0);
    assert_true(policy_permits_faults(scene->policy));
}

static void a_bandwidth_is_told(void **state)
{
    struct scene *scene = *state;

    say(scene, "");
    assert_int_equal(policy_bandwidth(scene->policy), 0);
    say(scene, "bwlimit = 10M");
    assert_int_equal(policy_bandwidth(scene->policy), 10 << 20);
}

static void what_nobody_knows_is_never_permitted(void **state)
{
    struct scene *scene = *state;

    say(scene, "vms = *\nprograms = /*\nimage-directories = /\nusers = *\nnetworks = *\n"
               "listeners = *\nconnections = *\nfaults = yes");
    refuses(scene, NEED_UNKNOWN, "'-x y'", 0, "'-x y': nobody can say what that does");
}

static void all_refusals_come_at_once(void **state)
{
    struct scene *scene = *state;
    AUTO_JSON cJSON *refusals = cJSON_CreateArray();
    struct error err = { .refusals = refusals };

    say(scene, "max-memory = 1M\nmax-disk = 1M");
    needs_add(&scene->needs, NEED_VM, "web", 0, "%s", "");
    needs_add(&scene->needs, NEED_MEMORY, "", 2 << 20, "%s", "");
    needs_add(&scene->needs, NEED_IMAGE, "/srv/a", 2 << 20, "disk 'vda'");
    assert_true(policy_permits(scene->policy, &scene->needs, &err));
    assert_int_equal(cJSON_GetArraySize(refusals), 4);
}

#define scene_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(vms_are_called_so),
        scene_test(made_up_hypervisors_must_be_named),
        scene_test(programs_are_the_distributions_or_named),
        scene_test(images_and_files_lie_below_the_directories),
        scene_test(links_are_followed),
        scene_test(directories_need_not_exist),
        scene_test(volumes_are_of_the_groups),
        scene_test(overwriting_is_never_or_named),
        scene_test(users_are_named),
        scene_test(networks_are_bridges_and_scripts),
        scene_test(listeners_have_an_address_and_ports),
        scene_test(connections_have_an_address_and_ports),
        scene_test(what_holds_where_nothing_is_set_is_told),
        scene_test(limits_limit),
        scene_test(disks_count_together),
        scene_test(faults_are_refused_unless_permitted),
        scene_test(a_bandwidth_is_told),
        scene_test(what_nobody_knows_is_never_permitted),
        scene_test(all_refusals_come_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
