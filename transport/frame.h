/* Messages of the control connection as bytes: a 4-byte big-endian length, at most
 * SESSION_MESSAGE_MAX, and so many bytes of JSON, one object of at most 65536 values.
 */
#ifndef XMIG_TRANSPORT_FRAME_H
#define XMIG_TRANSPORT_FRAME_H

#include <stdint.h>

#include "xmig/json.h"

/**
 * Parse the message that `bytes` begin with. `*message` (the caller frees it) took `*used`
 * bytes; it is NULL, with nothing used, while there is no whole one yet.
 *
 * @return false with ERROR_PROTOCOL when no message of ours can begin like this
 */
bool frame_parse(const uint8_t *bytes, size_t len, cJSON **message, size_t *used,
                 struct error *err);

/* `message` as bytes, which the caller frees; NULL with `err` set: it is too long. */
uint8_t *frame_print(const cJSON *message, size_t *len, struct error *err);

#endif
