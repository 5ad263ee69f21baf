/* A disk that is written to while it is copied in rounds, into a real NBD server. */
#include "host/disk-copy/copy-rounds.h"

#include <sys/sysmacros.h>

#include "tests/unit/helpers.h"
#include "xmig/text.h"

enum {
    KIB = 1024,
    BLOCK = 64 * KIB,
    SIZE = 20 * 1024 * KIB + 512, /* the last piece is a part of one */
    SOON_MS = 30 * 1000,
    POLL_MS = 5
};

struct scene {
    struct loop *loop;
    char *dir, *source, *target, *socket;
    int fd; /* of the source */
    struct child *server;
    struct block_copier *copier;
    struct copy_rounds *rounds;
    struct changed_blocks written; /* since the last round */
    unsigned asked;                /* how many times for that */
    void (*meanwhile)(struct scene *scene);
    bool tracking_is_lost;
};

/* ---- the guest ---- */

static void guest_writes(struct scene *scene, uint64_t offset, int byte, size_t length)
{
    AUTO_FREE char *bytes = must(malloc(length));

    memset(bytes, byte, length);
    assert_int_equal(pwrite(scene->fd, bytes, length, (off_t)offset), length);
    for (uint64_t at = offset / BLOCK; at <= (offset + length - 1) / BLOCK; at++)
        changed_blocks_mark(&scene->written, at);
}

static bool since_last(void *arg, struct changed_blocks *changed, struct error *err)
{
    struct scene *scene = arg;

    if (scene->tracking_is_lost)
        return error_set(err, ERROR_SYSTEM, "the table is not ours");
    scene->asked++;
    for (uint64_t i = 0; i < changed->count; i++)
        if (scene->written.bits[i / 8] >> (i % 8) & 1)
            changed_blocks_mark(changed, i);
    changed_blocks_clear(&scene->written);
    if (scene->meanwhile)
        scene->meanwhile(scene);
    return true;
}

/* ---- the scene ---- */

static bool server_answers(void *arg)
{
    struct scene *scene = arg;
    AUTO_CLOSE int fd = connect_unix(scene->socket, NULL);

    return fd >= 0;
}

static void await(struct scene *scene, bool (*ready)(void *arg), void *arg)
{
    for (unsigned waited = 0; !ready(arg); waited += POLL_MS) {
        assert_true(waited < SOON_MS);
        assert_true(loop_pause(scene->loop, POLL_MS, NULL));
    }
}

static void start_server(struct scene *scene, const char *size)
{
    AUTO_FREE char *script = formatted(
        "truncate -s %s '%s' && exec qemu-nbd -t -e 4 -f raw -x xvda --discard=unmap -k '%s' '%s'",
        size, scene->target, scene->socket, scene->target);
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct error err = { 0 };

    scene->server = child_start(scene->loop, argv, -1, -1, STDERR_FILENO, &err);
    assert_ok(scene->server, &err);
    await(scene, server_answers, scene);
}

static struct scene make_scene(const char *target_size)
{
    struct scene scene = { .loop = loop_new(), .dir = make_directory() };

    scene.source = formatted("%s/source", scene.dir);
    scene.target = formatted("%s/target", scene.dir);
    scene.socket = formatted("%s/socket", scene.dir);
    scene.fd = open(scene.source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(scene.fd >= 0);
    assert_int_equal(ftruncate(scene.fd, SIZE), 0);
    changed_blocks_init(&scene.written, SIZE, BLOCK);
    start_server(&scene, target_size);
    return scene;
}

static void start_copy(struct scene *scene)
{
    struct error err = { 0 };
    struct nbd_writer *writer =
        nbd_writer_new(scene->loop, scene->socket, "xvda", SIZE, SOON_MS, &err);
    int fd = open(scene->source, O_RDONLY | O_CLOEXEC);

    assert_ok(writer, &err);
    scene->copier = block_copier_new(scene->loop, fd, writer);
    changed_blocks_clear(&scene->written);
    scene->rounds = copy_rounds_new(scene->loop, scene->copier,
                                    (struct writes){ since_last, scene }, SIZE, BLOCK, true);
}

static void end_scene(struct scene *scene)
{
    copy_rounds_free(scene->rounds);
    child_free(scene->server);
    changed_blocks_done(&scene->written);
    loop_free(scene->loop);
    close(scene->fd);
    free(scene->source);
    free(scene->target);
    free(scene->socket);
    remove_all(scene->dir);
}

static void assert_identical(const struct scene *scene)
{
    AUTO_FREE char *script = formatted("cmp '%s' '%s'", scene->source, scene->target);

    assert_int_equal(system(script), 0); /* NOLINT(cert-env33-c): names of our own */
}

static bool first_copy_is_done(void *arg)
{
    const struct scene *scene = arg;

    return copy_rounds_done(scene->rounds) >= SIZE;
}

static bool is_ready(void *arg)
{
    struct scene *scene = arg;
    struct error err = { 0 };

    assert_ok(copy_rounds_go_on(scene->rounds, &err), &err);
    return copy_rounds_are_ready(scene->rounds);
}

static bool finish(struct scene *scene, struct error *err)
{
    return copy_rounds_begin_last(scene->rounds, SOON_MS, err) &&
           copy_rounds_finish(scene->rounds, SOON_MS, err);
}

/* ---- the tests ---- */

static void all_of_a_disk_is_copied(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    guest_writes(&scene, 0, 1, SIZE / 2);
    guest_writes(&scene, SIZE - 512, 2, 512);
    start_copy(&scene);
    assert_ok(finish(&scene, &err), &err);
    assert_identical(&scene);
    end_scene(&scene);
}

static void zeroes_stay_holes_where_the_target_is_zero(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    struct stat st;
    (void)unused;

    guest_writes(&scene, 3 * 1024 * KIB, 1, BLOCK);
    start_copy(&scene);
    assert_ok(finish(&scene, &err), &err);
    assert_identical(&scene);
    assert_int_equal(stat(scene.target, &st), 0);
    assert_true(st.st_blocks * 512 < 1024 * KIB);
    end_scene(&scene);
}

static void write_once_more(struct scene *scene)
{
    if (scene->asked == 1)
        guest_writes(scene, 5 * 1024 * KIB + 100, 7, 4096);
}

static void what_is_written_meanwhile_is_copied_by_a_later_round(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    guest_writes(&scene, 0, 1, SIZE);
    start_copy(&scene);
    await(&scene, first_copy_is_done, &scene);
    scene.meanwhile = write_once_more;
    guest_writes(&scene, 1024 * KIB - 10, 3, 20);
    guest_writes(&scene, SIZE - 1, 4, 1);
    await(&scene, is_ready, &scene);
    assert_true(copy_rounds_debt(scene.rounds) <= copy_rounds_total(scene.rounds));
    assert_ok(finish(&scene, &err), &err);
    assert_true(scene.asked >= 2);
    assert_identical(&scene);
    end_scene(&scene);
}

static void what_becomes_zero_meanwhile_is_zero_in_the_copy(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    guest_writes(&scene, 0, 1, SIZE);
    start_copy(&scene);
    await(&scene, first_copy_is_done, &scene);
    guest_writes(&scene, 2 * 1024 * KIB, 0, 1024 * KIB);
    assert_ok(finish(&scene, &err), &err);
    assert_identical(&scene);
    end_scene(&scene);
}

static void a_disk_of_another_size_is_refused(void **unused)
{
    struct scene scene = make_scene("30M");
    struct error err = { 0 };
    (void)unused;

    assert_null(nbd_writer_new(scene.loop, scene.socket, "xvda", SIZE, SOON_MS, &err));
    assert_says(err.text, "31457280 bytes, not 20972032");
    end_scene(&scene);
}

static void an_export_that_is_not_there_is_an_error(void **unused)
{
    struct scene scene = make_scene("30M");
    struct error err = { 0 };
    (void)unused;

    assert_null(nbd_writer_new(scene.loop, scene.socket, "xvdb", SIZE, SOON_MS, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    end_scene(&scene);
}

static void a_server_that_ends_is_noticed(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    guest_writes(&scene, 0, 1, SIZE);
    start_copy(&scene);
    child_free(steal(scene.server));
    assert_false(finish(&scene, &err));
    assert_int_equal(err.kind, ERROR_SYSTEM);
    assert_says(err.text, "writing to the target's disk");
    assert_false(copy_rounds_go_on(scene.rounds, &err));
    end_scene(&scene);
}

static void a_disk_that_is_shorter_than_it_said_is_noticed(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    assert_int_equal(ftruncate(scene.fd, SIZE / 2), 0);
    start_copy(&scene);
    assert_false(finish(&scene, &err));
    assert_says(err.text, "reading the disk at byte");
    end_scene(&scene);
}

static void writes_that_may_have_been_missed_end_the_copy(void **unused)
{
    struct scene scene = make_scene("20972032");
    struct error err = { 0 };
    (void)unused;

    start_copy(&scene);
    scene.tracking_is_lost = true;
    assert_false(finish(&scene, &err));
    assert_says(err.text, "the table is not ours");
    end_scene(&scene);
}

static void a_copy_may_be_ended_at_any_time(void **unused)
{
    struct scene scene = make_scene("20972032");
    (void)unused;

    guest_writes(&scene, 0, 1, SIZE);
    start_copy(&scene);
    end_scene(&scene);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_disk_is_copied),
        cmocka_unit_test(zeroes_stay_holes_where_the_target_is_zero),
        cmocka_unit_test(what_is_written_meanwhile_is_copied_by_a_later_round),
        cmocka_unit_test(what_becomes_zero_meanwhile_is_zero_in_the_copy),
        cmocka_unit_test(a_disk_of_another_size_is_refused),
        cmocka_unit_test(an_export_that_is_not_there_is_an_error),
        cmocka_unit_test(a_server_that_ends_is_noticed),
        cmocka_unit_test(a_disk_that_is_shorter_than_it_said_is_noticed),
        cmocka_unit_test(writes_that_may_have_been_missed_end_the_copy),
        cmocka_unit_test(a_copy_may_be_ended_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
