/* xmig stages: what a migration consists of. */
#include "command.h"

#include <stdio.h>

#include "options.h"
#include "report.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"

static const char help_text[] =
    "usage: xmig stages [--json]\n"
    "\n"
    "Lists the stages of a migration in their order, and what each does at the source and at\n"
    "the target. Their names are what 'xmig send' understands with --without and --until.\n"
    "\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

static void print_stage(const struct stage *stage)
{
    printf("%s: %s%s\n", stage->name, stage->summary, stage->optional ? " (can be left out)" : "");
    if (stage->send_summary)
        printf("    source: %s\n", stage->send_summary);
    if (stage->recv_summary)
        printf("    target: %s\n", stage->recv_summary);
}

static void add_or_null(cJSON *body, const char *name, const char *text)
{
    cJSON_AddItemToObject(body, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void tell_stage(struct report *report, const struct stage *stage)
{
    cJSON *body = json_new("name", stage->name);

    cJSON_AddStringToObject(body, "summary", stage->summary);
    add_or_null(body, "source", stage->send_summary);
    add_or_null(body, "target", stage->recv_summary);
    cJSON_AddBoolToObject(body, "optional", stage->optional);
    report_json(report, "stage", body);
}

static int list(const struct output_options *output)
{
    struct report *report = report_new("xmig stages", output, stdout, stderr);
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    int status;

    for (const struct stage *const *stage = stage_catalog; *stage; stage++) {
        if (!output->json)
            print_stage(*stage);
        tell_stage(report, *stage);
    }
    status = report_end(report, &ending);
    report_free(report);
    return status;
}

int command_stages(int argc, char *argv[])
{
    struct stages_options options;
    struct error err = { 0 };

    if (!parse_stages(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    return list(&(struct output_options){ .json = options.json, .quiet = true });
}
