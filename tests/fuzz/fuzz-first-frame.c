/* What a connection says first, to a listener or to a sender. */
#include "transport/tls/first-frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fed {
    struct channel channel;
    const uint8_t *data;
    size_t size;
};

static ssize_t feed(struct channel *channel, void *bytes, size_t size, struct error *err)
{
    struct fed *fed = (struct fed *)channel;
    size_t count = size < fed->size ? size : fed->size;
    (void)err;

    memcpy(bytes, fed->data, count);
    fed->data += count;
    fed->size -= count;
    return (ssize_t)count;
}

/* Words that are understood are those that a sender would have said. */
static void check_words(const cJSON *frame)
{
    struct first_words words, again;
    struct error err = { 0 };
    AUTO_JSON cJSON *said = NULL;

    if (!words_of_frame(frame, &words, &err))
        return;
    said = words.is_lane ? words_to_frame((const char *const[]){ "lane", words.id, words.ticket,
                                                                 words.name, NULL })
                         : words_to_frame((const char *const[]){ "recv", NULL });
    if (!words_of_frame(said, &again, &err) || again.is_lane != words.is_lane ||
        (words.is_lane && strcmp(again.name, words.name) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct channel_ops ops = { .read = feed };
    struct fed fed = { .channel = { &ops, -1 }, .data = data, .size = size };
    struct error err = { 0 };
    AUTO_JSON cJSON *frame = first_frame_read(&fed.channel, -1, 1000, &err);

    if (!frame != (err.kind != ERROR_NONE))
        abort();
    if (frame) {
        check_words(frame);
        if (!answer_is_ok(frame, &err) && err.kind == ERROR_NONE)
            abort();
    }
    return 0;
}
