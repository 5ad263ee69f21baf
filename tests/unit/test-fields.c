/* A struct and a JSON object: what is written is read, and what is wrong is refused by its name. */
#include "core/field-rows.h"
#include "tests/unit/helpers.h"

struct leg {
    const char *shoe;
    uint64_t size;
};

#define FIELDS_OF struct leg
static const struct field leg_fields[] = {
    TEXT(shoe, .is_valid = field_is_name),
    NUMBER(size, .max = 50),
    { 0 },
};

struct animal {
    const char *name;
    const char *owner;
    char tag[4];
    uint64_t weight, legs_left;
    bool fed, wild;
    const cJSON *calls, *weights, *rest, *legs;
    struct leg tail;
};

#undef FIELDS_OF
#define FIELDS_OF struct animal
static const struct field animal_fields[] = {
    TEXT(name),
    TEXT(owner, OPTIONAL, .instead = "nobody"),
    CHARS(tag, OPTIONAL),
    NUMBER(weight),
    NUMBER(legs_left, OPTIONAL, .otherwise = 4),
    FLAG(fed),
    FLAG(wild, OPTIONAL),
    TEXTS(calls),
    MAP(weights),
    OBJECT(rest, OPTIONAL),
    EACH(legs, leg_fields),
    PART(tail, struct leg, leg_fields),
    { 0 },
};

#define WHOLE                                                                                      \
    "{\"name\":\"Rex\",\"owner\":\"Ann\",\"tag\":\"abc\",\"weight\":4503599627370495,"             \
    "\"legs_left\":3,\"fed\":false,\"wild\":true,\"calls\":[\"wuff\",\"\"],"                       \
    "\"weights\":{\"ear\":\"1\"},\"rest\":{\"x\":[1,null]},"                                       \
    "\"legs\":[{\"shoe\":\"left\",\"size\":50},{\"shoe\":\"right\",\"size\":0}],"                  \
    "\"tail\":{\"shoe\":\"a-1._\",\"size\":7}}"
#define LEAST                                                                                      \
    "{\"name\":\"\",\"weight\":0,\"fed\":true,\"calls\":[],\"weights\":{},\"legs\":[],"            \
    "\"tail\":{\"shoe\":\"s\",\"size\":1}}"

static cJSON *parsed(const char *text)
{
    return must(cJSON_Parse(text));
}

static void comes_back_as_it_was(const char *text)
{
    AUTO_JSON cJSON *json = parsed(text);
    AUTO_JSON cJSON *again = NULL;
    AUTO_FREE char *printed = NULL;
    struct animal animal;
    struct error err = { 0 };

    memset(&animal, 0xff, sizeof(animal));
    assert_ok(fields_read(animal_fields, json, &animal, &err), &err);
    again = fields_new(animal_fields, &animal);
    printed = json_print(again);
    assert_string_equal(printed, text);
}

static void what_is_written_is_what_was_read(void **unused)
{
    (void)unused;
    comes_back_as_it_was(WHOLE);
}

/* All but the texts, which nothing distinguishes from one that is there. */
static void what_is_as_if_missing_is_not_written(void **unused)
{
    AUTO_JSON cJSON *json = parsed(LEAST);
    AUTO_JSON cJSON *again = NULL;
    AUTO_FREE char *printed = NULL;
    struct animal animal;
    struct error err = { 0 };
    (void)unused;

    assert_ok(fields_read(animal_fields, json, &animal, &err), &err);
    animal.owner = NULL;
    again = fields_new(animal_fields, &animal);
    printed = json_print(again);
    assert_string_equal(printed, LEAST);
}

static void what_is_missing_is_as_the_table_says(void **unused)
{
    AUTO_JSON cJSON *json = parsed(LEAST);
    struct animal animal;
    struct error err = { 0 };
    (void)unused;

    memset(&animal, 0xff, sizeof(animal));
    assert_ok(fields_read(animal_fields, json, &animal, &err), &err);
    assert_string_equal(animal.owner, "nobody");
    assert_string_equal(animal.tag, "");
    assert_int_equal(animal.legs_left, 4);
    assert_false(animal.wild);
    assert_null(animal.rest);
}

static void what_no_table_names_is_left_alone(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    struct animal animal;
    struct error err = { 0 };
    (void)unused;

    cJSON_AddStringToObject(json, "of a later xmig", "yes");
    assert_ok(fields_read(animal_fields, json, &animal, &err), &err);
}

static void each_of_an_array_is_taken_apart(void **unused)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    struct animal animal;
    struct leg leg;
    const cJSON *item;
    uint64_t sizes = 0;
    (void)unused;

    assert_true(fields_read(animal_fields, json, &animal, NULL));
    fields_each (item, animal.legs, leg_fields, &leg)
        sizes += leg.size + strlen(leg.shoe);
    assert_int_equal(sizes, 50 + 0 + 4 + 5);
    animal.legs = NULL;
    fields_each (item, animal.legs, leg_fields, &leg)
        fail();
}

/* Reads WHOLE with `name` being `value`; NULL: without it. */
static void is_refused(const char *name, const char *value, const char *why)
{
    AUTO_JSON cJSON *json = parsed(WHOLE);
    struct animal animal;
    struct error err = { 0 };

    if (value)
        cJSON_ReplaceItemInObjectCaseSensitive(json, name, parsed(value));
    else
        cJSON_DeleteItemFromObjectCaseSensitive(json, name);
    if (fields_read(animal_fields, json, &animal, &err))
        fail_msg("%s: %s was taken", name, value ? value : "nothing");
    assert_int_equal(err.kind, ERROR_PROTOCOL);
    assert_string_equal(err.text, why);
}

static void refuses_what_is_missing(void **unused)
{
    static const char *const names[] = {
        "name", "weight", "fed", "calls", "weights", "legs", "tail"
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char why[32];

        snprintf(why, sizeof(why), "'%s' is missing", names[i]);
        is_refused(names[i], NULL, why);
    }
}

static void refuses_another_type(void **unused)
{
    (void)unused;
    is_refused("name", "1", "'name' is not a string");
    is_refused("owner", "null", "'owner' is not a string");
    is_refused("tag", "{}", "'tag' is not a string");
    is_refused("weight", "\"1\"", "'weight' is not a whole number from 0 to 2^53");
    is_refused("fed", "1", "'fed' is not true or false");
    is_refused("wild", "\"true\"", "'wild' is not true or false");
    is_refused("calls", "{}", "'calls' is not an array");
    is_refused("weights", "[]", "'weights' is not an object");
    is_refused("rest", "[]", "'rest' is not an object");
    is_refused("legs", "{}", "'legs' is not an array");
    is_refused("tail", "[]", "'tail' is not an object");
}

static void refuses_what_is_out_of_bounds(void **unused)
{
    (void)unused;
    is_refused("weight", "-1", "'weight' is not a whole number from 0 to 2^53");
    is_refused("weight", "0.5", "'weight' is not a whole number from 0 to 2^53");
    is_refused("weight", "1e300", "'weight' is not a whole number from 0 to 2^53");
    is_refused("tag", "\"abcd\"", "'tag' is longer than 3 bytes");
    is_refused("tail", "{\"shoe\":\"s\",\"size\":51}", "tail: 'size' is 51, and may be 50 at most");
    is_refused("tail", "{\"shoe\":\"a/b\",\"size\":1}", "tail: 'shoe' cannot be 'a/b'");
}

static void refuses_what_is_wrong_within(void **unused)
{
    (void)unused;
    is_refused("calls", "[\"a\",2]", "'calls' is not all strings");
    is_refused("weights", "{\"a\":\"1\",\"b\":{}}", "'weights' is not all strings");
    is_refused("legs", "[1]", "'legs' is not all objects");
    is_refused("legs", "[{\"shoe\":\"s\",\"size\":1},{\"shoe\":\"s\"}]",
               "legs[1]: 'size' is missing");
    is_refused("tail", "{}", "tail: 'shoe' is missing");
}

static void a_name_may_stand_in_a_path_and_in_an_option(void **unused)
{
    static const char *const wrong[] = {
        "", ".", "..", ".hidden", "a/b", "a b", "a,b", "a=b", "\n"
    };
    char long_name[130];
    (void)unused;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(field_is_name(wrong[i]));
    memset(long_name, 'a', sizeof(long_name));
    long_name[129] = '\0';
    assert_false(field_is_name(long_name));
    long_name[128] = '\0';
    assert_true(field_is_name(long_name));
    assert_true(field_is_name("ide0-hd0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_was_read),
        cmocka_unit_test(what_is_as_if_missing_is_not_written),
        cmocka_unit_test(what_is_missing_is_as_the_table_says),
        cmocka_unit_test(what_no_table_names_is_left_alone),
        cmocka_unit_test(each_of_an_array_is_taken_apart),
        cmocka_unit_test(refuses_what_is_missing),
        cmocka_unit_test(refuses_another_type),
        cmocka_unit_test(refuses_what_is_out_of_bounds),
        cmocka_unit_test(refuses_what_is_wrong_within),
        cmocka_unit_test(a_name_may_stand_in_a_path_and_in_an_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
