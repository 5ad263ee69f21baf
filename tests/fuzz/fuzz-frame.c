/* Bytes of the control connection, from whoever answers when we call. */
#include "transport/frame.h"
#include "xmig/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What we have understood, we say in a way that we understand. */
static void check_round_trip(const cJSON *message)
{
    struct error err = { 0 };
    AUTO_JSON cJSON *again = NULL;
    size_t len, used;
    AUTO_FREE uint8_t *bytes = frame_print(message, &len, &err);

    if (!bytes)
        return; /* its numbers may be longer than they were */
    if (!frame_parse(bytes, len, &again, &used, &err) || used != len || !again)
        abort();
}

/* A stream is taken apart message by message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size > 0) {
        struct error err = { 0 };
        AUTO_JSON cJSON *message = NULL;
        size_t used = SIZE_MAX;

        if (!frame_parse(data, size, &message, &used, &err)) {
            if (err.kind != ERROR_PROTOCOL || message || used > 0)
                abort();
            break;
        }
        if (!message != (used == 0) || used > size)
            abort();
        if (!message)
            break;
        check_round_trip(message);
        data += used;
        size -= used;
    }
    return 0;
}
