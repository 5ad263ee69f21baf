/* The hypervisor of docs/writing-a-hypervisor.md in a table of our own: does it do what is said
 * there? Its VM is this program, run as `… worker`: it appends the numbers from 1 on to its disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "host/hypervisors.h"
#include "host/system/image-users.h"
#include "tests/fault/world.h"
#include "xmig/cleanup.h"
#include "xmig/process.h"

/* Taken from the page by tests/CMakeLists.txt. */
extern const struct hypervisor worker_hypervisor;

const struct hypervisor *const hypervisor_table[] = { &worker_hypervisor, NULL };

/* ---- the worker ---- */

static long last_number(int fd)
{
    char text[65536];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    const char *line = text;
    long number = 0;

    text[len > 0 ? len : 0] = '\0';
    for (const char *end; (end = strchr(line, '\n')); line = end + 1)
        number = strtol(line, NULL, 10) == number + 1 ? number + 1 : -1;
    return *line ? -1 : number;
}

static _Noreturn void work(void)
{
    const struct timespec rhythm = { .tv_nsec = 5000000 };

    alarm(120); /* it ends with a test that was broken off */
    for (long number = last_number(STDOUT_FILENO) + 1;; number++) {
        dprintf(STDOUT_FILENO, "%ld\n", number);
        nanosleep(&rhythm, NULL);
    }
}

/* ---- the scene ---- */

struct scene {
    struct world world;
    struct result result;
    char *disk[2]; /* by side */
    char fenced[256];
    cJSON *disk_targets;
    char name[16];
    pid_t pid;
    uint64_t start_time;
};

static void begin(struct scene *scene, bool appends)
{
    struct world *world = &scene->world;

    world_init(world);
    for (int side = 0; side < 2; side++)
        if (asprintf(&scene->disk[side], "%s/disk-%d", world->dir, side) < 0)
            abort();
    scene->pid = fork();
    if (scene->pid == 0) {
        int flags = O_RDWR | O_CREAT | (appends ? O_APPEND : 0);

        dup2(open(scene->disk[SIDE_SEND], flags, 0600), STDOUT_FILENO);
        execl("/proc/self/exe", "test", "worker", NULL);
        _exit(1);
    }
    scene->start_time = process_start_time(scene->pid);
    snprintf(scene->name, sizeof(scene->name), "%d", (int)scene->pid);
    scene->disk_targets = must(cJSON_CreateObject());
    cJSON_AddStringToObject(scene->disk_targets, "disk", scene->disk[SIDE_RECV]);
    world->options.vm.disk_targets = scene->disk_targets;
    world->hypervisor = "worker";
    world->vm = scene->name;
}

/* The number that a disk ends with; -1: one is missing or there twice, or there is no such disk. */
static long count(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : last_number(fd);
}

/* Is the disk written to? Bounded by the test's own limit. */
static bool grows(const char *path)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    long before = count(path);

    if (before < 0)
        before = 0;
    for (int i = 0; i < 5000 && count(path) <= before; i++)
        nanosleep(&pause, NULL);
    return count(path) > before;
}

static void find(void *arg, const struct image_user *other)
{
    *(struct image_user *)arg = *other;
}

/* The process other than the worker that has the disk open. pid 0: none. */
static struct image_user user_of(const struct scene *scene, const char *disk)
{
    struct image_user found = { 0 };
    struct image_identity image;
    struct stat st;

    if (stat(disk, &st) < 0)
        return found;
    image = image_identity(&st);
    image_users_each(
        &(struct image_users_search){
            .images = &image, .image_count = 1, .own = scene->pid, .id = "-" },
        find, &found);
    return found;
}

static void end(struct scene *scene)
{
    struct image_user copy = user_of(scene, scene->disk[SIDE_RECV]);

    assert_true(process_kill(copy.pid, copy.start_time, 10000, NULL));
    assert_true(process_kill(scene->pid, scene->start_time, 10000, NULL));
    waitpid(scene->pid, NULL, 0);
    for (int side = 0; side < 2; side++)
        free(scene->disk[side]);
    cJSON_Delete(scene->disk_targets);
    world_done(&scene->world);
}

#define SCENE                                                                                      \
    struct scene scene;                                                                            \
    (void)unused;                                                                                  \
    begin(&scene, true)

static enum outcome send_with(struct scene *scene, const char *fault)
{
    assert_true(grows(scene->disk[SIDE_SEND]));
    return world_send_with(&scene->world, fault, &scene->result);
}

static enum outcome recover(struct scene *scene)
{
    world_recover(&scene->world, SIDE_SEND, (struct recover_options){ 0 }, &scene->result);
    return scene->result.outcome;
}

/* The source's disk, as the fence has renamed it. */
static const char *fenced_disk(struct scene *scene)
{
    snprintf(scene->fenced, sizeof(scene->fenced), "%s.moved-%s", scene->disk[SIDE_SEND],
             scene->world.id);
    return scene->fenced;
}

static void assert_runs_there(struct scene *scene)
{
    world_join(&scene->world);
    assert_true(grows(scene->disk[SIDE_RECV]));
    assert_false(process_lives(scene->pid, scene->start_time));
    assert_true(count(fenced_disk(scene)) > 0);
    assert_true(count(scene->fenced) < count(scene->disk[SIDE_RECV]));
}

static void assert_runs_here(struct scene *scene)
{
    world_join(&scene->world);
    assert_true(grows(scene->disk[SIDE_SEND]));
    assert_int_equal(count(scene->disk[SIDE_RECV]), -1);
}

/* ---- what the page says ---- */

static void moves_a_worker_with_its_disk(void **unused)
{
    SCENE;

    assert_int_equal(send_with(&scene, ""), OUTCOME_DONE);
    assert_runs_there(&scene);
    end(&scene);
}

static void refuses_a_worker_whose_output_does_not_append(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, false);
    assert_int_equal(send_with(&scene, ""), OUTCOME_REFUSED);
    assert_non_null(strstr(scene.result.error.text, "start it with >>"));
    assert_runs_here(&scene);
    end(&scene);
}

static void refuses_a_disk_that_exists_at_the_target(void **unused)
{
    SCENE;

    close(open(scene.disk[SIDE_RECV], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(send_with(&scene, ""), OUTCOME_REFUSED);
    assert_non_null(strstr(scene.result.error.text, "exists at the target"));
    assert_int_equal(count(scene.disk[SIDE_RECV]), 0);
    assert_true(grows(scene.disk[SIDE_SEND]));
    end(&scene);
}

static void runs_on_at_the_source_whatever_fails(void **unused)
{
    static const char *const points[] = { "params-copy:end:recv",      "qemu-defer-start:end:recv",
                                          "drive-mirror:end:send",     "block-ready-wait:end:send",
                                          "ram-stream:end:send",       "ram-stream:end:recv:lose",
                                          "incoming-resume:begin:recv" };

    for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
        SCENE;

        assert_int_equal(send_with(&scene, points[i]), OUTCOME_ROLLED_BACK);
        assert_runs_here(&scene);
        end(&scene);
    }
}

static void runs_at_the_source_after_a_crash_before_commit(void **unused)
{
    SCENE;

    send_with(&scene, "PAUSING:after:send:crash");
    assert_int_equal(recover(&scene), OUTCOME_ROLLED_BACK);
    assert_runs_here(&scene);
    end(&scene);
}

static void runs_at_the_target_after_a_crash_at_the_source(void **unused)
{
    SCENE;

    send_with(&scene, "COMMIT:after:send:crash");
    assert_int_equal(recover(&scene), OUTCOME_DONE);
    assert_runs_there(&scene);
    end(&scene);
}

static void runs_at_the_target_after_a_crash_there(void **unused)
{
    SCENE;

    send_with(&scene, "OWNED:after:recv:crash");
    assert_int_equal(scene.result.outcome, OUTCOME_DONE);
    assert_runs_there(&scene);
    end(&scene);
}

static void is_given_back_when_the_sealed_copy_dies(void **unused)
{
    struct image_user copy;
    SCENE;

    send_with(&scene, "COMMIT:after:send:crash");
    copy = user_of(&scene, scene.disk[SIDE_RECV]);
    assert_true(process_kill(copy.pid, copy.start_time, 10000, NULL));
    assert_int_equal(recover(&scene), OUTCOME_ROLLED_BACK);
    assert_true(grows(scene.disk[SIDE_SEND]));
    end(&scene);
}

/* ---- another hand ---- */

static bool wake_source(void *arg, enum record record, bool written)
{
    const struct scene *scene = arg;

    if (record == RECORD_PREPARED && written)
        kill(scene->pid, SIGCONT);
    return true;
}

static void keeps_a_worker_that_somebody_wakes_in_the_pause(void **unused)
{
    SCENE;

    scene.world.hook[SIDE_RECV] = (struct journal_hook){ wake_source, &scene };
    assert_int_equal(send_with(&scene, ""), OUTCOME_ROLLED_BACK);
    assert_non_null(strstr(scene.result.error.text, "after it was paused"));
    assert_true(grows(scene.disk[SIDE_SEND]));
    end(&scene);
}

static bool wake_copy(void *arg, enum record record, bool written)
{
    const struct scene *scene = arg;

    if (record == RECORD_PREPARED && written) {
        kill(user_of(scene, scene->disk[SIDE_RECV]).pid, SIGCONT);
        grows(scene->disk[SIDE_RECV]);
    }
    return true;
}

static void never_gives_back_a_copy_that_somebody_woke(void **unused)
{
    SCENE;

    scene.world.hook[SIDE_RECV] = (struct journal_hook){ wake_copy, &scene };
    scene.world.options.lease_ms = 100;
    assert_int_not_equal(send_with(&scene, "COMMIT:before:send:lose"), OUTCOME_DONE);
    world_join(&scene.world);
    assert_true(user_of(&scene, scene.disk[SIDE_RECV]).pid > 0);
    end(&scene);
}

/* Another process that could write to the disk. */
static bool open_disk(void *arg, enum record record, bool written)
{
    const struct scene *scene = arg;
    AUTO_CLOSE int fd = -1;

    if (record != RECORD_COMMIT || written)
        return true;
    fd = open(scene->disk[SIDE_SEND], O_RDWR | O_APPEND | O_CLOEXEC);
    if (fork() == 0) {
        dup2(fd, STDOUT_FILENO);
        execl("/bin/sleep", "sleep", "120", NULL);
        _exit(1);
    }
    return true;
}

static void decides_nothing_while_somebody_else_has_the_disk(void **unused)
{
    struct image_user other;
    SCENE;

    scene.world.hook[SIDE_SEND] = (struct journal_hook){ open_disk, &scene };
    assert_int_equal(send_with(&scene, ""), OUTCOME_UNDECIDED);
    scene.world.hook[SIDE_SEND] = (struct journal_hook){ 0 };
    other = user_of(&scene, fenced_disk(&scene));
    assert_non_null(strstr(scene.result.error.text, "open, too"));
    assert_true(process_kill(other.pid, other.start_time, 10000, NULL));
    assert_int_equal(recover(&scene), OUTCOME_DONE);
    assert_runs_there(&scene);
    end(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_a_worker_with_its_disk),
        cmocka_unit_test(refuses_a_worker_whose_output_does_not_append),
        cmocka_unit_test(refuses_a_disk_that_exists_at_the_target),
        cmocka_unit_test(runs_on_at_the_source_whatever_fails),
        cmocka_unit_test(runs_at_the_source_after_a_crash_before_commit),
        cmocka_unit_test(runs_at_the_target_after_a_crash_at_the_source),
        cmocka_unit_test(runs_at_the_target_after_a_crash_there),
        cmocka_unit_test(is_given_back_when_the_sealed_copy_dies),
        cmocka_unit_test(keeps_a_worker_that_somebody_wakes_in_the_pause),
        cmocka_unit_test(never_gives_back_a_copy_that_somebody_woke),
        cmocka_unit_test(decides_nothing_while_somebody_else_has_the_disk),
    };

    if (argc == 2 && !strcmp(argv[1], "worker"))
        work();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
