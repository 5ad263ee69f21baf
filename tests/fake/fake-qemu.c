/* A QEMU that is only a QMP socket and a script. */
#include "tests/fake/fake-qemu.h"

#include <stdio.h>

#include "xmig/json.h"
#include "xmig/stream.h"

static const char usual_greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "
    "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}";

struct fake_qemu {
    struct loop *loop;
    struct listener *listener;
    struct stream *stream;
    char dir[32];
    char path[64];
    const char *greeting;
    const struct exchange *next;
    char complaint[256];
};

static void say(struct fake_qemu *fake, const char *line)
{
    stream_write(fake->stream, line, strlen(line), NULL);
    stream_write(fake->stream, "\r\n", 2, NULL);
}

static void say_all(struct fake_qemu *fake, const char *const lines[])
{
    for (size_t i = 0; i < FAKE_LINES_MAX && lines[i]; i++)
        say(fake, lines[i]);
}

static void reply(struct fake_qemu *fake, const cJSON *command, const char *what)
{
    static const char error[] = "error: ";
    AUTO_JSON cJSON *json = must(cJSON_CreateObject());
    AUTO_FREE char *line = NULL;

    if (what && !strncmp(what, error, strlen(error))) {
        cJSON *body = cJSON_AddObjectToObject(json, "error");

        cJSON_AddStringToObject(body, "class", "GenericError");
        cJSON_AddStringToObject(body, "desc", what + strlen(error));
    } else {
        cJSON_AddItemToObject(json, "return", must(cJSON_Parse(what ? what : "{}")));
    }
    json_add_uint(json, "id", json_uint_or(command, "id", 0));
    line = json_print(json);
    say(fake, line);
}

static void complain(struct fake_qemu *fake, const char *line)
{
    if (!fake->complaint[0])
        snprintf(fake->complaint, sizeof(fake->complaint), "got %.100s where the script has %.100s",
                 line, fake->next->command ? fake->next->command : "its end");
}

static void perform(struct fake_qemu *fake, const cJSON *command, const struct exchange *exchange)
{
    say_all(fake, exchange->early);
    if (exchange->action == FAKE_REPLY)
        reply(fake, command, exchange->reply);
    say_all(fake, exchange->events);
    if (exchange->action == FAKE_HANG_UP)
        fake_qemu_hang_up(fake);
}

static void take_command(struct fake_qemu *fake, const char *line)
{
    AUTO_JSON cJSON *command = must(cJSON_Parse(line));
    const char *name =
        json_string_or(command, "execute", json_string_or(command, "exec-oob", "nothing"));
    const struct exchange *exchange = fake->next;

    if (!strcmp(name, "qmp_capabilities")) {
        reply(fake, command, NULL);
        return;
    }
    if (!exchange->command || strcmp(exchange->command, name) != 0 ||
        (exchange->with && !strstr(line, exchange->with))) {
        complain(fake, line);
        reply(fake, command, "error: this is not in the script");
        return;
    }
    fake->next++;
    perform(fake, command, exchange);
}

static bool take_line(struct fake_qemu *fake)
{
    AUTO_FREE char *line = NULL;
    size_t len;
    const char *bytes = (const char *)stream_peek(fake->stream, &len);
    const char *end = len ? memchr(bytes, '\n', len) : NULL;

    if (!end)
        return false;
    line = must(strndup(bytes, (size_t)(end - bytes)));
    stream_consume(fake->stream, (size_t)(end - bytes) + 1);
    take_command(fake, line);
    return fake->stream != NULL;
}

static void on_change(void *arg)
{
    struct fake_qemu *fake = arg;

    while (take_line(fake))
        ;
}

/* One client at a time, as QEMU has it. */
static void on_client(void *arg, int fd)
{
    enum {
        LIMIT = 1024 * 1024
    };
    struct fake_qemu *fake = arg;

    stream_free(fake->stream);
    fake->stream = stream_new(fake->loop, fd, fd, LIMIT, NULL);
    stream_on_change(fake->stream, on_change, fake);
    if (fake->greeting)
        say(fake, fake->greeting);
}

struct fake_qemu *fake_qemu_new(struct loop *loop, const struct exchange *script)
{
    struct fake_qemu *fake = must(calloc(1, sizeof(*fake)));

    fake->loop = loop;
    fake->next = script;
    fake->greeting = usual_greeting;
    strcpy(fake->dir, "/tmp/fake-qemu.XXXXXX");
    must(mkdtemp(fake->dir));
    snprintf(fake->path, sizeof(fake->path), "%s/qmp.sock", fake->dir);
    fake->listener = must(listener_new(loop, fake->path, on_client, fake, NULL));
    return fake;
}

void fake_qemu_free(struct fake_qemu *fake)
{
    stream_free(fake->stream);
    listener_free(fake->listener);
    rmdir(fake->dir);
    free(fake);
}

const char *fake_qemu_path(const struct fake_qemu *fake)
{
    return fake->path;
}

void fake_qemu_greet_with(struct fake_qemu *fake, const char *line)
{
    fake->greeting = line;
}

void fake_qemu_say(struct fake_qemu *fake, const char *line)
{
    say(fake, line);
}

void fake_qemu_hang_up(struct fake_qemu *fake)
{
    stream_free(fake->stream);
    fake->stream = NULL;
}

const char *fake_qemu_complaint(struct fake_qemu *fake)
{
    if (!fake->complaint[0] && fake->next->command)
        snprintf(fake->complaint, sizeof(fake->complaint), "never got %.100s", fake->next->command);
    return fake->complaint[0] ? fake->complaint : NULL;
}
