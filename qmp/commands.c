/* The commands we use, typed. */
#include "qmp/commands.h"

#include <stdio.h>

#include "xmig/text.h"

enum {
    OOB_DEADLINE_MS = 5000
};

static cJSON *object(void)
{
    return must(cJSON_CreateObject());
}

static cJSON *object_with(const char *name, const char *value)
{
    cJSON *arguments = object();

    cJSON_AddStringToObject(arguments, name, value);
    return arguments;
}

bool qmp_query_status(struct qmp *q, struct qmp_status *status, struct error *err)
{
    AUTO_JSON cJSON *answer = NULL;
    const char *text;

    if (!qmp_call(q, "query-status", NULL, &answer, err))
        return false;
    text = json_string(answer, "status", err);
    if (!text)
        return error_prefix(err, "query-status");
    status->running = json_true(answer, "running");
    snprintf(status->text, sizeof(status->text), "%s", text);
    return true;
}

char *qmp_query_machine(struct qmp *q, struct error *err)
{
    static const char suffix[] = "-machine";
    AUTO_JSON cJSON *type = NULL;
    cJSON *arguments = must(cJSON_CreateObject());
    size_t len;

    cJSON_AddStringToObject(arguments, "path", "/machine");
    cJSON_AddStringToObject(arguments, "property", "type");
    if (!qmp_call(q, "qom-get", arguments, &type, err))
        return NULL;
    if (!cJSON_IsString(type)) {
        error_set(err, ERROR_PROTOCOL, "QEMU does not tell its machine's type");
        return NULL;
    }
    len = strlen(type->valuestring);
    if (len > strlen(suffix) && !strcmp(type->valuestring + len - strlen(suffix), suffix))
        len -= strlen(suffix);
    return must(strndup(type->valuestring, len));
}

bool qmp_query_version(struct qmp *q, uint64_t *major, uint64_t *minor, struct error *err)
{
    AUTO_JSON cJSON *version = NULL;
    const cJSON *numbers;

    if (!qmp_call(q, "query-version", NULL, &version, err))
        return false;
    numbers = cJSON_GetObjectItemCaseSensitive(version, "qemu");
    *major = json_uint_or(numbers, "major", 0);
    *minor = json_uint_or(numbers, "minor", 0);
    return true;
}

bool qmp_stop(struct qmp *q, uint64_t timeout_ms, struct error *err)
{
    return qmp_call_within(q, "stop", NULL, NULL, timeout_ms, err);
}

bool qmp_cont(struct qmp *q, struct error *err)
{
    return qmp_call(q, "cont", NULL, NULL, err);
}

bool qmp_quit(struct qmp *q, struct error *err)
{
    struct error why = { 0 };

    if (qmp_call(q, "quit", NULL, NULL, &why) || why.kind == ERROR_LOST)
        return true;
    if (err)
        *err = why;
    return false;
}

cJSON *qmp_query_block_jobs(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *jobs = NULL;

    if (!qmp_call(q, "query-block-jobs", NULL, &jobs, err))
        return NULL;
    if (!cJSON_IsArray(jobs)) {
        error_set(err, ERROR_PROTOCOL, "query-block-jobs: not an array");
        return NULL;
    }
    return steal(jobs);
}

bool qmp_refuse_block_jobs(struct qmp *q, struct error *err)
{
    AUTO_JSON cJSON *jobs = qmp_query_block_jobs(q, err);
    const char *job;

    if (!jobs || !jobs->child)
        return jobs != NULL;
    job = json_string_or(jobs->child, "device", "?");
    if (!strncmp(job, "xmig-", 5))
        return error_set(err, ERROR_REFUSED,
                         "a mirror of another xmig is at work on this VM ('%s'): see 'xmig list' "
                         "and 'xmig recover'",
                         job);
    return error_set(err, ERROR_REFUSED,
                     "the block job '%s' is at work on this VM: end it, or wait for its end", job);
}

bool qmp_block_job_cancel(struct qmp *q, const char *job, bool force, struct error *err)
{
    cJSON *arguments = object_with("device", job);

    cJSON_AddBoolToObject(arguments, "force", force);
    return qmp_call(q, "block-job-cancel", arguments, NULL, err);
}

/* Not block-job-dismiss, which is deprecated. */
bool qmp_job_dismiss(struct qmp *q, const char *job, struct error *err)
{
    return qmp_call(q, "job-dismiss", object_with("id", job), NULL, err);
}

bool qmp_blockdev_del(struct qmp *q, const char *node, struct error *err)
{
    return qmp_call(q, "blockdev-del", object_with("node-name", node), NULL, err);
}

bool qmp_nbd_server_start(struct qmp *q, const char *socket, unsigned connections,
                          struct error *err)
{
    cJSON *arguments = object();
    cJSON *address = object_with("type", "unix");

    cJSON_AddItemToObject(address, "data", object_with("path", socket));
    cJSON_AddItemToObject(arguments, "addr", address);
    json_add_uint(arguments, "max-connections", connections);
    return qmp_call(q, "nbd-server-start", arguments, NULL, err);
}

bool qmp_nbd_server_stop(struct qmp *q, struct error *err)
{
    return qmp_call(q, "nbd-server-stop", NULL, NULL, err);
}

bool qmp_block_export_add(struct qmp *q, const char *id, const char *node, const char *name,
                          struct error *err)
{
    cJSON *arguments = object_with("type", "nbd");

    cJSON_AddStringToObject(arguments, "id", id);
    cJSON_AddStringToObject(arguments, "node-name", node);
    cJSON_AddStringToObject(arguments, "name", name);
    cJSON_AddBoolToObject(arguments, "writable", true);
    return qmp_call(q, "block-export-add", arguments, NULL, err);
}

bool qmp_set_capabilities(struct qmp *q, const char *const names[], struct error *err)
{
    cJSON *arguments = object();
    cJSON *capabilities = cJSON_AddArrayToObject(arguments, "capabilities");

    for (size_t i = 0; names[i]; i++) {
        cJSON *capability = object_with("capability", names[i]);

        cJSON_AddBoolToObject(capability, "state", true);
        cJSON_AddItemToArray(capabilities, capability);
    }
    return qmp_call(q, "migrate-set-capabilities", arguments, NULL, err);
}

bool qmp_set_parameters(struct qmp *q, cJSON *parameters, struct error *err)
{
    return qmp_call(q, "migrate-set-parameters", parameters, NULL, err);
}

static bool migration_to(struct qmp *q, const char *command, const char *path, struct error *err)
{
    AUTO_FREE char *uri = formatted("unix:%s", path);

    return qmp_call(q, command, object_with("uri", uri), NULL, err);
}

bool qmp_migrate(struct qmp *q, const char *path, struct error *err)
{
    return migration_to(q, "migrate", path, err);
}

bool qmp_migrate_incoming(struct qmp *q, const char *path, struct error *err)
{
    return migration_to(q, "migrate-incoming", path, err);
}

bool qmp_migrate_continue(struct qmp *q, struct error *err)
{
    return qmp_call(q, "migrate-continue", object_with("state", "pre-switchover"), NULL, err);
}

bool qmp_migrate_cancel(struct qmp *q, struct error *err)
{
    return qmp_call(q, "migrate_cancel", NULL, NULL, err);
}

cJSON *qmp_query_migrate(struct qmp *q, struct error *err)
{
    cJSON *answer = NULL;

    qmp_call(q, "query-migrate", NULL, &answer, err);
    return answer;
}

bool qmp_yank_migration(struct qmp *q, struct error *err)
{
    cJSON *arguments = object();

    cJSON_AddItemToArray(cJSON_AddArrayToObject(arguments, "instances"),
                         object_with("type", "migration"));
    return qmp_exec_oob(q, "yank", arguments, NULL, OOB_DEADLINE_MS, err);
}
