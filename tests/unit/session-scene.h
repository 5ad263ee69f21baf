/* A session whose peer is a bare socket that speaks bytes, so that the peer can also say what no
 * session would; minutes pass at a test's word.
 */
#ifndef TESTS_UNIT_SESSION_SCENE_H
#define TESTS_UNIT_SESSION_SCENE_H

#include <signal.h>
#include <sys/time.h>

#include "tests/unit/clock.h"
#include "tests/unit/helpers.h"
#include "xmig/session.h"

enum {
    SOON_MS = 20 * 1000,
    ALIVE_MS = 5000,
    LOST_MS = 20000
};

static const struct session_timing timing = { ALIVE_MS, LOST_MS };

/* A side's session, and the other's end of its connection. */
struct scene {
    struct loop *loop;
    struct session *session;
    int peer;
};

static inline struct scene begin_as(enum side side)
{
    const struct timeval limit = { .tv_sec = SOON_MS / 1000 };
    struct scene scene = { .loop = loop_new() };
    struct error err = { 0 };
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    make_pair(fds);
    setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    scene.peer = fds[1];
    scene.session = session_new(scene.loop, fds[0], fds[0], side, timing, &err);
    assert_string_equal(err.text, "");
    return scene;
}

static inline struct scene begin(void)
{
    return begin_as(SIDE_SEND);
}

static inline void peer_closes(struct scene *scene)
{
    cleanup_close(&scene->peer);
    scene->peer = -1;
}

static inline void end(struct scene *scene)
{
    session_free(scene->session);
    loop_free(scene->loop);
    peer_closes(scene);
}

static inline void peer_sends(struct scene *scene, const void *bytes, size_t len)
{
    assert_int_equal(send(scene->peer, bytes, len, 0), len);
}

static inline void put_frame(char *frame, const char *json)
{
    size_t len = strlen(json);

    for (int i = 0; i < 4; i++)
        frame[i] = (char)(len >> (24 - 8 * i));
    memcpy(frame + 4, json, len);
}

static inline void peer_says(struct scene *scene, const char *json)
{
    AUTO_FREE char *frame = must(malloc(4 + strlen(json)));

    put_frame(frame, json);
    peer_sends(scene, frame, 4 + strlen(json));
}

/* The next message that has come to the peer. The caller frees it. */
static inline char *peer_hears(struct scene *scene)
{
    uint8_t size[4];
    size_t len;
    char *json;

    assert_int_equal(recv(scene->peer, size, 4, MSG_WAITALL), 4);
    len = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
    json = must(calloc(1, len + 1));
    assert_int_equal(recv(scene->peer, json, len, MSG_WAITALL), len);
    return json;
}

static inline void assert_peer_hears(struct scene *scene, const char *wanted)
{
    AUTO_FREE char *json = peer_hears(scene);

    assert_string_equal(json, wanted);
}

static inline void assert_peer_hears_nothing(struct scene *scene)
{
    char byte;

    assert_int_equal(recv(scene->peer, &byte, 1, MSG_DONTWAIT), -1);
}

static inline bool never(void *arg)
{
    (void)arg;
    return false;
}

static inline bool is_lost(void *arg)
{
    return session_lost(arg);
}

/* What has come in is taken in; true: nothing has interrupted us. */
static inline bool turn(struct scene *scene, struct error *err)
{
    return loop_pause(scene->loop, 1, err);
}

static inline struct error interruption(struct scene *scene)
{
    struct error err = { 0 };

    assert_false(loop_wait(scene->loop, never, NULL, SOON_MS, &err));
    assert_true(loop_interrupted(scene->loop));
    return err;
}

static inline void assert_interrupted(struct scene *scene, enum error_kind kind, const char *text)
{
    struct error err = interruption(scene);

    assert_int_equal(err.kind, kind);
    assert_string_equal(err.text, text);
}

static inline void assert_breaks_off(struct scene *scene, const char *text)
{
    assert_interrupted(scene, ERROR_PROTOCOL, text);
    assert_true(session_lost(scene->session));
}

static inline cJSON *expect(struct scene *scene, const char *type)
{
    struct error err = { 0 };
    cJSON *message = session_expect(scene->session, type, SOON_MS, &err);

    assert_ok(message, &err);
    return message;
}

static inline void assert_heard(struct scene *scene, const char *type)
{
    cJSON_Delete(expect(scene, type));
}

static inline void assert_not_heard(struct scene *scene, const char *type, enum error_kind kind,
                                    const char *text)
{
    struct error err = { 0 };

    assert_null(session_expect(scene->session, type, SOON_MS, &err));
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.text, text);
}

#endif
