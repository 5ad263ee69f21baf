#include "cmd/report.h"

#include <sys/stat.h>

#include "cmd/transfers.h"
#include "tests/unit/helpers.h"

/* A report that nobody watches: what it says to programs, and to people. */
struct scene {
    struct output_options output;
    struct report *report;
    struct event_sink sink;
    char *out, *errors; /* as of the last look */
    FILE *out_file, *errors_file;
    size_t out_size, errors_size;
};

static void begin(struct scene *scene, struct output_options output)
{
    *scene = (struct scene){ .output = output };
    scene->out_file = must(open_memstream(&scene->out, &scene->out_size));
    scene->errors_file = must(open_memstream(&scene->errors, &scene->errors_size));
    scene->report = report_new("xmig", &scene->output, scene->out_file, scene->errors_file);
    scene->sink = report_sink(scene->report);
}

static void look(struct scene *scene)
{
    fflush(scene->out_file);
    fflush(scene->errors_file);
}

static void done(struct scene *scene)
{
    report_free(scene->report);
    fclose(scene->out_file);
    fclose(scene->errors_file);
    free(scene->out);
    free(scene->errors);
}

static void emit(struct scene *scene, struct event event)
{
    event_emit(&scene->sink, event);
}

static void assert_written(struct scene *scene, const char *text)
{
    look(scene);
    assert_says(scene->errors, text);
}

static void assert_not_written(struct scene *scene, const char *text)
{
    look(scene);
    if (strstr(scene->errors, text))
        fail_msg("'%s' is in:\n%s", text, scene->errors);
}

/* The last line for programs, parsed. */
static cJSON *last_json(struct scene *scene)
{
    const char *line;

    look(scene);
    scene->out[strlen(scene->out) - 1] = '\0';
    line = strrchr(scene->out, '\n');
    return must(cJSON_Parse(line ? line + 1 : scene->out));
}

static struct ending moved(void)
{
    const struct result result = {
        .outcome = OUTCOME_DONE, .state = RUN_RUNNING, .elapsed_ms = 12345, .downtime_ms = 84
    };
    const struct sent sent = {
        .vm = "web", .target = "b", .id = "0123456789abcdef", .attached = true, .has_journal = true
    };
    struct ending ending;

    ending_of_send(&ending, &result, &sent);
    return ending;
}

static struct ending failed(enum outcome outcome, enum error_kind kind, int signal)
{
    struct result result = { .outcome = outcome, .state = RUN_RUNNING, .stage = "drive-mirror" };
    const struct sent sent = { .vm = "web",
                               .target = "b",
                               .id = "0123456789abcdef",
                               .attached = true,
                               .has_journal = true,
                               .signal = signal };
    struct ending ending;

    error_set(&result.error, kind, "drive-mirror: vda: No space left on device");
    ending_of_send(&ending, &result, &sent);
    return ending;
}

static void tells_of_a_stage_by_lines_where_nobody_can_draw(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    emit(&scene, (struct event){ .kind = EVENT_STAGE_BEGIN, .stage = "ram-stream" });
    emit(&scene,
         (struct event){ .kind = EVENT_STAGE_END, .stage = "ram-stream", .elapsed_ms = 1500 });
    assert_written(&scene, "xmig: ram-stream: stream the guest's RAM");
    assert_written(&scene, "xmig: ram-stream: done in 1.5 s\n");
    assert_not_written(&scene, "\033");
    done(&scene);
}

static void draws_progress_where_it_can(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ .progress = PROGRESS_ALWAYS });
    emit(&scene, (struct event){ .kind = EVENT_STAGE_BEGIN, .stage = "block-ready-wait" });
    emit(&scene, (struct event){ .kind = EVENT_PROGRESS,
                                 .stage = "block-ready-wait",
                                 .subject = "disk/vda",
                                 .done = 1 << 30,
                                 .total = UINT64_C(4) << 30 });
    assert_written(&scene, "  disk/vda   1.0 GiB of 4.0 GiB, 25%\n");
    assert_written(&scene, "\033[1A");
    done(&scene);
}

static void tells_progress_only_now_and_then_in_lines(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    for (uint64_t i = 1; i <= 100; i++)
        emit(&scene,
             (struct event){ .kind = EVENT_PROGRESS, .subject = "ram", .done = i, .total = 100 });
    look(&scene);
    assert_ptr_equal(strstr(scene.errors, "ram:"), strrchr(scene.errors, 'r'));
    done(&scene);
}

static void says_details_only_when_asked(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    emit(&scene, (struct event){ .kind = EVENT_RECORD, .text = "COMMIT" });
    event_say(&scene.sink, EVENT_DEBUG, NULL, "a detail");
    assert_not_written(&scene, "COMMIT");
    assert_not_written(&scene, "a detail");
    done(&scene);

    begin(&scene, (struct output_options){ .verbose = true });
    emit(&scene, (struct event){ .kind = EVENT_RECORD, .text = "COMMIT" });
    event_say(&scene.sink, EVENT_DEBUG, NULL, "a detail");
    assert_written(&scene, "the journal says COMMIT");
    assert_written(&scene, "a detail");
    done(&scene);
}

static void says_a_warning_again_only_when_it_changes(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    event_say(&scene.sink, EVENT_WARNING, NULL, "not yet");
    event_say(&scene.sink, EVENT_WARNING, NULL, "not yet");
    look(&scene);
    assert_string_equal(scene.errors, "xmig: warning: not yet\n");
    done(&scene);
}

static void ends_a_move_with_its_account(void **unused)
{
    const struct ending ending = moved();
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    emit(&scene, (struct event){ .kind = EVENT_DOWNTIME, .subject = "pause", .elapsed_ms = 2 });
    emit(&scene, (struct event){ .kind = EVENT_DOWNTIME, .subject = "ram", .elapsed_ms = 60 });
    assert_int_equal(report_end(scene.report, &ending), 0);
    assert_written(&scene, "'web' runs on b now");
    assert_written(&scene, "it took 12.3 s, with 84 ms of downtime (pause 2 ms, ram 60 ms)");
    done(&scene);
}

static void ends_a_failure_with_its_cause_and_where_the_vm_is(void **unused)
{
    const struct ending ending = failed(OUTCOME_ROLLED_BACK, ERROR_SYSTEM, 0);
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ .quiet = true });
    assert_int_equal(report_end(scene.report, &ending), 4);
    look(&scene);
    assert_string_equal(scene.errors, "xmig: drive-mirror: vda: No space left on device\n"
                                      "xmig: 'web' runs here; it is safe to try again\n");
    done(&scene);
}

static void a_quiet_one_tells_of_a_warning_and_of_nothing_else(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ .quiet = true });
    emit(&scene, (struct event){ .kind = EVENT_STAGE_BEGIN, .stage = "ram-stream" });
    event_say(&scene.sink, EVENT_NOTE, NULL, "a note");
    event_say(&scene.sink, EVENT_WARNING, NULL, "no network");
    look(&scene);
    assert_string_equal(scene.errors, "xmig: warning: no network\n");
    done(&scene);
}

static void says_what_to_do_when_it_is_undecided(void **unused)
{
    const struct ending ending = failed(OUTCOME_UNDECIDED, ERROR_LOST, 0);
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    assert_int_equal(report_end(scene.report, &ending), 6);
    assert_written(&scene, "start it nowhere; run 'xmig recover 0123456789abcdef'");
    done(&scene);
}

/* The other host has nothing to do with it, and must not be called dead. */
static void says_whose_turn_it_is_where_somebody_else_has_the_vm(void **unused)
{
    const struct result result = { .outcome = OUTCOME_UNDECIDED,
                                   .error = { .kind = ERROR_REFUSED, .text = "process 7 has it" },
                                   .contested = true };
    const struct recovered recovered = {
        .side = SIDE_SEND, .vm = "web", .id = "0123456789abcdef", .target = "host"
    };
    struct ending ending;
    (void)unused;

    ending_of_recover(&ending, &result, &recovered);
    assert_int_equal(ending.status, 6);
    assert_says(ending.text, "somebody else here has 'web'");
    assert_says(ending.next, "only one of those named above is left");
    assert_null(strstr(ending.next, "--peer-is-dead"));
}

static void has_a_status_of_its_own_for_a_signal(void **unused)
{
    const struct ending interrupted = failed(OUTCOME_ROLLED_BACK, ERROR_CANCELLED, 2);
    const struct ending failed_before = failed(OUTCOME_ROLLED_BACK, ERROR_SYSTEM, 2);
    const struct ending undecided = failed(OUTCOME_UNDECIDED, ERROR_CANCELLED, 2);
    (void)unused;

    assert_int_equal(interrupted.status, 130);
    assert_int_equal(failed_before.status, 4);
    assert_int_equal(undecided.status, 6);
}

static void numbers_the_lines_for_programs(void **unused)
{
    const struct ending ending = moved();
    struct scene scene;
    AUTO_JSON cJSON *line = NULL;
    (void)unused;

    begin(&scene, (struct output_options){ .json = true, .quiet = true });
    emit(&scene, (struct event){ .kind = EVENT_STAGE_BEGIN, .stage = "ram-stream" });
    report_end(scene.report, &ending);
    line = last_json(&scene);
    assert_int_equal(json_uint_or(line, "schema", 0), 1);
    assert_int_equal(json_uint_or(line, "seq", 0), 1);
    assert_string_equal(json_string_or(line, "type", ""), "result");
    done(&scene);
}

static void tells_programs_where_the_vm_is(void **unused)
{
    const struct ending ending = failed(OUTCOME_UNDECIDED, ERROR_LOST, 0);
    struct scene scene;
    AUTO_JSON cJSON *line = NULL;
    (void)unused;

    begin(&scene, (struct output_options){ .json = true, .quiet = true });
    report_end(scene.report, &ending);
    line = last_json(&scene);
    assert_string_equal(json_string_or(line, "outcome", ""), "undecided");
    assert_int_equal(json_uint_or(line, "status", 0), 6);
    assert_string_equal(json_string_or(line, "where", ""), "unknown");
    assert_string_equal(json_string_or(line, "vm", ""), "web");
    assert_string_equal(json_string_or(json_object(line, "error", NULL), "kind", ""), "lost");
    done(&scene);
}

static void survives_a_hypervisor_that_counts_nonsense(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ .json = true });
    emit(&scene,
         (struct event){
             .kind = EVENT_PROGRESS, .subject = "ram", .done = UINT64_MAX, .total = UINT64_MAX });
    done(&scene);
}

static void keeps_its_log_until_there_is_a_place_for_it(void **unused)
{
    char *directory = make_directory();
    AUTO_FREE char *below = NULL;
    AUTO_FREE char *path = NULL;
    char text[256] = "";
    struct scene scene;
    FILE *file;
    (void)unused;

    assert_true(asprintf(&below, "%s/id", directory) > 0 &&
                asprintf(&path, "%s/send.log", below) > 0);
    begin(&scene, (struct output_options){ .quiet = true });
    report_keep_in(scene.report, below, SIDE_SEND);
    report_say(scene.report, "early");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mkdir(below, 0700), 0);
    report_say(scene.report, "late");
    file = must(fopen(path, "r"));
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_says(text, " early\n");
    assert_says(text, " late\n");
    done(&scene);
    remove_all(directory);
}

static struct transfer *progress(struct transfers *transfers, uint64_t done, uint64_t now_ms)
{
    const struct event event = {
        .kind = EVENT_PROGRESS, .subject = "ram", .done = done, .total = 1000000
    };

    return transfers_update(transfers, &event, now_ms);
}

static void measures_the_rate_of_the_last_seconds(void **unused)
{
    struct transfers transfers = { 0 };
    const struct transfer *transfer = NULL;
    (void)unused;

    for (uint64_t s = 0; s <= 100; s++)
        transfer =
            progress(&transfers, s < 50 ? s * 10000 : 500000 + (s - 50) * 1000, 1000 + s * 1000);
    assert_int_equal(transfer->rate, 1000);
    assert_int_equal(transfer_left_ms(transfer), 450000);
}

/* The guest writes as much as is copied: nobody knows when that ends. */
static void invents_no_end_when_nothing_becomes_less(void **unused)
{
    struct transfers transfers = { 0 };
    const struct transfer *transfer = NULL;
    (void)unused;

    for (uint64_t s = 0; s <= 20; s++) {
        const struct event event = { .kind = EVENT_PROGRESS,
                                     .subject = "disk/vda",
                                     .done = s * 1000,
                                     .total = 50000 + s * 1000 };

        transfer = transfers_update(&transfers, &event, 1000 + s * 1000);
    }
    assert_int_equal(transfer->rate, 1000);
    assert_int_equal(transfer_left_ms(transfer), 0);
}

static void has_no_rate_before_it_has_measured(void **unused)
{
    struct transfers transfers = { 0 };
    const struct transfer *transfer = progress(&transfers, 5000, 1000);
    (void)unused;

    assert_int_equal(transfer->rate, 0);
    assert_int_equal(transfer_left_ms(transfer), 0);
}

/* A prompt is seen at once, and a line that another program has begun does not become ours. */
static void what_others_say_has_a_name_before_each_line(void **unused)
{
    struct scene scene;
    (void)unused;

    begin(&scene, (struct output_options){ 0 });
    report_pass_on(scene.report, "beta", "Password: ");
    assert_written(&scene, "beta: Password: ");
    report_pass_on(scene.report, "beta", "\nxmig: 'demo' runs here\nmore");
    report_say(scene.report, "ours");
    look(&scene);
    assert_string_equal(scene.errors,
                        "beta: Password: \nbeta: xmig: 'demo' runs here\nbeta: more\nxmig: ours\n");
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_of_a_stage_by_lines_where_nobody_can_draw),
        cmocka_unit_test(draws_progress_where_it_can),
        cmocka_unit_test(tells_progress_only_now_and_then_in_lines),
        cmocka_unit_test(says_details_only_when_asked),
        cmocka_unit_test(says_a_warning_again_only_when_it_changes),
        cmocka_unit_test(ends_a_move_with_its_account),
        cmocka_unit_test(ends_a_failure_with_its_cause_and_where_the_vm_is),
        cmocka_unit_test(a_quiet_one_tells_of_a_warning_and_of_nothing_else),
        cmocka_unit_test(says_what_to_do_when_it_is_undecided),
        cmocka_unit_test(says_whose_turn_it_is_where_somebody_else_has_the_vm),
        cmocka_unit_test(has_a_status_of_its_own_for_a_signal),
        cmocka_unit_test(numbers_the_lines_for_programs),
        cmocka_unit_test(tells_programs_where_the_vm_is),
        cmocka_unit_test(survives_a_hypervisor_that_counts_nonsense),
        cmocka_unit_test(keeps_its_log_until_there_is_a_place_for_it),
        cmocka_unit_test(measures_the_rate_of_the_last_seconds),
        cmocka_unit_test(has_no_rate_before_it_has_measured),
        cmocka_unit_test(invents_no_end_when_nothing_becomes_less),
        cmocka_unit_test(what_others_say_has_a_name_before_each_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
