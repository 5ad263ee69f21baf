#include "cmd/page/page.h"

#include "tests/unit/helpers.h"

/* A story of both sides, and its page. */
struct scene {
    struct story story;
    char *page;
    size_t size;
};

static cJSON *history(const char *const lines[])
{
    cJSON *array = must(cJSON_CreateArray());

    for (; lines && *lines; lines++)
        cJSON_AddItemToArray(array, must(cJSON_Parse(*lines)));
    return array;
}

static void tell(struct scene *scene, const char *const send[], const char *const recv[],
                 const char *journal)
{
    AUTO_JSON cJSON *records = must(cJSON_Parse(journal));
    FILE *out = must(open_memstream(&scene->page, &scene->size));

    story_read(&scene->story, history(send), history(recv));
    page_print(out, &scene->story, records, SIDE_SEND);
    fclose(out);
}

static void done(struct scene *scene)
{
    story_done(&scene->story);
    free(scene->page);
}

#define HOSTILE "</title><script>alert(1)</script>'\\\" onload=x"

static void nothing_that_a_peer_or_a_guest_says_is_markup(void **unused)
{
    const char *const send[] = {
        "{\"type\":\"history\",\"ms\":1,\"host\":\"" HOSTILE "\",\"version\":\"" HOSTILE "\"}",
        "{\"type\":\"begin\",\"ms\":2,\"id\":\"" HOSTILE "\",\"vm\":\"" HOSTILE
        "\",\"dest\":\"" HOSTILE "\",\"time\":\"" HOSTILE "\"}",
        "{\"type\":\"stage-begin\",\"ms\":3,\"stage\":\"" HOSTILE "\"}",
        "{\"type\":\"progress\",\"ms\":4,\"subject\":\"" HOSTILE "\",\"done\":1,\"total\":2}",
        "{\"type\":\"progress\",\"ms\":5,\"subject\":\"" HOSTILE "\",\"done\":2,\"total\":2}",
        "{\"type\":\"downtime\",\"ms\":9,\"subject\":\"" HOSTILE "\",\"elapsed_ms\":2}",
        "{\"type\":\"record\",\"ms\":8,\"record\":\"" HOSTILE "\"}",
        "{\"type\":\"warning\",\"ms\":8,\"text\":\"" HOSTILE "\"}",
        "{\"type\":\"note\",\"ms\":8,\"text\":\"" HOSTILE "\"}",
        "{\"type\":\"result\",\"ms\":9,\"outcome\":\"" HOSTILE "\",\"text\":\"" HOSTILE
        "\",\"next\":\"" HOSTILE "\",\"error\":{\"text\":\"" HOSTILE "\"}}",
        NULL
    };
    struct scene scene;
    (void)unused;

    tell(&scene, send, send,
         "[{\"record\":\"" HOSTILE "\",\"time\":\"" HOSTILE "\",\"vm\":\"" HOSTILE
         "\",\"fact\":\"" HOSTILE "\",\"why\":\"" HOSTILE "\"}]");
    assert_null(strstr(scene.page, "<script"));
    assert_null(strstr(scene.page, "\" onload"));
    assert_null(strstr(scene.page, "' onload"));
    assert_says(scene.page, "&lt;script&gt;alert(1)");
    done(&scene);
}

static void draws_no_curve_of_a_single_sample(void **unused)
{
    const char *const send[] = {
        "{\"type\":\"progress\",\"ms\":4,\"subject\":\"disk/small\",\"done\":2,\"total\":2}",
        "{\"type\":\"progress\",\"ms\":4,\"subject\":\"disk/large\",\"done\":1,\"total\":2}",
        "{\"type\":\"progress\",\"ms\":9,\"subject\":\"disk/large\",\"done\":2,\"total\":2}", NULL
    };
    struct scene scene;
    (void)unused;

    tell(&scene, send, NULL, "[]");
    assert_says(scene.page, "disk/small</h3><p class=\"aside\">2 bytes of 2 bytes</p>");
    assert_null(strstr(scene.page, "Bytes of disk/small"));
    assert_says(scene.page, "Bytes of disk/large");
    done(&scene);
}

static void the_target_is_shown_on_the_sources_clock(void **unused)
{
    const char *const send[] = { "{\"type\":\"history\",\"ms\":1000}",
                                 "{\"type\":\"clock\",\"ms\":1000,\"here_us\":1000000,"
                                 "\"there_us\":91000000,\"round_trip_us\":400}",
                                 NULL };
    const char *const recv[] = { "{\"type\":\"stage-begin\",\"ms\":92000,\"stage\":\"ram-stream\"}",
                                 "{\"type\":\"stage-end\",\"ms\":92500,\"stage\":\"ram-stream\"}",
                                 NULL };
    struct scene scene;
    const struct span *stage;
    (void)unused;

    tell(&scene, send, recv, "[]");
    stage = scene.story.sides[SIDE_RECV].stages.list;
    assert_int_equal((int)stage->begin_ms, 2000);
    assert_int_equal((int)stage->end_ms, 2500);
    assert_true(scene.story.has_clock);
    done(&scene);
}

static void so_it_is_when_only_the_target_has_compared(void **unused)
{
    const char *const send[] = { "{\"type\":\"history\",\"ms\":1000}", NULL };
    const char *const recv[] = { "{\"type\":\"clock\",\"ms\":91000,\"here_us\":91000000,"
                                 "\"there_us\":1000000,\"round_trip_us\":400}",
                                 "{\"type\":\"record\",\"ms\":92000,\"record\":\"RUNNING\"}",
                                 NULL };
    struct scene scene;
    (void)unused;

    tell(&scene, send, recv, "[]");
    assert_int_equal((int)story_record(&scene.story, "RUNNING")->ms, 2000);
    done(&scene);
}

static void without_a_comparison_the_wall_clocks_must_do(void **unused)
{
    const char *const send[] = {
        "{\"type\":\"history\",\"ms\":1000,\"time\":\"2026-11-28T10:00:00.000Z\"}", NULL
    };
    const char *const recv[] = { "{\"type\":\"record\",\"ms\":500,\"record\":\"RUNNING\",\"time\":"
                                 "\"2026-11-28T10:00:02.500Z\"}",
                                 NULL };
    struct scene scene;
    (void)unused;

    tell(&scene, send, recv, "[]");
    assert_int_equal((int)story_record(&scene.story, "RUNNING")->ms, 3500);
    assert_false(scene.story.has_clock);
    assert_says(scene.page, "were not compared");
    done(&scene);
}

static void a_reboot_does_not_turn_the_clock_back(void **unused)
{
    const char *const send[] = {
        "{\"type\":\"history\",\"ms\":900000,\"time\":\"2026-11-28T10:00:00.000Z\"}",
        "{\"type\":\"history\",\"ms\":5000,\"time\":\"2026-11-28T10:01:00.000Z\"}",
        "{\"type\":\"record\",\"ms\":6000,\"record\":\"PROOF\",\"time\":\"2026-11-28T10:01:01."
        "000Z\"}",
        NULL
    };
    struct scene scene;
    (void)unused;

    tell(&scene, send, NULL, "[]");
    assert_int_equal((int)story_record(&scene.story, "PROOF")->ms, 961000);
    done(&scene);
}

static void what_both_sides_count_is_shown_once(void **unused)
{
    const char *const lines[] = {
        "{\"type\":\"progress\",\"ms\":1,\"subject\":\"ram\",\"done\":1,\"total\":2}", NULL
    };
    struct scene scene;
    (void)unused;

    tell(&scene, lines, lines, "[]");
    assert_int_equal(scene.story.series->count, 1);
    done(&scene);
    tell(&scene, NULL, lines, "[]");
    assert_int_equal(scene.story.series->count, 1);
    done(&scene);
}

static void a_page_of_nothing_is_a_page(void **unused)
{
    struct scene scene;
    (void)unused;

    tell(&scene, NULL, NULL, "[]");
    assert_says(scene.page, "no result yet");
    assert_says(scene.page, "its history is not here");
    assert_null(strstr(scene.page, "nan"));
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_no_curve_of_a_single_sample),
        cmocka_unit_test(nothing_that_a_peer_or_a_guest_says_is_markup),
        cmocka_unit_test(the_target_is_shown_on_the_sources_clock),
        cmocka_unit_test(so_it_is_when_only_the_target_has_compared),
        cmocka_unit_test(without_a_comparison_the_wall_clocks_must_do),
        cmocka_unit_test(a_reboot_does_not_turn_the_clock_back),
        cmocka_unit_test(what_both_sides_count_is_shown_once),
        cmocka_unit_test(a_page_of_nothing_is_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
