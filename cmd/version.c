/* xmig --version: what this program is, and what it can do here. */
#include "version.h"

#include <stdio.h>
#include <string.h>

#include "commit.h"
#include "command.h"
#include "report.h"
#include "pipeline/handshake.h"
#include "xmig/cleanup.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/session.h"
#include "xmig/transport.h"

static void add_hypervisors(cJSON *list)
{
    for (const struct hypervisor *const *row = hypervisor_table; *row; row++) {
        cJSON *item = must(cJSON_CreateObject());
        struct error err = { 0 };
        bool here = hypervisor_available(*row, &err);

        cJSON_AddStringToObject(item, "name", (*row)->name);
        cJSON_AddItemToObject(item, "missing",
                              here ? cJSON_CreateNull() : cJSON_CreateString(err.text));
        cJSON_AddItemToArray(list, item);
    }
}

static cJSON *describe(void)
{
    cJSON *body = must(cJSON_CreateObject()), *list;

    cJSON_AddStringToObject(body, "version", XMIG_VERSION);
    cJSON_AddStringToObject(body, "commit", XMIG_COMMIT);
    add_hypervisors(cJSON_AddArrayToObject(body, "hypervisors"));
    list = cJSON_AddArrayToObject(body, "transports");
    for (const struct transport_ops *const *way = transport_schemes; *way; way++)
        cJSON_AddItemToArray(list, cJSON_CreateString((*way)->scheme));
    cJSON_AddNumberToObject(body, "protocol", SESSION_PROTOCOL);
    list = cJSON_AddArrayToObject(body, "features");
    for (const char *const *name = handshake_features; *name; name++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*name));
    return body;
}

static void print_list(const char *label, const cJSON *list)
{
    const cJSON *item;

    printf("%s: ", label);
    cJSON_ArrayForEach (item, list) {
        const char *missing = json_string_or(item, "missing", NULL);

        printf("%s%s", item == list->child ? "" : ", ",
               cJSON_IsString(item) ? item->valuestring : json_string_or(item, "name", ""));
        if (missing)
            printf(" (not here: %s)", missing);
    }
    puts("");
}

static int print(void)
{
    AUTO_JSON cJSON *body = describe();

    printf("xmig %s (commit %s)\n", XMIG_VERSION, XMIG_COMMIT);
    print_list("hypervisors", json_get(body, "hypervisors"));
    print_list("transports", json_get(body, "transports"));
    printf("protocol: %d\n", SESSION_PROTOCOL);
    print_list("features", json_get(body, "features"));
    return 0;
}

static int tell(void)
{
    const struct output_options output = { .json = true, .quiet = true };
    struct report *report = report_new("xmig", &output, stdout, stderr);
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    int status;

    report_json(report, "version", describe());
    status = report_end(report, &ending);
    report_free(report);
    return status;
}

int version(int argc, char *argv[])
{
    struct error err = { 0 };

    if (argc == 1)
        return print();
    if (argc == 2 && !strcmp(argv[1], "--json"))
        return tell();
    error_set(&err, ERROR_REFUSED, "--version takes only --json");
    return end_with_usage(1, (char *[]){ "help", NULL }, &err);
}
