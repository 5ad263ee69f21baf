#include "cmd/history.h"

#include "tests/unit/clock.h"
#include "tests/unit/helpers.h"
#include "xmig/event.h"
#include "xmig/loop.h"
#include "xmig/text.h"

/* A history of a source, in a directory that exists. */
struct scene {
    char *directory;
    struct history history;
    struct transfers transfers;
    cJSON *lines; /* as of the last look */
};

static void begin(struct scene *scene)
{
    *scene = (struct scene){ .directory = make_directory() };
    history_init(&scene->history);
    history_place(&scene->history, scene->directory, SIDE_SEND);
}

static void done(struct scene *scene)
{
    history_done(&scene->history);
    cJSON_Delete(scene->lines);
    remove_all(scene->directory);
}

static void happens(struct scene *scene, struct event event)
{
    history_event(&scene->history, &event, &scene->transfers, NULL);
}

static void moves(struct scene *scene, const char *subject, uint64_t bytes)
{
    const struct event event = {
        .kind = EVENT_PROGRESS, .subject = subject, .done = bytes, .total = UINT64_C(1) << 40
    };

    history_event(&scene->history, &event, &scene->transfers,
                  transfers_update(&scene->transfers, &event, loop_now_ms()));
}

/* How many lines of this type, and of this subject, are in the file? */
static size_t count(struct scene *scene, const char *type, const char *subject)
{
    const cJSON *line;
    size_t lines = 0;

    cJSON_Delete(scene->lines);
    scene->lines = history_read(scene->directory, SIDE_SEND);
    cJSON_ArrayForEach (line, scene->lines)
        lines += !strcmp(json_string_or(line, "type", ""), type) &&
                 (!subject || !strcmp(json_string_or(line, "subject", ""), subject));
    return lines;
}

static uint64_t size_of(const struct scene *scene)
{
    AUTO_FREE char *path = NULL;
    struct stat st;

    assert_true(asprintf(&path, "%s/send.history", scene->directory) > 0);
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void samples_at_most_once_a_second(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    for (uint64_t i = 0; i < 100; i++) {
        moves(&scene, "disk/vda", i);
        time_passes(100);
    }
    assert_in_range(count(&scene, "progress", "disk/vda"), 9, 11);
    done(&scene);
}

static void tells_the_last_of_a_stage_whenever_it_comes(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    moves(&scene, "ram", 1);
    moves(&scene, "ram", 2);
    happens(&scene, (struct event){ .kind = EVENT_STAGE_END, .stage = "ram-stream" });
    assert_int_equal(count(&scene, "progress", "ram"), 2);
    done(&scene);
}

static void thins_out_what_has_grown_large_and_keeps_all_else(void **unused)
{
    enum {
        HOURS = 20
    };
    struct scene scene;
    size_t disk, ram;
    (void)unused;

    begin(&scene);
    happens(&scene, (struct event){ .kind = EVENT_WARNING, .text = "early" });
    for (uint64_t i = 0; i < HOURS * 3600; i++) {
        moves(&scene, "disk/vda", i);
        moves(&scene, "ram", i);
        time_passes(1000);
        if (i % 10000 == 0)
            assert_in_range(size_of(&scene), 1, HISTORY_MAX);
    }
    disk = count(&scene, "progress", "disk/vda");
    ram = count(&scene, "progress", "ram");
    assert_in_range(disk, 500, HISTORY_MAX / 100);
    assert_in_range(ram, disk - 20, disk + 20);
    assert_int_equal(count(&scene, "warning", NULL), 1);
    done(&scene);
}

static void is_bounded_also_where_nothing_can_be_thinned(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    for (int i = 0; i < 20000; i++)
        happens(&scene, (struct event){ .kind = EVENT_WARNING, .text = "the target is silent" });
    assert_in_range(size_of(&scene), HISTORY_MAX / 2, HISTORY_MAX + 1024);
    done(&scene);
}

static void writes_nothing_while_the_guest_stands_still(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene);
    happens(&scene, (struct event){ .kind = EVENT_DOWNTIME, .subject = "pause", .elapsed_ms = 1 });
    happens(&scene, (struct event){ .kind = EVENT_RECORD, .text = "COMMIT" });
    assert_int_equal(count(&scene, "record", NULL), 0);
    happens(&scene, (struct event){ .kind = EVENT_RECORD, .text = "DONE" });
    assert_int_equal(count(&scene, "record", NULL), 2);
    assert_int_equal(count(&scene, "downtime", "pause"), 1);
    done(&scene);
}

static void a_part_of_the_pause_ends_when_it_ended_and_not_when_it_is_told(void **unused)
{
    struct scene scene;
    const cJSON *line;
    (void)unused;

    begin(&scene);
    happens(&scene, (struct event){
                        .kind = EVENT_DOWNTIME, .subject = "ram", .elapsed_ms = 1, .at_ms = 1234 });
    happens(&scene, (struct event){ .kind = EVENT_RECORD, .text = "DONE" });
    assert_int_equal(count(&scene, "downtime", "ram"), 1);
    cJSON_ArrayForEach (line, scene.lines)
        if (!strcmp(json_string_or(line, "type", ""), "downtime"))
            assert_int_equal(json_uint_or(line, "ms", 0), 1234);
    done(&scene);
}

static void goes_on_without_a_directory_until_there_is_one(void **unused)
{
    char *directory = make_directory();
    AUTO_FREE char *below = NULL;
    AUTO_JSON cJSON *lines = NULL;
    struct history history;
    (void)unused;

    assert_true(asprintf(&below, "%s/id", directory) > 0);
    history_init(&history);
    history_place(&history, below, SIDE_RECV);
    history_line(&history, "note", NULL);
    assert_int_equal(mkdir(below, 0700), 0);
    history_line(&history, "note", NULL);
    history_done(&history);
    lines = history_read(below, SIDE_RECV);
    assert_int_equal(cJSON_GetArraySize(lines), 3);
    remove_all(directory);
}

/* As a write that never finished, or another program, leaves it. */
/* A person may look at the file itself. */
static void what_the_other_side_tells_is_kept_printable(void **unused)
{
    struct scene scene;
    struct session_history shared;
    AUTO_FREE char *path = NULL;
    char text[100] = "";
    FILE *file;
    (void)unused;

    begin(&scene);
    shared = history_shared(&scene.history);
    shared.hear(shared.arg, "{\"type\":\"\xc2\x9b\xff\"}\n\033[2J\n");
    path = formatted("%s/recv.history", scene.directory);
    file = must(fopen(path, "r"));
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, "{\"type\":\"\\u009b\\ufffd\"}\n");
    done(&scene);
}

static void leaves_out_what_is_no_line(void **unused)
{
    struct scene scene;
    AUTO_FREE char *path = NULL;
    FILE *file;
    (void)unused;

    begin(&scene);
    assert_true(asprintf(&path, "%s/send.history", scene.directory) > 0);
    file = must(fopen(path, "a"));
    fputs("rubbish\n{\"type\":\"note\"}\n{\"type\":\"no", file);
    fclose(file);
    assert_int_equal(count(&scene, "note", NULL), 1);
    assert_int_equal(cJSON_GetArraySize(scene.lines), 2);
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_at_most_once_a_second),
        cmocka_unit_test(tells_the_last_of_a_stage_whenever_it_comes),
        cmocka_unit_test(thins_out_what_has_grown_large_and_keeps_all_else),
        cmocka_unit_test(is_bounded_also_where_nothing_can_be_thinned),
        cmocka_unit_test(writes_nothing_while_the_guest_stands_still),
        cmocka_unit_test(a_part_of_the_pause_ends_when_it_ended_and_not_when_it_is_told),
        cmocka_unit_test(goes_on_without_a_directory_until_there_is_one),
        cmocka_unit_test(what_the_other_side_tells_is_kept_printable),
        cmocka_unit_test(leaves_out_what_is_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
