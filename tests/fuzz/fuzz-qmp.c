/* Lines of QMP, from a socket at which anything may listen. */
#include "qmp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qmp_message message;
    struct error err = { 0 };

    if (!qmp_message_parse((const char *)data, size, &message, &err)) {
        if (err.kind != ERROR_PROTOCOL || message.json)
            abort();
        return 0;
    }
    if (message.kind == QMP_EVENT && !message.text)
        abort();
    if (message.kind == QMP_RETURN || message.kind == QMP_EVENT)
        cJSON_Delete(qmp_message_take_body(&message));
    qmp_message_done(&message);
    return 0;
}
