/* xmig policy check: is this host's policy file good, and what may a sender do by it? */
#include "command.h"

#include <stdio.h>

#include "option-syntax.h"
#include "directories.h"
#include "report.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/policy.h"

static const char help_text[] =
    "usage: xmig policy check [--as NAME] [--json]\n"
    "\n"
    "Reads the files that say which VMs may be moved to this host, and by whom: see\n"
    "xmig-recv.conf(5). Tells of each section, or of one sender, what it permits.\n"
    "\n"
    "      --as NAME  what 'xmig recv --as NAME' would permit\n"
    "      --json     for programs: see xmig-json(5)\n"
    "  -h, --help     this text\n";

struct policy_options {
    bool help;
    bool json;
    const char *names[SENDER_NAMES_MAX + 1];
};

#define OPTIONS_OF struct policy_options
static bool parse(struct policy_options *options, int argc, char *argv[], struct error *err)
{
    static const struct option_row rows[] = {
        VALUE_OPTION("as", 0, names, take_sender),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    static const char *const operands[] = { "check", NULL };
    const char *verb = "check";

    *options = (struct policy_options){ 0 };
    if (!take_all(rows, options, argc, argv, err))
        return false;
    if (!options->help &&
        !take_operands(argc, argv, operands, (const char **const[]){ &verb }, err))
        return false;
    return !strcmp(verb, "check") || error_set(err, ERROR_REFUSED, "'%s' is not 'check'", verb);
}

static void show_lines(const cJSON *lines)
{
    const cJSON *line;

    cJSON_ArrayForEach (line, lines) {
        const char *from = json_string_or(line, "from", "");

        wrap_say(stdout, 6, "  %s%s%s%s", json_string_or(line, "text", ""), *from ? " (" : "", from,
                 *from ? ")" : "");
    }
}

/* False where nothing is permitted. */
static bool show(struct report *report, bool json, const char *directory, const char *const names[],
                 struct error *err)
{
    struct policy *policy = policy_load(directory, names);
    bool ok = policy_applies(policy, err);
    AUTO_JSON cJSON *lines = ok ? policy_describe(policy) : cJSON_CreateArray();
    cJSON *body = json_new("name", policy_name(policy));

    cJSON_AddBoolToObject(body, "permits", ok);
    cJSON_AddItemToObject(body, "settings", cJSON_Duplicate(lines, true));
    report_json(report, "policy", body);
    if (ok && !json) {
        wrap_say(stdout, WRAP_INDENT, "%s:", policy_name(policy));
        show_lines(lines);
    }
    policy_free(policy);
    return ok;
}

static bool show_all(struct report *report, bool json, const char *directory, struct error *err)
{
    AUTO_JSON cJSON *names = policy_sections(directory, err);
    const cJSON *name;

    if (!names)
        return error_prefix(err, "nothing is permitted to anybody who has a name");
    if (!names->child)
        return error_set(err, ERROR_REFUSED,
                         "there is no policy in '%s': who comes by a name ('xmig recv --as') is "
                         "permitted nothing; who logs in as this user without one, all that the "
                         "user may do",
                         directory);
    cJSON_ArrayForEach (name, names)
        if (!show(report, json, directory, (const char *const[]){ name->valuestring, NULL }, err))
            return false;
    return true;
}

static int check(const struct policy_options *options)
{
    struct output_options output = { .json = options->json, .quiet = true };
    struct report *report = report_new("xmig policy", &output, stdout, stderr);
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct directories directories;
    struct error err = { 0 };
    bool ok;
    int status;

    directories_find(&directories);
    ok = options->names[0]
             ? show(report, options->json, directories.config_dir, options->names, &err)
             : show_all(report, options->json, directories.config_dir, &err);
    if (!ok) {
        ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
        snprintf(ending.text, sizeof(ending.text), "nothing is permitted");
    }
    status = report_end(report, &ending);
    report_free(report);
    directories_done(&directories);
    return status;
}

int command_policy(int argc, char *argv[])
{
    struct policy_options options;
    struct error err = { 0 };

    if (!parse(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : check(&options);
}
