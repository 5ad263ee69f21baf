/* Messages of the control connection as bytes. */
#include "transport/frame.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "xmig/cleanup.h"
#include "xmig/session.h"

enum {
    HEADER = 4,
    SHOWN_MAX = 60,
    /* Each takes some 80 bytes of memory, and "0," two of a message. The machine of a large VM has
     * some thousands.
     */
    VALUES_MAX = 65536
};

/* The first line of what may be a login banner or a shell's complaint. */
static void first_line(const uint8_t *bytes, size_t len, char line[SHOWN_MAX + 1])
{
    size_t shown = 0;

    while (len > 0 && !isgraph(*bytes)) {
        bytes++;
        len--;
    }
    for (; shown < SHOWN_MAX && shown < len && bytes[shown] != '\n' && bytes[shown] != '\r';
         shown++)
        line[shown] = isprint(bytes[shown]) ? (char)bytes[shown] : '?';
    line[shown] = '\0';
}

/* Text as a length would be more than 150 MiB. */
static bool not_ours(const uint8_t *bytes, size_t len, uint32_t size, struct error *err)
{
    char line[SHOWN_MAX + 1];

    first_line(bytes, len, line);
    if (*line)
        return error_set(err, ERROR_PROTOCOL,
                         "the peer does not speak xmig's protocol: it said '%s'", line);
    return error_set(err, ERROR_PROTOCOL,
                     "the peer does not speak xmig's protocol (a message of %u bytes)", size);
}

/* How many values may be in it; commas in texts are counted, too. */
static size_t values_in(const uint8_t *json, size_t len)
{
    size_t count = 1;

    for (size_t i = 0; i < len; i++)
        count += json[i] == ',' || json[i] == '[' || json[i] == '{';
    return count;
}

bool frame_parse(const uint8_t *bytes, size_t len, cJSON **message, size_t *used, struct error *err)
{
    uint32_t size;

    *message = NULL;
    *used = 0;
    if (len < HEADER)
        return true;
    memcpy(&size, bytes, HEADER);
    size = ntohl(size);
    if (size > SESSION_MESSAGE_MAX)
        return not_ours(bytes, len, size, err);
    if (len - HEADER < size)
        return true;
    if (values_in(bytes + HEADER, size) > VALUES_MAX)
        return error_set(err, ERROR_PROTOCOL, "a message of the peer's with more than %d values",
                         VALUES_MAX);
    *message = json_parse_object((const char *)bytes + HEADER, size, err);
    if (!*message || !json_check_names(*message, err)) {
        cJSON_Delete(steal(*message));
        return error_prefix(err, "a message of the peer's");
    }
    *used = HEADER + size;
    return true;
}

uint8_t *frame_print(const cJSON *message, size_t *len, struct error *err)
{
    AUTO_FREE char *text = json_print(message);
    size_t size = strlen(text);
    uint32_t header = htonl((uint32_t)size);
    uint8_t *bytes;

    if (size > SESSION_MESSAGE_MAX) {
        error_set(err, ERROR_PROTOCOL, "a message of %zu bytes is longer than %d", size,
                  SESSION_MESSAGE_MAX);
        return NULL;
    }
    *len = HEADER + size;
    bytes = must(malloc(*len));
    memcpy(bytes, &header, HEADER);
    memcpy(bytes + HEADER, text, size);
    return bytes;
}
