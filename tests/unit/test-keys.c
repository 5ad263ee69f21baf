/* The files of a host's keys, when the disk is full, xmig dies, or somebody else writes, too. */
#include "transport/tls/keys.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "transport/tls/trusted-keys.h"
#include "tests/unit/helpers.h"

/* ---- a disk that fails, or the last thing that a process does ---- */

static int steps; /* of writing, until one fails */
static bool dies; /* and does not fail */

/* A file that was written in part is one, too. */
static bool fails(int fd)
{
    struct stat st;

    if (--steps != 0)
        return false;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
    if (dies)
        raise(SIGKILL);
    errno = ENOSPC;
    return true;
}

int fsync(int fd)
{
    return fails(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return fails(-1) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- the scene ---- */

struct scene {
    char *dir;
    struct keys keys;
};

static struct scene begin(void)
{
    struct scene scene = { .dir = make_directory() };

    steps = 0;
    keys_find(&scene.keys, scene.dir);
    return scene;
}

static void end(struct scene *scene)
{
    keys_done(&scene->keys);
    remove_all(scene->dir);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool leaves_something(const struct scene *scene)
{
    static const char *const files[] = { "key.pem", "cert.pem", "trusted" };
    bool any = false;

    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = NULL;

        assert_true(asprintf(&path, "%s/%s.new", scene->dir, files[i]) > 0);
        any = any || exists(path);
    }
    return any;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static struct trusted_key key_number(int number, const char *name)
{
    struct trusted_key key = { 0 };

    memset(key.fingerprint.hash, number, sizeof(key.fingerprint.hash));
    snprintf(key.name, sizeof(key.name), "%s", name);
    return key;
}

/* Run it in a process that dies at the step; false: it came to its end before. */
static bool dies_at(int step, const struct scene *scene, void (*run)(const struct scene *scene))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        steps = step;
        dies = true;
        run(scene);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

/* ---- this host's own ---- */

static void make(const struct scene *scene)
{
    struct error err = { 0 };
    bool made;

    (void)keys_make(&scene->keys, &made, &err);
}

static void where_a_key_is_its_certificate_is_whenever_the_making_was_killed(void **unused)
{
    bool died = true;
    (void)unused;

    for (int step = 1; died; step++) {
        struct scene scene = begin();
        struct error err = { 0 };
        bool was_there, made;

        died = dies_at(step, &scene, make);
        was_there = exists(scene.keys.key);
        assert_true(!was_there || exists(scene.keys.certificate));
        assert_true(keys_make(&scene.keys, &made, &err));
        assert_int_equal(made, !was_there);
        assert_true(keys_make(&scene.keys, &made, &err)); /* they fit */
        assert_false(made);
        assert_false(leaves_something(&scene));
        end(&scene);
    }
}

static void a_full_disk_leaves_no_key_and_is_named(void **unused)
{
    (void)unused;

    dies = false;
    for (int step = 1;; step++) {
        struct scene scene = begin();
        struct error err = { 0 };
        bool made = true, ok;

        steps = step;
        ok = keys_make(&scene.keys, &made, &err);
        if (ok) {
            assert_true(step > 4);
            end(&scene);
            return;
        }
        assert_says(err.text, "No space left on device");
        assert_false(leaves_something(&scene));
        assert_true(keys_make(&scene.keys, &made, NULL));
        end(&scene);
    }
}

static void a_lost_certificate_is_made_again_for_the_same_key(void **unused)
{
    struct scene scene = begin();
    struct fingerprint before, after;
    bool made;
    (void)unused;

    assert_true(keys_make(&scene.keys, &made, NULL));
    assert_true(fingerprint_of_file(scene.keys.certificate, &before, NULL));
    unlink(scene.keys.certificate);
    assert_true(keys_make(&scene.keys, &made, NULL));
    assert_false(made);
    assert_true(fingerprint_of_file(scene.keys.certificate, &after, NULL));
    assert_true(fingerprint_is(&before, &after));
    end(&scene);
}

static void a_file_that_is_no_key_or_not_the_keys_certificate_is_named_and_stays(void **unused)
{
    struct scene scene = begin(), other = begin();
    struct error err = { 0 };
    bool made;
    (void)unused;

    assert_true(keys_make(&scene.keys, &made, NULL));
    assert_true(keys_make(&other.keys, &made, NULL));
    assert_int_equal(rename(other.keys.certificate, scene.keys.certificate), 0);
    assert_false(keys_make(&scene.keys, &made, &err));
    assert_says(err.text, "is not the certificate of");
    write_text(scene.keys.key, "-----BEGIN");
    assert_false(keys_make(&scene.keys, &made, &err));
    assert_says(err.text, "is no key in PEM form: move it away");
    assert_true(exists(scene.keys.key) && exists(scene.keys.certificate));
    end(&other);
    end(&scene);
}

/* ---- those it trusts ---- */

static const char comments[] = "# the hosts of the first rack\n"
                               "sha256//AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= one\n"
                               "\n"
                               "  # and of the second, by Eve";

static void expect_text(const char *path, const char *before, const char *after)
{
    char text[4096] = "";
    FILE *file = fopen(path, "re");

    assert_true(file && fread(text, 1, sizeof(text) - 1, file) > 0 && fclose(file) == 0);
    assert_true(!strncmp(text, before, strlen(before)));
    assert_string_equal(text + strlen(before), after);
}

static void lines_and_comments_stay_when_a_key_is_added_or_named(void **unused)
{
    struct scene scene = begin();
    struct trusted_key one = key_number(1, "uno"), two = key_number(2, "two");
    struct stat st;
    (void)unused;

    write_text(scene.keys.trusted, comments);
    assert_int_equal(chmod(scene.keys.trusted, 0644), 0);
    assert_true(trusted_add(scene.keys.trusted, &two, NULL));
    expect_text(scene.keys.trusted, comments,
                "\nsha256//AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= two\n");
    assert_true(trusted_add(scene.keys.trusted, &one, NULL));
    expect_text(
        scene.keys.trusted,
        "# the hosts of the first rack\n"
        "sha256//AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= uno\n\n  # and of the second, by Eve",
        "\nsha256//AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= two\n");
    assert_int_equal(stat(scene.keys.trusted, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    end(&scene);
}

static void trust_second(const struct scene *scene)
{
    struct trusted_key two = key_number(2, "two");
    struct error err = { 0 };

    (void)trusted_add(scene->keys.trusted, &two, &err);
}

static void a_key_is_trusted_or_not_whenever_the_writing_was_killed(void **unused)
{
    bool died = true;
    (void)unused;

    for (int step = 1; died; step++) {
        struct scene scene = begin();
        struct trusted trusted;

        write_text(scene.keys.trusted, comments);
        died = dies_at(step, &scene, trust_second);
        assert_true(trusted_read(&trusted, scene.keys.trusted, NULL));
        assert_true(trusted.count == 2 || (died && trusted.count == 1));
        trusted_done(&trusted);
        trust_second(&scene);
        assert_true(trusted_read(&trusted, scene.keys.trusted, NULL));
        assert_int_equal(trusted.count, 2);
        trusted_done(&trusted);
        assert_false(leaves_something(&scene));
        end(&scene);
    }
}

static void a_full_disk_changes_nobodys_trust(void **unused)
{
    struct scene scene = begin();
    struct trusted_key two = key_number(2, "two");
    struct error err = { 0 };
    (void)unused;

    write_text(scene.keys.trusted, comments);
    dies = false;
    steps = 1;
    assert_false(trusted_add(scene.keys.trusted, &two, &err));
    assert_says(err.text, "No space left on device");
    expect_text(scene.keys.trusted, comments, "");
    assert_false(leaves_something(&scene));
    end(&scene);
}

/* ---- several at once ---- */

enum {
    MANY = 24
};

static void whoever_writes_at_the_same_time_loses_nothing(void **unused)
{
    struct scene scene = begin();
    struct trusted trusted;
    bool made;
    int status;
    (void)unused;

    write_text(scene.keys.trusted, comments);
    for (int i = 0; i < MANY; i++)
        if (fork() == 0) {
            struct trusted_key key = key_number(10 + i, "");

            _exit(!trusted_add(scene.keys.trusted, &key, NULL) ||
                  !keys_make(&scene.keys, &made, NULL));
        }
    for (int i = 0; i < MANY; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_true(trusted_read(&trusted, scene.keys.trusted, NULL));
    assert_int_equal(trusted.count, 1 + MANY);
    trusted_done(&trusted);
    assert_true(keys_make(&scene.keys, &made, NULL));
    assert_false(made);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_key_is_its_certificate_is_whenever_the_making_was_killed),
        cmocka_unit_test(a_full_disk_leaves_no_key_and_is_named),
        cmocka_unit_test(a_lost_certificate_is_made_again_for_the_same_key),
        cmocka_unit_test(a_file_that_is_no_key_or_not_the_keys_certificate_is_named_and_stays),
        cmocka_unit_test(lines_and_comments_stay_when_a_key_is_added_or_named),
        cmocka_unit_test(a_key_is_trusted_or_not_whenever_the_writing_was_killed),
        cmocka_unit_test(a_full_disk_changes_nobodys_trust),
        cmocka_unit_test(whoever_writes_at_the_same_time_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
