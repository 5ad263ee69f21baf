/* The first frame of a connection, and its answer. */
#include "transport/tls/first-frame.h"

#include <arpa/inet.h>

#include "transport/frame.h"

enum {
    HEADER = 4,
    ANSWER_MS = 10 * 1000,
};

cJSON *words_to_frame(const char *const words[])
{
    cJSON *frame = must(cJSON_CreateObject());
    cJSON *list = cJSON_AddArrayToObject(frame, "words");

    for (size_t i = 0; words[i]; i++)
        cJSON_AddItemToArray(list, must(cJSON_CreateString(words[i])));
    return frame;
}

static const char *word(const cJSON *list, int number)
{
    const cJSON *item = cJSON_GetArrayItem(list, number);

    return cJSON_IsString(item) ? item->valuestring : "";
}

bool words_of_frame(const cJSON *frame, struct first_words *words, struct error *err)
{
    const cJSON *list = json_array(frame, "words", err);
    int count = list ? cJSON_GetArraySize(list) : 0;

    *words = (struct first_words){ 0 };
    if (!list)
        return false;
    if (count == 1 && !strcmp(word(list, 0), "recv"))
        return true;
    if (count == 4 && !strcmp(word(list, 0), "lane") && *word(list, 1) && *word(list, 2) &&
        *word(list, 3)) {
        *words = (struct first_words){ true, word(list, 1), word(list, 2), word(list, 3) };
        return true;
    }
    return error_set(err, ERROR_PROTOCOL, "the first words are neither 'recv' nor those of a lane");
}

bool answer_is_ok(const cJSON *answer, struct error *err)
{
    const char *text = json_string_or(answer, "error", NULL);

    if (json_true(answer, "ok"))
        return true;
    return error_set(err, error_kind_from_name(json_string_or(answer, "kind", "")), "%s",
                     text ? text : "the receiver gave no answer that makes sense");
}

bool answer_say(struct channel *channel, const struct error *why, struct error *err)
{
    AUTO_JSON cJSON *answer = must(cJSON_CreateObject());

    if (why) {
        cJSON_AddStringToObject(answer, "error", why->text);
        cJSON_AddStringToObject(answer, "kind", error_kind_name(why->kind));
    } else {
        cJSON_AddTrueToObject(answer, "ok");
    }
    return first_frame_write(channel, answer, -1, ANSWER_MS, err);
}

cJSON *first_frame_read(struct channel *channel, int stop, uint64_t timeout_ms, struct error *err)
{
    uint8_t bytes[HEADER + FIRST_FRAME_MAX];
    cJSON *frame = NULL;
    uint32_t size;
    size_t used;

    if (!channel_read_all(channel, bytes, HEADER, stop, timeout_ms, err))
        return NULL;
    memcpy(&size, bytes, HEADER);
    size = ntohl(size);
    if (size > FIRST_FRAME_MAX) {
        error_set(err, ERROR_PROTOCOL, "the first frame has %u bytes, more than %d", size,
                  FIRST_FRAME_MAX);
        return NULL;
    }
    if (!channel_read_all(channel, bytes + HEADER, size, stop, timeout_ms, err) ||
        !frame_parse(bytes, HEADER + size, &frame, &used, err))
        return NULL;
    return frame;
}

bool first_frame_write(struct channel *channel, const cJSON *frame, int stop, uint64_t timeout_ms,
                       struct error *err)
{
    size_t len;
    AUTO_FREE uint8_t *bytes = frame_print(frame, &len, err);

    return bytes && channel_write_all(channel, bytes, len, stop, timeout_ms, err);
}
