/* Sends a trace to a collector of OpenTelemetry: OTLP/HTTP with JSON, by libcurl. */
#include "trace.h"

#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <math.h>

#include "trace-spans.h"
#include "xmig/cleanup.h"
#include "xmig/journal.h"
#include "xmig/text.h"

enum {
    PATIENCE_MS = 5000,
    KIND_INTERNAL = 1,
    STATUS_OK = 1,
    STATUS_ERROR = 2
};

/* The ids that tie the spans together. */
struct tie {
    char trace[33];
    char parent[17]; /* "": the move is not part of another trace */
    char first[17];  /* the first half of each span's id */
};

static bool is_hex(const char *text, size_t count)
{
    bool zero = true;

    for (size_t i = 0; i < count; i++) {
        if (!isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))
            return false;
        zero = zero && text[i] == '0';
    }
    return !zero;
}

/* "00-TRACE-PARENT-FLAGS" */
static struct tie tie_to(const char *parent)
{
    struct tie tie = { 0 };

    journal_new_id(tie.first);
    if (parent && strlen(parent) >= 55 && parent[2] == '-' && parent[35] == '-' &&
        parent[52] == '-' && is_hex(parent + 3, 32) && is_hex(parent + 36, 16)) {
        memcpy(tie.trace, parent + 3, 32);
        memcpy(tie.parent, parent + 36, 16);
    } else {
        journal_new_token(tie.trace);
    }
    return tie;
}

static void add_text(cJSON *attributes, const char *key, const char *text)
{
    cJSON *attribute = json_new("key", key);

    cJSON_AddStringToObject(cJSON_AddObjectToObject(attribute, "value"), "stringValue", text);
    cJSON_AddItemToArray(attributes, attribute);
}

/* OTLP's JSON has numbers of 64 bits as text. */
static void add_time(cJSON *json, const char *name, const struct story *story, double ms)
{
    AUTO_FREE char *text =
        formatted("%" PRIu64 "000", (uint64_t)llround((ms + story->unix_ms) * 1000));

    cJSON_AddStringToObject(json, name, text);
}

static void add_id(cJSON *json, const char *name, const struct tie *tie, size_t i)
{
    AUTO_FREE char *text = formatted("%016" PRIx64, (uint64_t)strtoull(tie->first, NULL, 16) + i);

    cJSON_AddStringToObject(json, name, text);
}

static void add_words(cJSON *span, const struct story *story)
{
    cJSON *events = cJSON_AddArrayToObject(span, "events");

    for (size_t i = 0; i < story->word_count; i++) {
        const struct word *word = &story->words[i];
        cJSON *event = must(cJSON_CreateObject());

        add_time(event, "timeUnixNano", story, word->ms);
        cJSON_AddStringToObject(event, "name", word->text);
        add_text(cJSON_AddArrayToObject(event, "attributes"), "xmig.type", word->type);
        add_text(cJSON_GetObjectItemCaseSensitive(event, "attributes"), "xmig.side",
                 side_name(word->side));
        cJSON_AddItemToArray(events, event);
    }
}

/* The first span is the whole move: add its outcome. */
static void add_outcome(cJSON *span, const struct story *story)
{
    cJSON *attributes = cJSON_GetObjectItemCaseSensitive(span, "attributes");
    cJSON *status = cJSON_AddObjectToObject(span, "status");
    bool ok = !strcmp(story->outcome, "done");

    add_text(attributes, "xmig.id", story->id);
    add_text(attributes, "xmig.vm", story->vm);
    add_text(attributes, "xmig.destination", story->dest);
    add_text(attributes, "xmig.outcome", story->outcome);
    cJSON_AddNumberToObject(status, "code", ok ? STATUS_OK : STATUS_ERROR);
    if (!ok)
        cJSON_AddStringToObject(status, "message", story->error);
    add_words(span, story);
}

static cJSON *span_of(const struct story *story, const struct tie *tie,
                      const struct trace_spans *spans, size_t i)
{
    const struct trace_span *span = &spans->list[i];
    cJSON *json = json_new("traceId", tie->trace);

    add_id(json, "spanId", tie, i);
    if (i > 0)
        add_id(json, "parentSpanId", tie, span->parent);
    else if (*tie->parent)
        cJSON_AddStringToObject(json, "parentSpanId", tie->parent);
    cJSON_AddStringToObject(json, "name", span->name);
    cJSON_AddNumberToObject(json, "kind", KIND_INTERNAL);
    add_time(json, "startTimeUnixNano", story, span->begin_ms);
    add_time(json, "endTimeUnixNano", story, span->end_ms);
    add_text(cJSON_AddArrayToObject(json, "attributes"), "xmig.kind", span->kind);
    if (i == 0)
        add_outcome(json, story);
    return json;
}

static cJSON *resource_of(const struct story *story, const struct tie *tie,
                          const struct trace_spans *spans, enum side side)
{
    cJSON *json = must(cJSON_CreateObject());
    cJSON *attributes =
        cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "resource"), "attributes");
    cJSON *scope = must(cJSON_CreateObject());
    cJSON *list = cJSON_AddArrayToObject(scope, "spans");

    add_text(attributes, "service.name", "xmig");
    add_text(attributes, "service.version", story->sides[side].version);
    add_text(attributes, "host.name", story->sides[side].host);
    add_text(attributes, "xmig.side", side_name(side));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "scopeSpans"), scope);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(scope, "scope"), "name", "xmig");
    for (size_t i = 0; i < spans->count; i++)
        if (spans->list[i].side == side)
            cJSON_AddItemToArray(list, span_of(story, tie, spans, i));
    return json;
}

char *trace_otlp(const struct story *story, const char *parent)
{
    const struct tie tie = tie_to(parent);
    struct trace_spans spans = trace_spans_of(story);
    AUTO_JSON cJSON *json = must(cJSON_CreateObject());
    cJSON *resources = cJSON_AddArrayToObject(json, "resourceSpans");

    for (enum side side = SIDE_SEND; side <= SIDE_RECV; side++)
        cJSON_AddItemToArray(resources, resource_of(story, &tie, &spans, side));
    free(spans.list);
    return json_print(json);
}

/* ---- sending ---- */

/* The value of the environment's variable `traces`, which is for traces alone, or else of `all`,
 * which is for every signal; NULL: neither is set.
 */
static const char *word_of(const char *traces, const char *all)
{
    const char *word = getenv(traces);

    if (!word || !*word)
        word = getenv(all);
    return word && *word ? word : NULL;
}

/* The collector's URL; NULL: the environment names none. The caller frees it. */
static char *address(void)
{
    const char *traces = word_of("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "");
    const char *all = word_of("OTEL_EXPORTER_OTLP_ENDPOINT", "");

    if (traces || !all)
        return traces ? must(strdup(traces)) : NULL;
    return formatted("%s%sv1/traces", all, all[strlen(all) - 1] == '/' ? "" : "/");
}

/* Further HTTP headers: the environment has them as "NAME=VALUE,NAME=VALUE", where a value may
 * contain %XX.
 */
static struct curl_slist *headers(CURL *easy)
{
    const char *words = word_of("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    AUTO_FREE char *copy = must(strdup(words ? words : ""));
    char *rest = copy, *word;

    while ((word = strsep(&rest, ","))) {
        char *value = strchr(word, '=');
        char *plain;
        AUTO_FREE char *header = NULL;

        if (!value)
            continue;
        *value++ = '\0';
        plain = curl_easy_unescape(easy, value, 0, NULL);
        header = formatted("%s: %s", word + strspn(word, " "), plain ? plain : value);
        curl_free(plain);
        if (!strpbrk(header, "\r\n"))
            list = curl_slist_append(list, header);
    }
    return list;
}

/* How long the collector may take to answer. */
static long patience_ms(void)
{
    const char *word = word_of("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    long ms = word ? strtol(word, NULL, 10) : PATIENCE_MS;

    return ms > 0 && ms < PATIENCE_MS ? ms : PATIENCE_MS;
}

static size_t drop(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static bool post(CURL *easy, const char *url, const char *body, struct error *err)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *list = headers(easy);
    CURLcode code;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, patience_ms());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    code = curl_easy_perform(easy);
    curl_slist_free_all(list);
    return code == CURLE_OK ||
           error_set(err, ERROR_SYSTEM,
                     "the collector of OTEL_EXPORTER_OTLP_ENDPOINT did not take the "
                     "trace: %s",
                     *why ? why : curl_easy_strerror(code));
}

bool trace_export(const struct story *story, struct error *err)
{
    AUTO_FREE char *url = address();
    AUTO_FREE char *body = NULL;
    CURL *easy;
    bool ok;

    if (!url)
        return true;
    body = trace_otlp(story, getenv("TRACEPARENT"));
    easy = must(curl_easy_init());
    ok = post(easy, url, body, err);
    curl_easy_cleanup(easy);
    return ok;
}
