#include "cmd/option-pairs.h"
#include "cmd/options.h"

#include "tests/unit/helpers.h"
#include "xmig/units.h"

enum {
    WORDS_MAX = 24
};

/* A command line: "send --json VM DEST" */
struct line {
    char text[256];
    char *words[WORDS_MAX + 1];
    int count;
};

static void split(struct line *line, const char *text)
{
    char *rest = line->text;
    char *word;

    snprintf(line->text, sizeof(line->text), "%s", text);
    for (line->count = 0; (word = strtok_r(rest, " ", &rest)); line->count++)
        line->words[line->count] = word;
    line->words[line->count] = NULL;
}

static bool sends(struct send_options *options, struct line *line, const char *text,
                  struct error *err)
{
    split(line, text);
    return parse_send(options, line->count, line->words, err);
}

/* The complaint about a command line of `xmig send`. */
static void assert_complains(const char *text, const char *about)
{
    struct send_options options;
    struct line line;
    struct error err = { 0 };

    if (sends(&options, &line, text, &err))
        fail_msg("'%s' was accepted", text);
    send_options_done(&options);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, about);
}

static bool leaves_out(const struct send_options *options, const char *stage)
{
    for (const char *const *name = options->migration.without; *name; name++)
        if (!strcmp(*name, stage))
            return true;
    return false;
}

static void takes_a_vm_and_a_destination(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send qemu:web user@host", NULL));
    assert_string_equal(options.vm, "qemu:web");
    assert_string_equal(options.dest, "user@host");
    assert_true(options.migration.vm.mirrors_disks);
    assert_int_equal(options.migration.lease_ms, 600000);
    assert_true(options.migration.max_pause_ms == MAX_PAUSE_DEFAULT);
    send_options_done(&options);
}

static void takes_options_before_and_behind_the_operands(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send -n web --json host -q", NULL));
    assert_string_equal(options.dest, "host");
    assert_true(options.migration.dry_run && options.output.json && options.output.quiet);
    send_options_done(&options);
}

static void takes_limits_with_units(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(
        sends(&options, &line,
              "send web host --max-downtime 300ms --max-pause 7s --bwlimit 200M --deadline 2h "
              "--lease 0 --compress",
              NULL));
    assert_int_equal(options.migration.vm.max_downtime_ms, 300);
    assert_int_equal(options.migration.max_pause_ms, 7000);
    assert_int_equal(options.migration.bandwidth, 200 << 20);
    assert_true(options.migration.compress);
    assert_int_equal(options.migration.deadline_ms, 7200000);
    assert_int_equal(options.migration.lease_ms, 0);
    send_options_done(&options);
}

/* Whoever has moved it hears what the target did at the end of its lease. */
static void outlasts_the_lease(void **unused)
{
    const char *const lines[] = { "send web host", "send web host --lease 10s",
                                  "send web host --lease 3h", NULL };
    struct send_options options;
    struct line line;
    (void)unused;

    for (size_t i = 0; lines[i]; i++) {
        assert_true(sends(&options, &line, lines[i], NULL));
        assert_true(options.migration.patience_ms >
                    options.migration.lease_ms + options.migration.timing.lost_ms);
        send_options_done(&options);
    }
}

static void takes_a_path_for_each_disk(void **unused)
{
    struct send_options options;
    struct line line;
    const cJSON *targets;
    (void)unused;

    assert_true(sends(&options, &line, "send web host --disk vda=/a=b --disk vdb=/c", NULL));
    targets = options.migration.vm.disk_targets;
    assert_string_equal(json_string_or(targets, "vda", ""), "/a=b");
    assert_string_equal(json_string_or(targets, "vdb", ""), "/c");
    send_options_done(&options);
}

static void takes_what_shall_be_otherwise_at_the_target(void **unused)
{
    struct send_options options;
    struct line line;
    const struct vm_options *host = &options.migration.vm;
    (void)unused;

    assert_true(sends(&options, &line,
                      "send web host --bridge br0=xenbr0 --disk xvda=/dev/vg/web --overwrite xvda "
                      "--eject hdc --eject hdc --shared xvdb --create-volumes vg0",
                      NULL));
    assert_string_equal(host->volume_group, "vg0");
    assert_string_equal(json_string_or(host->bridges, "br0", ""), "xenbr0");
    assert_true(json_true(host->overwrite, "xvda"));
    assert_true(json_true(host->shared, "xvdb"));
    assert_true(json_true(host->eject, "hdc"));
    assert_false(json_true(host->eject, "hdd"));
    send_options_done(&options);
}

static void takes_a_way_to_move_ram(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send web host --ram one-pass", NULL));
    assert_int_equal(options.migration.vm.ram, RAM_ONE_PASS);
    send_options_done(&options);
}

static void takes_a_fault(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send web host --fault COMMIT:after:send:crash", NULL));
    assert_string_equal(options.migration.fault.point, "COMMIT");
    assert_int_equal(options.migration.fault.how, FAULT_CRASH);
    send_options_done(&options);
}

static void leaves_out_what_only_waits_for_the_mirrors(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send web host --without drive-mirror", NULL));
    assert_true(leaves_out(&options, "drive-mirror"));
    assert_true(leaves_out(&options, "block-ready-wait"));
    assert_false(options.migration.vm.mirrors_disks);
    send_options_done(&options);
}

static void asks_for_help_whatever_else_is_missing(void **unused)
{
    struct send_options options;
    struct line line;
    (void)unused;

    assert_true(sends(&options, &line, "send --help", NULL));
    assert_true(options.help);
    send_options_done(&options);
}

static void refuses_what_makes_no_sense(void **unused)
{
    (void)unused;

    assert_complains("send", "VM is missing");
    assert_complains("send web", "DEST is missing");
    assert_complains("send web host more", "'more'");
    assert_complains("send web host --nonsense", "'--nonsense'");
    assert_complains("send web host -x", "'-x'");
    assert_complains("send web host --name", "'--name' needs a value");
    assert_complains("send web host --json=3", "'--json' takes no value");
    assert_complains("send web host --disk vda", "NAME=PATH");
    assert_complains("send web host --disk vda=/a --disk vda=/b", "twice");
    assert_complains("send web host --ram fast", "none of auto, live");
    assert_complains("send web host --progress maybe", "none of auto");
    assert_complains("send web host --max-downtime 300", "--max-downtime: '300' needs a unit");
    assert_complains("send web host --bwlimit 5Q", "unknown unit");
    assert_complains("send web host --fault nonsense", "--fault");
}

static void refuses_stages_that_cannot_be_left_out_or_stopped_at(void **unused)
{
    (void)unused;

    assert_complains("send web host --without nonsense", "no stage");
    assert_complains("send web host --without params-copy", "cannot be left out");
    assert_complains("send web host --without block-ready-wait", "together with drive-mirror");
    assert_complains("send web host --until nonsense", "no stage");
    assert_complains("send web host --until incoming-resume", "nothing can be undone");
    assert_complains("send web host --without drive-mirror --until drive-mirror", "left out");
}

static void names_a_migration_to_recover(void **unused)
{
    struct recover_command_options options;
    struct line line;
    (void)unused;

    split(&line, "recover --peer-is-dead --side recv -y 0123456789abcdef");
    assert_true(parse_recover(&options, line.count, line.words, NULL));
    assert_true(options.recover.peer_is_dead && options.yes && options.has_side);
    assert_int_equal(options.side, SIDE_RECV);
    assert_string_equal(options.id, "0123456789abcdef");
}

static void finds_json_in_a_line_that_makes_no_sense(void **unused)
{
    struct line line;
    (void)unused;

    split(&line, "send --nonsense --json");
    assert_true(asks_for_json(line.count, line.words));
    split(&line, "send -- --json");
    assert_false(asks_for_json(line.count, line.words));
}

static void reads_sizes(void **unused)
{
    uint64_t bytes;
    (void)unused;

    assert_true(parse_size("4096", &bytes, NULL));
    assert_int_equal(bytes, 4096);
    assert_true(parse_size("1.5K", &bytes, NULL));
    assert_int_equal(bytes, 1536);
    assert_true(parse_size("2T", &bytes, NULL));
    assert_int_equal(bytes, UINT64_C(2) << 40);
    assert_false(parse_size("", &bytes, NULL));
    assert_false(parse_size("-1", &bytes, NULL));
    assert_false(parse_size("1.", &bytes, NULL));
    assert_false(parse_size("K", &bytes, NULL));
    assert_false(parse_size("99999999999999999999999T", &bytes, NULL));
}

static void reads_times(void **unused)
{
    uint64_t ms;
    (void)unused;

    assert_true(parse_time("0", &ms, NULL));
    assert_int_equal(ms, 0);
    assert_true(parse_time("1.5s", &ms, NULL));
    assert_int_equal(ms, 1500);
    assert_true(parse_time("10min", &ms, NULL));
    assert_int_equal(ms, 600000);
    assert_false(parse_time("10", &ms, NULL));
    assert_false(parse_time("10m", &ms, NULL));
}

static void prints_what_it_reads(void **unused)
{
    char text[UNITS_TEXT_MAX];
    (void)unused;

    assert_string_equal(print_size(text, 0), "0 bytes");
    assert_string_equal(print_size(text, 1024), "1.0 KiB");
    assert_string_equal(print_size(text, (UINT64_C(1) << 30) - 1), "1.0 GiB");
    assert_string_equal(print_time(text, 84), "84 ms");
    assert_string_equal(print_time(text, 12345), "12.3 s");
    assert_string_equal(print_time(text, 250000), "4 min 10 s");
    assert_string_equal(print_time(text, 12000000), "3 h 20 min");
    assert_string_equal(print_age(text, 900), "just now");
    assert_string_equal(print_age(text, 90000), "90 s ago");
}

static void what_may_be_lost_is_said_by_disk(void **unused)
{
    AUTO_JSON cJSON *lose = must(cJSON_CreateObject());
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(take_lose(lose, "vda=snapshots", &err));
    assert_true(take_lose(lose, "vda=bitmaps", &err));
    assert_true(take_lose(lose, "vdb=bitmaps", &err));
    text = json_print(lose);
    assert_string_equal(text, "{\"vda\":{\"snapshots\":true,\"bitmaps\":true},"
                              "\"vdb\":{\"bitmaps\":true}}");
    assert_false(take_lose(lose, "vda=all", &err));
    assert_false(take_lose(lose, "snapshots", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_vm_and_a_destination),
        cmocka_unit_test(takes_options_before_and_behind_the_operands),
        cmocka_unit_test(takes_limits_with_units),
        cmocka_unit_test(outlasts_the_lease),
        cmocka_unit_test(takes_a_path_for_each_disk),
        cmocka_unit_test(takes_what_shall_be_otherwise_at_the_target),
        cmocka_unit_test(takes_a_way_to_move_ram),
        cmocka_unit_test(takes_a_fault),
        cmocka_unit_test(leaves_out_what_only_waits_for_the_mirrors),
        cmocka_unit_test(asks_for_help_whatever_else_is_missing),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(refuses_stages_that_cannot_be_left_out_or_stopped_at),
        cmocka_unit_test(names_a_migration_to_recover),
        cmocka_unit_test(finds_json_in_a_line_that_makes_no_sense),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(what_may_be_lost_is_said_by_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
