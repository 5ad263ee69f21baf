/* A policy's files: what they say, whose they are, and what is wrong with them. */
#include "helpers.h"

#include "policy/sections.h"
#include "xmig/policy.h"

static const char *const web[] = { "web", NULL };

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = must(fopen(path, "w"));
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
}

/* What the value of the key is, for 'web'. The caller frees it. */
static char *value_of(const char *directory, const char *key)
{
    struct policy *policy = policy_load(directory, web);
    AUTO_JSON cJSON *lines = policy_describe(policy);
    char *value = NULL;
    const cJSON *line;

    cJSON_ArrayForEach (line, lines)
        if (!strcmp(json_string_or(line, "key", ""), key))
            value = must(strdup(json_string_or(line, "value", "?")));
    policy_free(policy);
    return value;
}

static void assert_value(const char *directory, const char *key, const char *expected)
{
    AUTO_FREE char *value = value_of(directory, key);

    assert_string_equal(value, expected);
}

/* Why nothing is permitted to 'web'. */
static void assert_nothing(const char *directory, const char *words)
{
    struct policy *policy = policy_load(directory, web);
    struct needs needs = { 0 };
    struct error err = { 0 };

    assert_false(policy_applies(policy, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, words);
    assert_false(policy_permits_faults(policy));
    error_clear(&err);
    assert_false(policy_permits(policy, &needs, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, words);
    policy_free(policy);
}

static void without_a_file_nothing_is_permitted(void **state)
{
    char *directory = make_directory();

    (void)state;
    assert_nothing(directory, "has no policy");
    remove_empty(directory);
}

static void without_a_section_that_fits_nothing_is_permitted(void **state)
{
    char *directory = make_directory();

    (void)state;
    write_file(directory, "recv.conf", "[other]\nvms = *\n");
    assert_nothing(directory, "has no section [web], and no [default]");
    remove_all(directory);
}

static void the_default_section_fits_everybody(void **state)
{
    char *directory = make_directory();

    (void)state;
    write_file(directory, "recv.conf", "[other]\nvms = other\n[default]\nvms = all\n");
    assert_value(directory, "vms", "all");
    remove_all(directory);
}

static void a_senders_own_section_precedes_the_default_key_by_key(void **state)
{
    char *directory = make_directory();

    (void)state;
    write_file(directory, "recv.conf",
               "[default]\nvms = all\nmax-memory = 1G\n[web]\nmax-memory = 2G\n");
    assert_value(directory, "vms", "all");
    assert_value(directory, "max-memory", "2G");
    remove_all(directory);
}

static void the_first_name_with_a_section_counts(void **state)
{
    static const char *const names[] = { "sha256:11", "sha256:22", "web", NULL };
    char *directory = make_directory();
    struct policy *policy;

    (void)state;
    write_file(directory, "recv.conf", "[web]\nvms = web\n[sha256:22]\nvms = key\n");
    policy = policy_load(directory, names);
    assert_string_equal(policy_name(policy), "sha256:22");
    assert_true(policy_applies(policy, NULL));
    policy_free(policy);
    write_file(directory, "recv.conf", "[default]\nvms = all\n");
    policy = policy_load(directory, names);
    assert_string_equal(policy_name(policy), "web"); /* for people */
    policy_free(policy);
    remove_all(directory);
}

static void long_names_are_told_apart(void **state)
{
    static const char digits[] = "0123456789012345678901234567890123456789012345678901234567890123";
    char name[80], text[256];
    const char *const names[] = { name, NULL };
    char *directory = make_directory();
    struct policy *policy;

    (void)state;
    snprintf(text, sizeof(text), "[sha256:%s]\nvms = *\n", digits);
    write_file(directory, "recv.conf", text);
    snprintf(name, sizeof(name), "sha256:%s", digits);
    policy = policy_load(directory, names);
    assert_true(policy_applies(policy, NULL));
    policy_free(policy);
    name[strlen(name) - 1] = 'x';
    policy = policy_load(directory, names);
    assert_false(policy_applies(policy, NULL));
    policy_free(policy);
    remove_all(directory);
}

static void more_files_are_read_in_the_order_of_their_names(void **state)
{
    char *directory = make_directory();
    char path[512];

    (void)state;
    snprintf(path, sizeof(path), "%s/recv.conf.d", directory);
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(directory, "recv.conf", "[web]\nvms = web\n");
    write_file(path, "20.conf", "[web]\nmax-memory = 2G\n");
    write_file(path, "10.conf", "[web]\nmax-memory = 1G\n");
    write_file(path, "ignored.txt", "nonsense\n");
    write_file(path, ".hidden.conf", "nonsense\n");
    assert_nothing(directory, "20.conf:2: max-memory is set twice in [web], first at");
    write_file(path, "20.conf", "[web]\nmax-disk = 2G\n");
    assert_value(directory, "vms", "web");
    assert_value(directory, "max-memory", "1G");
    assert_value(directory, "max-disk", "2G");
    remove_all(directory);
}

static void comments_and_blanks_do_not_count(void **state)
{
    char *directory = make_directory();

    (void)state;
    write_file(directory, "recv.conf",
               "# first\n; second\n\n  [ web ]  \n\tvms =\ta*, b#1 # only these\nusers = \n");
    assert_value(directory, "vms", "a*, b#1");
    assert_value(directory, "users", "");
    remove_all(directory);
}

static void a_bad_line_is_named(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "vms = x\n", "recv.conf:1: 'vms' stands in no section" },
        { "[web]\nnonsense\n", "recv.conf:2: this is neither [SECTION] nor KEY = VALUE" },
        { "[web\n", "recv.conf:1: a section is written [NAME]" },
        { "[]\n", "recv.conf:1: a section is written [NAME]" },
        { "[a]b]\n", "recv.conf:1: a section is written [NAME]" },
        { "[web]\n= x\n", "recv.conf:2: a key is missing before '='" },
        { "[web]\nvm = x\n", "recv.conf:2: there is no key 'vm'" },
        { "[web]\n\n# x\nVMS = x\n", "recv.conf:4: there is no key 'VMS'" },
        { "[web]\nvms = \x1b[31m\n", "recv.conf:2: a control character (27) is in this line" },
        { "[web]\r\n", "recv.conf:1: a control character (13) is in this line" },
        { "[other]\nmax-memory = many\n", "recv.conf:2: max-memory: 'many' is not a number" },
        { "[web]\nmax-memory =\n", "recv.conf:2: max-memory: '' is not a number" },
        { "[web]\nmax-lease = 10\n", "recv.conf:2: max-lease: '10' needs a unit" },
        { "[web]\nmax-migrations = -1\n", "recv.conf:2: max-migrations: '-1' is not a number" },
        { "[web]\nbwlimit = 0\n", "recv.conf:2: bwlimit: nothing can come" },
        { "[web]\nfaults = true\n", "recv.conf:2: faults: 'true' is neither yes nor no" },
        { "[web]\nprograms = qemu\n", "recv.conf:2: programs: 'qemu' is not a path" },
        { "[web]\nimage-directories = vm\n", "recv.conf:2: image-directories: 'vm' is not a path" },
        { "[web]\nlisteners = 127.0.0.1:\n",
          "recv.conf:2: listeners: '127.0.0.1:' is not an addr" },
        { "[web]\nlisteners = *:9-1\n", "recv.conf:2: listeners: '*:9-1' is not an address" },
        { "[web]\nlisteners = [::1]x\n", "recv.conf:2: listeners: '[::1]x' is not an address" },
        { "[web]\nlisteners = [::1]:220*\n", "recv.conf:2: listeners: '[::1]:220*' is not an" },
        { "[web]\nlisteners = *:1-\n", "recv.conf:2: listeners: '*:1-' is not an address" },
        { "[web]\nlisteners = *:1-2x\n", "recv.conf:2: listeners: '*:1-2x' is not an address" },
        { "[web]\nlisteners = *:65536\n", "recv.conf:2: listeners: '*:65536' is not an address" },
        { "[web]\noverwrite = never a/b\n", "recv.conf:2: overwrite: 'never' stands alone" },
        { "[web]\nvms = a\n[x]\n[web]\nvms = b\n",
          "recv.conf:5: vms is set twice in [web], first" },
    };
    char *directory = make_directory();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(directory, "recv.conf", bad[i].text);
        assert_nothing(directory, bad[i].words);
    }
    remove_all(directory);
}

static void a_file_that_others_may_write_to_is_refused(void **state)
{
    char *directory = make_directory();
    char path[512];

    (void)state;
    write_file(directory, "recv.conf", "[web]\nvms = *\n");
    snprintf(path, sizeof(path), "%s/recv.conf", directory);
    for (int bit = 0; bit < 2; bit++) {
        assert_int_equal(chmod(path, bit ? 0602 : 0620), 0);
        assert_nothing(directory, "others than the owner may write to it");
    }
    assert_int_equal(chmod(path, 0644), 0);
    assert_value(directory, "vms", "*");
    assert_int_equal(chmod(directory, 0777), 0);
    assert_nothing(directory, "others than the owner may write to it");
    remove_all(directory);
}

static void what_is_no_file_is_refused(void **state)
{
    char *directory = make_directory();
    char path[512];

    (void)state;
    snprintf(path, sizeof(path), "%s/recv.conf", directory);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_nothing(directory, "this is no file");
    remove_all(directory);
}

static void the_places_of_one_sender_are_counted(void **state)
{
    char *directory = make_directory();
    struct policy *policies[3];
    struct error err = { 0 };

    (void)state;
    write_file(directory, "recv.conf", "[web]\nvms = *\nmax-migrations = 2\n");
    for (int i = 0; i < 3; i++)
        policies[i] = policy_load(directory, web);
    assert_ok(policy_take_place(policies[0], directory, &err), &err);
    assert_ok(policy_take_place(policies[1], directory, &err), &err);
    assert_ok(policy_take_place(policies[1], directory, &err), &err);
    assert_false(policy_take_place(policies[2], directory, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "more than 2 migrations at once");
    policy_free(policies[0]);
    assert_ok(policy_take_place(policies[2], directory, &err), &err);
    policy_free(policies[1]);
    policy_free(policies[2]);
    remove_all(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_nothing_is_permitted),
        cmocka_unit_test(without_a_section_that_fits_nothing_is_permitted),
        cmocka_unit_test(the_default_section_fits_everybody),
        cmocka_unit_test(a_senders_own_section_precedes_the_default_key_by_key),
        cmocka_unit_test(the_first_name_with_a_section_counts),
        cmocka_unit_test(long_names_are_told_apart),
        cmocka_unit_test(more_files_are_read_in_the_order_of_their_names),
        cmocka_unit_test(comments_and_blanks_do_not_count),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(a_file_that_others_may_write_to_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(the_places_of_one_sender_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
