/* Plans: sentences, each under the name of the stage that would do it. */
#include "xmig/plan.h"

#include "tests/unit/helpers.h"

static struct plan empty_plan(void)
{
    return (struct plan){ .steps = must(cJSON_CreateArray()) };
}

static void assert_step(const struct plan *plan, int i, const char *stage, const char *text)
{
    const cJSON *step = cJSON_GetArrayItem(plan->steps, i);

    assert_string_equal(json_string_or(step, "stage", "-"), stage);
    assert_string_equal(json_string_or(step, "text", "-"), text);
}

static void says_each_sentence_under_the_stage_of_the_moment(void **unused)
{
    struct plan plan = empty_plan();
    (void)unused;

    plan.stage = "params-copy";
    plan_say(&plan, "create %d disks", 2);
    plan_say(&plan, "claim %d bytes", 4096);
    plan.stage = "ram-stream";
    plan_say(&plan, "stream RAM");
    assert_int_equal(cJSON_GetArraySize(plan.steps), 3);
    assert_step(&plan, 0, "params-copy", "create 2 disks");
    assert_step(&plan, 1, "params-copy", "claim 4096 bytes");
    assert_step(&plan, 2, "ram-stream", "stream RAM");
    cJSON_Delete(plan.steps);
}

static void keeps_a_long_sentence_whole(void **unused)
{
    struct plan plan = empty_plan();
    char path[5000];
    (void)unused;

    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    plan.stage = "drive-mirror";
    plan_say(&plan, "%s", path);
    assert_step(&plan, 0, "drive-mirror", path);
    cJSON_Delete(plan.steps);
}

static void survives_the_way_to_the_peer(void **unused)
{
    struct plan plan = empty_plan();
    AUTO_FREE char *text = NULL;
    (void)unused;

    plan.stage = "drive-mirror";
    plan_say(&plan, "mirror '%s'", "a \"disk\"\n\\é");
    text = json_print(plan.steps);
    cJSON_Delete(plan.steps);
    plan.steps = must(cJSON_Parse(text));
    assert_step(&plan, 0, "drive-mirror", "mirror 'a \"disk\"\n\\é'");
    cJSON_Delete(plan.steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_each_sentence_under_the_stage_of_the_moment),
        cmocka_unit_test(keeps_a_long_sentence_whole),
        cmocka_unit_test(survives_the_way_to_the_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
