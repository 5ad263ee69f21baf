/* Understanding one line of QMP. */
#include "qmp/message.h"

static bool parse_greeting(struct qmp_message *message, struct error *err)
{
    message->kind = QMP_GREETING;
    message->body = json_object(message->json, "QMP", err);
    return message->body != NULL;
}

static bool parse_event(struct qmp_message *message, struct error *err)
{
    message->kind = QMP_EVENT;
    message->body = cJSON_GetObjectItemCaseSensitive(message->json, "data");
    message->text = json_string(message->json, "event", err);
    return message->text != NULL;
}

static bool parse_error(struct qmp_message *message, struct error *err)
{
    message->kind = QMP_ERROR;
    message->body = json_object(message->json, "error", err);
    if (!message->body)
        return false;
    message->text = json_string(message->body, "desc", err);
    return message->text != NULL;
}

static bool parse_kind(struct qmp_message *message, struct error *err)
{
    const cJSON *json = message->json;

    message->id = json_uint_or(json, "id", 0);
    if (cJSON_GetObjectItemCaseSensitive(json, "event"))
        return parse_event(message, err);
    if (cJSON_GetObjectItemCaseSensitive(json, "error"))
        return parse_error(message, err);
    if (cJSON_GetObjectItemCaseSensitive(json, "QMP"))
        return parse_greeting(message, err);
    message->kind = QMP_RETURN;
    message->body = cJSON_GetObjectItemCaseSensitive(json, "return");
    if (message->body)
        return true;
    return error_set(err, ERROR_PROTOCOL, "neither a reply, an event nor a greeting");
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != '\r' && line[i] != ' ')
            return false;
    return true;
}

bool qmp_message_parse(const char *line, size_t len, struct qmp_message *message, struct error *err)
{
    *message = (struct qmp_message){ .kind = QMP_NOTHING, .size = len };
    if (is_blank(line, len))
        return true;
    message->json = json_parse_object(line, len, err);
    if (!message->json)
        return false;
    if (parse_kind(message, err))
        return true;
    qmp_message_done(message);
    return false;
}

void qmp_message_done(struct qmp_message *message)
{
    cJSON_Delete(message->json);
    *message = (struct qmp_message){ .kind = QMP_NOTHING };
}

cJSON *qmp_message_take_body(struct qmp_message *message)
{
    if (!message->body)
        return must(cJSON_CreateObject());
    return cJSON_DetachItemViaPointer(message->json, (cJSON *)message->body);
}
