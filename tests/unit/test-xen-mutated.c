/* Parameters of a domain that somebody has changed, as tests/e2e/mutated_sender.py changes those of
 * a QEMU: what arrives is read, judged and refused without Xen. Each seed must have its answer.
 *
 *     XMIG_TEST_SEED=SEED plays one of them again, and tells what was changed
 */
#include "helpers.h"

#include "host/xen/copy/copy.h"
#include "host/xen/copy/needs.h"
#include "tests/unit/xen-guest.h"
#include "xmig/text.h"

enum {
    SEEDS = 4000,
    CHANGES_MAX = 3
};

static uint64_t state;

static size_t chance(size_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % below;
}

static cJSON *good_params(void)
{
    AUTO_FREE char *text = formatted(xen_guest, "", "", "", "", "1024", "", "", "", "");

    return must(cJSON_Parse(text));
}

/* What may stand in any place; parsed anew each time. */
static const char *const values[] = { "-1",
                                      "0",
                                      "1",
                                      "2147483648",
                                      "4294967296",
                                      "9007199254740992",
                                      "18446744073709551616",
                                      "1e300",
                                      "0.5",
                                      "\"\"",
                                      "\"..\"",
                                      "\"../../etc/shadow\"",
                                      "\"/\"",
                                      "\"/etc/shadow\"",
                                      "\"/bin/sh\"",
                                      "\"\\u001b[31m\"",
                                      "\"\\u202e\"",
                                      "\"%s%n\"",
                                      "\"a\\nb\"",
                                      "\"True\"",
                                      "\"json:{}\"",
                                      "\"fat:rw:/etc\"",
                                      "\"nbd:127.0.0.1:1\"",
                                      "\"@DOMID@\"",
                                      "\"-1\"",
                                      "\"99999999999999999999\"",
                                      "\"file=/etc/shadow,if=ide,format=raw\"",
                                      "\"tap,id=n,script=/bin/sh\"",
                                      "\"-D\"",
                                      "\"-S\"",
                                      "null",
                                      "true",
                                      "false",
                                      "[]",
                                      "{}",
                                      "[[]]",
                                      "[null,null]",
                                      "{\"\":{\"\":{}}}" };

static cJSON *some_value(void)
{
    size_t which = chance(sizeof(values) / sizeof(values[0]) + 1);
    AUTO_FREE char *text = NULL;

    if (which < sizeof(values) / sizeof(values[0]))
        return must(cJSON_Parse(values[which]));
    text = must(malloc(70001));
    memset(text, 'x', 70000);
    text[70000] = '\0';
    return must(cJSON_CreateString(text));
}

static size_t count_places(const cJSON *value)
{
    const cJSON *child;
    size_t count = 0;

    cJSON_ArrayForEach (child, value)
        count += 1 + count_places(child);
    return count;
}

/* The place with that number, and what it is in. */
static cJSON *find_place(cJSON *value, size_t *number, cJSON **parent)
{
    cJSON *child, *found;

    cJSON_ArrayForEach (child, value) {
        *parent = value;
        if ((*number)-- == 0)
            return child;
        found = find_place(child, number, parent);
        if (found)
            return found;
    }
    return NULL;
}

static void change(cJSON *params, bool tell)
{
    size_t number = chance(count_places(params));
    cJSON *parent = NULL;
    cJSON *place = find_place(params, &number, &parent);
    size_t how = chance(5);

    if (tell)
        print_message("'%s' in '%s' (%zu)\n", place->string ? place->string : "", parent->string,
                      how);
    if (how == 0) {
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, place));
        return;
    }
    if (how == 1 && cJSON_IsArray(parent))
        cJSON_AddItemToArray(parent, must(cJSON_Duplicate(place, true)));
    else if (cJSON_IsArray(parent))
        cJSON_ReplaceItemViaPointer(parent, place, some_value());
    else
        cJSON_ReplaceItemInObjectCaseSensitive(parent, place->string, some_value());
}

/* As a receiver does it: what the domain needs, for a policy. */
static bool is_understood(struct xen_copy *vm, const cJSON *params, struct error *err)
{
    struct needs needs = { 0 };
    bool ok = xen_params_read(params, &vm->params, err) &&
              domain_needs(&vm->params, "/usr/libexec/xen-qemu-system-i386", true, &needs, err);

    needs_done(&needs);
    return ok;
}

/* And what it would start and write here. This host is none of Xen's, so that something lacks even
 * for the good one; all else is looked at, too.
 */
static void look_at_what_arrived(struct xen_copy *vm)
{
    AUTO_JSON cJSON *refusals = must(cJSON_CreateArray());
    struct error err = { .refusals = refusals };

    if (!xen_check_arrived(vm, &err))
        assert_true(err.kind != ERROR_NONE || refusals->child != NULL);
    argv_result_done(&vm->line);
}

static bool play(uint64_t seed, bool tell)
{
    AUTO_JSON cJSON *params = good_params();
    struct xen_copy vm = { 0 };
    struct error err = { 0 };
    bool ok;

    state = seed;
    for (size_t i = 1 + chance(CHANGES_MAX); i > 0 && count_places(params) > 0; i--)
        change(params, tell);
    ok = is_understood(&vm, params, &err);
    if (ok)
        look_at_what_arrived(&vm);
    else if (err.kind == ERROR_NONE || !*err.text)
        fail_msg("seed %llu: refused, and nothing said", (unsigned long long)seed);
    if (tell)
        print_message("%s\n", ok ? "understood" : err.text);
    return ok;
}

static void each_has_its_answer(void **unused)
{
    const char *seed = getenv("XMIG_TEST_SEED");
    struct xen_copy vm = { 0 };
    struct error err = { 0 };
    AUTO_JSON cJSON *good = good_params();
    size_t understood = 0;
    (void)unused;

    assert_ok(is_understood(&vm, good, &err), &err);
    if (seed) {
        (void)play(strtoull(seed, NULL, 10), true);
        return;
    }
    for (uint64_t i = 1; i <= SEEDS; i++)
        understood += play(i, false);
    assert_in_range(understood, SEEDS / 10, SEEDS * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_has_its_answer) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
