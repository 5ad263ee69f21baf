/* The names of facts. */
#include "xmig/facts.h"

#include "xmig/cleanup.h"

static const char *const names[FACT_COUNT] = {
    [FACT_NONE] = "",
    [FACT_OWNER] = "owner",
    [FACT_WORD] = "the operator said that the peer is dead",
    [FACT_SOURCE] = "source",
    [FACT_STOPPED] = "stopped",
    [FACT_DRAINED] = "drained",
    [FACT_FORWARD] = "forward",
    [FACT_ACKNOWLEDGED] = "suspend-acknowledged",
    [FACT_MADE] = "made",
    [FACT_IMAGES] = "images",
    [FACT_IMAGE] = "image",
    [FACT_DEVICE] = "device",
    [FACT_VOLUME] = "volume",
    [FACT_MAPPING] = "mapping",
    [FACT_MACHINE] = "machine",
    [FACT_PROCESS] = "process",
    [FACT_TPM] = "tpm",
    [FACT_FILES] = "files",
    [FACT_PORT] = "port",
    [FACT_DOMAIN] = "domain",
    [FACT_EXPORT] = "export",
    [FACT_DEVICE_MODEL] = "device-model",
    [FACT_RAN] = "ran",
    [FACT_GIVEN_UP] = "given up",
    [FACT_RUNS_AGAIN] = "runs again",
    [FACT_SEEN_TO] = "seen to",
};

void fact_add(cJSON *record, enum fact fact)
{
    cJSON_AddStringToObject(record, "fact", names[fact]);
}

cJSON *fact_new(enum fact fact)
{
    cJSON *object = must(cJSON_CreateObject());

    fact_add(object, fact);
    return object;
}

enum fact fact_of(const cJSON *record)
{
    const char *name = json_string_or(record, "fact", "");
    int fact = FACT_COUNT - 1;

    while (fact > FACT_NONE && strcmp(names[fact], name) != 0)
        fact--;
    return (enum fact)fact;
}

const cJSON *fact_find(const cJSON *records, enum fact fact)
{
    const cJSON *record, *found = NULL;

    cJSON_ArrayForEach (record, records)
        if (fact_of(record) == fact)
            found = record;
    return found;
}
