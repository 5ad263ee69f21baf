/* Which service of systemd's a process is; systemctl is a script. */
#include "host/system/service.h"

#include <pwd.h>

#include "tests/unit/helpers.h"
#include "xmig/text.h"

enum {
    PID = 4711
};

struct scene {
    struct loop *loop;
    char *dir;
    char *path; /* the environment's, before */
    struct service service;
};

static int begin(void **state)
{
    static struct scene scene;

    scene = (struct scene){ .loop = loop_new(), .dir = make_directory() };
    scene.path = must(strdup(getenv("PATH")));
    *state = &scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;

    setenv("PATH", scene->path, 1);
    free(scene->path);
    service_done(&scene->service);
    loop_free(scene->loop);
    remove_all(scene->dir);
    return 0;
}

/* It prints this, and leaves the words that it was given in the file "asked". */
static void systemctl_says(struct scene *scene, const char *answer)
{
    AUTO_FREE char *script = formatted("%s/systemctl", scene->dir);
    AUTO_FREE char *path = formatted("%s:%s", scene->dir, scene->path);
    FILE *file = must(fopen(script, "w"));

    fprintf(file, "#!/bin/sh\necho \"$*\" >'%s/asked'\ncat <<'END'\n%s\nEND\n", scene->dir, answer);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(script, 0755), 0);
    setenv("PATH", path, 1);
}

static void was_asked(const struct scene *scene, const char *words)
{
    AUTO_FREE char *path = formatted("%s/asked", scene->dir);
    char text[512] = "";
    FILE *file = must(fopen(path, "r"));

    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_says(text, words);
}

static void look(struct scene *scene, const char *unit, const char *parent, pid_t parent_pid)
{
    struct process_place place = { .unit = (char *)unit };

    if (parent) {
        place.ancestors[place.ancestor_count].pid = parent_pid;
        snprintf(place.ancestors[place.ancestor_count++].name, sizeof(place.ancestors->name), "%s",
                 parent);
    }
    service_done(&scene->service);
    service_of_process(scene->loop, &place, PID, &scene->service);
}

#define ANSWER(MAIN, RESTART)                                                                      \
    "LoadState=loaded\nControlGroup=/system.slice/web.service\nMainPID=" MAIN "\nRestart=" RESTART \
    "\nRestartUSec=3s\nFragmentPath=/etc/systemd/system/web.service\nUnitFileState=enabled"

#define UNIT "/system.slice/web.service"

static void the_main_process_is_the_service(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("4711", "always"));
    look(scene, UNIT, NULL, 0);
    assert_string_equal(scene->service.name, "web.service");
    assert_string_equal(scene->service.restart, "always");
    assert_string_equal(scene->service.delay, "3s");
    assert_string_equal(scene->service.file, "/etc/systemd/system/web.service");
    assert_true(scene->service.enabled);
    assert_true(service_restarts(&scene->service));
    assert_int_equal(scene->service.main_pid, 4711);
    was_asked(scene, "show --property ");
    was_asked(scene, " web.service\n");
}

static void a_script_that_waits_for_it_is_the_service(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("99", "on-failure"));
    look(scene, UNIT, "run-web.sh", 99);
    assert_true(service_restarts(&scene->service));
    assert_int_equal(scene->service.main_pid, 99);
}

static void without_a_main_process_the_last_one_counts(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("0", "no"));
    look(scene, UNIT, NULL, 0);
    assert_string_equal(scene->service.name, "web.service");
    assert_false(service_restarts(&scene->service));
}

static void what_a_login_starts_is_not_the_service(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("99", "on-failure"));
    look(scene, UNIT, "sshd", 99);
    assert_null(scene->service.name);
    look(scene, UNIT, NULL, 0);
    assert_null(scene->service.name);
}

static void a_users_service_is_asked_of_his_systemd(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, "");
    look(scene, "/user.slice/user-2.slice/user@2.service/app.slice/web.service", NULL, 0);
    was_asked(scene, "--user --machine=bin@.host show");
    assert_string_equal(scene->service.systemctl, "systemctl --user --machine=bin@.host");
}

/* In the place of the C library's. */
struct passwd *getpwuid(uid_t uid)
{
    static struct passwd user;
    static char plain[] = "bin", spaced[] = "DOMAIN\\an user of it";

    user.pw_name = uid == 2 ? plain : spaced;
    return &user;
}

static void a_user_whose_name_has_spaces_is_said_by_his_number(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, "");
    look(scene, "/user.slice/user-3.slice/user@3.service/app.slice/web.service", NULL, 0);
    was_asked(scene, "--user --machine=3@.host show");
}

static void another_systemds_service_is_not_taken_for_it(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("4711", "always"));
    look(scene, "/machine.slice/box.service/payload/system.slice/web.service", NULL, 0);
    assert_null(scene->service.restart);
    assert_says(scene->service.why, "knows no such service");
}

static void a_systemd_that_cannot_be_asked_is_told_of(void **state)
{
    struct scene *scene = *state;
    AUTO_FREE char *script = formatted("%s/systemctl", scene->dir);

    systemctl_says(scene, "");
    assert_int_equal(truncate(script, 0), 0);
    {
        FILE *file = must(fopen(script, "w"));

        fputs("#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n", file);
        assert_int_equal(fclose(file), 0);
    }
    look(scene, UNIT, NULL, 0);
    assert_string_equal(scene->service.name, "web.service");
    assert_null(scene->service.restart);
    assert_says(scene->service.why, "Failed to connect to bus");
}

static void a_scope_is_no_service(void **state)
{
    struct scene *scene = *state;

    systemctl_says(scene, ANSWER("4711", "always"));
    look(scene, "/system.slice/xmig-1.scope", NULL, 0);
    assert_null(scene->service.name);
    look(scene, NULL, NULL, 0);
    assert_null(scene->service.name);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_main_process_is_the_service),
        TEST(a_script_that_waits_for_it_is_the_service),
        TEST(without_a_main_process_the_last_one_counts),
        TEST(what_a_login_starts_is_not_the_service),
        TEST(a_users_service_is_asked_of_his_systemd),
        TEST(a_user_whose_name_has_spaces_is_said_by_his_number),
        TEST(another_systemds_service_is_not_taken_for_it),
        TEST(a_systemd_that_cannot_be_asked_is_told_of),
        TEST(a_scope_is_no_service),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
