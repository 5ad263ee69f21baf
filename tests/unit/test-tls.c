/* The parts of the way by TLS that need no network: places, fingerprints, trusted keys, first
 * frames, and how bytes are moved. tests/e2e/test-tls.py has the real thing.
 */
#include "tests/unit/helpers.h"
#include "tests/unit/traffic.h"
#include "transport/listen/known-addresses.h"
#include "transport/tls/channel.h"
#include "transport/tls/first-frame.h"
#include "transport/tls/settings.h"
#include "transport/tls/trusted-keys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

enum {
    MUCH = 24 * 1024 * 1024 + 4711
};

/* ---- words and names ---- */

static void understands_host_and_port(void **unused)
{
    const struct {
        const char *text, *host;
        int port;
    } cases[] = {
        { "host:7000", "host", 7000 },
        { "192.0.2.1:1", "192.0.2.1", 1 },
        { "[2001:db8::1]:65535", "2001:db8::1", 65535 },
        { "[fe80::1%eth0]:7", "fe80::1%eth0", 7 },
        { "host.example:7000/", "host.example", 7000 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_place place;
        struct error err = { 0 };

        assert_ok(tls_place_parse(cases[i].text, &place, &err), &err);
        assert_string_equal(place.host, cases[i].host);
        assert_int_equal(place.port, cases[i].port);
        tls_place_done(&place);
    }
}

static void refuses_what_is_no_place(void **unused)
{
    static const char *const texts[] = { "",           "host",    "host:", "host:0",
                                         "host:65536", "host:7x", ":7000", "user@host:7",
                                         "-x:7",       "ho st:7", "a/b:7", "[::1]",
                                         "[::1:7",     "::1:7",   "[]:7",  "host:7?",
                                         "host:7/abc" };
    (void)unused;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tls_place place;
        struct error err = { 0 };

        if (tls_place_parse(texts[i], &place, &err))
            fail_msg("'%s' was accepted", texts[i]);
        assert_int_equal(err.kind, ERROR_REFUSED);
        assert_null(place.host);
    }
}

static void options_of_another_type_are_named(void **unused)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        { "{\"cert\":7}", "'cert'" },
        { "{\"resolve\":\"host:1:192.0.2.1\"}", "'resolve'" },
        { "{\"connect_timeout_ms\":\"2\"}", "'connect_timeout_ms'" },
        { "{\"ip\":8}", "'ip'" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_JSON cJSON *json = must(cJSON_Parse(cases[i].json));
        struct tls_settings settings;
        struct error err = { 0 };

        assert_false(tls_settings_read(&settings, json, "host", &err));
        assert_says(err.text, "tls: ");
        assert_says(err.text, cases[i].says);
        tls_settings_done(&settings);
    }
}

#define KEY_A "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void a_fingerprint_is_read_as_it_is_printed(void **unused)
{
    struct fingerprint fingerprint;
    char text[FINGERPRINT_TEXT];
    (void)unused;

    assert_true(fingerprint_parse(KEY_B, &fingerprint, NULL));
    assert_int_equal(fingerprint.hash[31], 31);
    fingerprint_print(&fingerprint, text);
    assert_string_equal(text, KEY_B);
    assert_false(fingerprint_parse("sha256//AAAA", &fingerprint, NULL));
    assert_false(fingerprint_parse("sha1://" KEY_B, &fingerprint, NULL));
    /* Bits that stand for nothing are none of them. */
    assert_false(fingerprint_parse(
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", &fingerprint, NULL));
    assert_false(fingerprint_parse(
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", &fingerprint, NULL));
}

static struct trusted_key key_of(const char *fingerprint, const char *name)
{
    struct trusted_key key = { 0 };

    assert_true(fingerprint_parse(fingerprint, &key.fingerprint, NULL));
    snprintf(key.name, sizeof(key.name), "%s", name);
    return key;
}

static void trusted_keys_are_kept_in_a_file(void **unused)
{
    char *dir = make_directory();
    AUTO_FREE char *path = NULL;
    struct trusted_key a = key_of(KEY_A, ""), b = key_of(KEY_B, "beta");
    struct trusted trusted;
    (void)unused;

    assert_true(asprintf(&path, "%s/trusted", dir) > 0);
    assert_true(trusted_read(&trusted, path, NULL));
    assert_int_equal(trusted.count, 0);
    assert_true(trusted_add(path, &a, NULL));
    assert_true(trusted_add(path, &b, NULL));
    a = key_of(KEY_A, "alpha"); /* another name for the same key */
    assert_true(trusted_add(path, &a, NULL));
    assert_true(trusted_read(&trusted, path, NULL));
    assert_int_equal(trusted.count, 2);
    assert_string_equal(trusted_find(&trusted, &a.fingerprint)->name, "alpha");
    trusted_narrow(&trusted, "BETA");
    assert_int_equal(trusted.count, 1);
    assert_null(trusted_find(&trusted, &a.fingerprint));
    trusted_narrow(&trusted, "nobody");
    assert_int_equal(trusted.count, 1);
    trusted_done(&trusted);
    remove_all(dir);
}

static void names_that_could_be_something_else_are_unfit(void **unused)
{
    static const char *const names[] = {
        "", "-x", "..", "a/b", "a b", "a\n", "a\x1b[0m", "a$b", "ä"
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(trusted_name_is_fit(names[i]));
    assert_true(trusted_name_is_fit("root@alpha-1.example:7"));
}

static bool asks(const char *text, struct first_words *words)
{
    struct error err = { 0 };
    AUTO_JSON cJSON *frame = json_parse_object(text, strlen(text), &err);

    return frame && words_of_frame(frame, words, &err);
}

static void first_words_are_recv_or_a_lanes(void **unused)
{
    struct first_words words;
    (void)unused;

    assert_true(asks("{\"words\": [\"recv\"]}", &words));
    assert_false(words.is_lane);
    assert_false(asks("{}", &words));
    assert_false(asks("{\"words\": []}", &words));
    assert_false(asks("{\"words\": {\"0\": \"recv\"}}", &words));
    assert_false(asks("{\"words\": [\"recv\", \"--as\", \"root\"]}", &words));
    assert_false(asks("{\"words\": [\"send\"]}", &words));
    assert_false(asks("{\"words\": [[\"recv\"]]}", &words));
    assert_false(asks("{\"words\": [\"lane\", \"id\", \"ticket\"]}", &words));
    assert_false(asks("{\"words\": [\"lane\", \"id\", \"ticket\", 7]}", &words));
    assert_false(asks("{\"words\": [\"lane\", \"id\", \"\", \"ram\"]}", &words));
}

/* ---- moving bytes ---- */

/* A channel that hides nothing: a socket. Like a library's, it keeps bytes that poll() does not
 * tell of, and takes no more than so many at once.
 */
struct plain {
    struct channel channel;
    char kept[4096];
    size_t start, end;
    bool flushed;
};

static ssize_t result(ssize_t count, struct error *err)
{
    if (count >= 0)
        return count;
    if (errno == EAGAIN)
        return CHANNEL_AGAIN;
    error_set(err, ERROR_LOST, "it broke: %m");
    return CHANNEL_LOST;
}

static ssize_t plain_read(struct channel *channel, void *bytes, size_t size, struct error *err)
{
    struct plain *plain = (struct plain *)channel;
    size_t count;

    if (plain->start == plain->end) {
        ssize_t got = read(channel->fd, plain->kept, sizeof(plain->kept));

        if (got <= 0)
            return result(got, err);
        plain->start = 0;
        plain->end = (size_t)got;
    }
    count = plain->end - plain->start < size ? plain->end - plain->start : size;
    count = count < 1000 ? count : 1000;
    memcpy(bytes, plain->kept + plain->start, count);
    plain->start += count;
    return (ssize_t)count;
}

static ssize_t plain_write(struct channel *channel, const void *bytes, size_t size,
                           struct error *err)
{
    return result(send(channel->fd, bytes, size < 5000 ? size : 5000, MSG_NOSIGNAL), err);
}

/* The first time something is left. */
static ssize_t plain_flush(struct channel *channel, struct error *err)
{
    struct plain *plain = (struct plain *)channel;
    (void)err;

    plain->flushed = !plain->flushed;
    return plain->flushed ? CHANNEL_AGAIN : 0;
}

static ssize_t plain_finish(struct channel *channel, struct error *err)
{
    (void)err;
    return shutdown(channel->fd, SHUT_WR);
}

static void plain_free(struct channel *channel)
{
    close(channel->fd);
}

struct pumping {
    struct plain plain;
    int near, far; /* whoever uses the pump, and its peer */
    int inner;     /* the pump's end of `near` */
    int stop;
    bool delivered, ok;
    struct error err;
    pthread_t thread;
};

static void note_delivered(void *arg)
{
    ((struct pumping *)arg)->delivered = true;
}

static void *run_pump(void *arg)
{
    struct pumping *pumping = arg;

    pumping->ok = channel_pump(
        &pumping->plain.channel, pumping->inner, pumping->stop,
        &(struct pump_options){ .delivered = note_delivered, .arg = pumping }, &pumping->err);
    channel_free(&pumping->plain.channel);
    close(pumping->inner);
    return NULL;
}

static void begin(struct pumping *pumping)
{
    static const struct channel_ops ops = { plain_read, plain_write, plain_flush, plain_finish,
                                            plain_free };
    int both[2];

    *pumping = (struct pumping){ .stop = eventfd(0, EFD_CLOEXEC) };
    make_pair(both);
    pumping->near = both[0];
    pumping->inner = both[1];
    make_pair(both);
    pumping->far = both[0];
    fcntl(both[1], F_SETFL, O_NONBLOCK);
    pumping->plain.channel = (struct channel){ .ops = &ops, .fd = both[1] };
    assert_int_equal(pthread_create(&pumping->thread, NULL, run_pump, pumping), 0);
}

static void end(struct pumping *pumping)
{
    pthread_join(pumping->thread, NULL);
    close(pumping->near);
    close(pumping->far);
    close(pumping->stop);
}

static void bytes_go_both_ways_and_so_do_their_ends(void **unused)
{
    struct pumping pumping;
    struct traffic_pair traffic;
    (void)unused;

    begin(&pumping);
    traffic = traffic_start_pair(pumping.near, pumping.near, pumping.far, MUCH);
    assert_true(traffic_end_pair(&traffic));
    pthread_join(pumping.thread, NULL);
    assert_true(pumping.ok && pumping.delivered);
    close(pumping.near);
    close(pumping.far);
    close(pumping.stop);
}

static void one_direction_goes_on_after_the_others_end(void **unused)
{
    struct pumping pumping;
    char text[6] = "";
    (void)unused;

    begin(&pumping);
    shutdown(pumping.near, SHUT_WR);
    assert_int_equal(read(pumping.far, text, 1), 0);
    assert_int_equal(write(pumping.far, "later", 5), 5);
    assert_int_equal(traffic_read_block(pumping.near, text, 5), 5);
    shutdown(pumping.far, SHUT_WR);
    assert_int_equal(read(pumping.near, text, 1), 0);
    end(&pumping);
    assert_true(pumping.ok);
}

/* Nobody reads: it takes its buffers full, and no more. */
static void nothing_is_read_that_nobody_takes(void **unused)
{
    struct pumping pumping;
    AUTO_FREE char *block = must(calloc(1, 65536));
    size_t taken = 0;
    ssize_t count;
    (void)unused;

    begin(&pumping);
    fcntl(pumping.near, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 50;) {
        struct pollfd polled = { .fd = pumping.near, .events = POLLOUT };

        if (poll(&polled, 1, 10) == 0) {
            quiet++;
            continue;
        }
        count = write(pumping.near, block, 65536);
        taken += count > 0 ? (size_t)count : 0;
        assert_true(taken < 8 * 1024 * 1024);
    }
    assert_int_equal(write(pumping.stop, &(uint64_t){ 1 }, 8), 8);
    end(&pumping);
    assert_int_equal(pumping.err.kind, ERROR_CANCELLED);
}

static void a_peer_that_breaks_is_told_of(void **unused)
{
    struct pumping pumping;
    char byte;
    (void)unused;

    begin(&pumping);
    assert_int_equal(write(pumping.near, "x", 1), 1);
    close(pumping.far); /* with a byte unread: the other end is reset */
    pumping.far = -1;
    while (read(pumping.near, &byte, 1) > 0)
        ;
    assert_true(write(pumping.near, "x", 1) <= 1); /* also into a broken pipe */
    end(&pumping);
}

static void a_frame_that_is_too_long_is_not_read(void **unused)
{
    static const char header[4] = { 0, 1, 0, 0 };
    struct plain plain = { 0 };
    struct error err = { 0 };
    static const struct channel_ops ops = { plain_read, plain_write, plain_flush, plain_finish,
                                            plain_free };
    int both[2];
    (void)unused;

    make_pair(both);
    fcntl(both[0], F_SETFL, O_NONBLOCK);
    plain.channel = (struct channel){ .ops = &ops, .fd = both[0] };
    assert_int_equal(write(both[1], header, 4), 4);
    assert_null(first_frame_read(&plain.channel, -1, 5000, &err));
    assert_says(err.text, "the first frame has 65536 bytes");
    assert_null(first_frame_read(&plain.channel, -1, 20, &err));
    assert_int_equal(err.kind, ERROR_TIMEOUT);
    close(both[0]);
    close(both[1]);
}

/* ---- who comes ---- */

static void an_address_is_known_for_some_time(void **unused)
{
    struct known_addresses known = { 0 };
    const struct origin a = { "192.0.2.1", "192.0.2.1" }, b = { "2001:db8::7", "2001:db8::" };
    (void)unused;

    assert_false(known_addresses_has(&known, &a, 1000, 500));
    known_addresses_add(&known, &a, 1000);
    assert_true(known_addresses_has(&known, &a, 1400, 500));
    assert_false(known_addresses_has(&known, &a, 1500, 500));
    assert_false(known_addresses_has(&known, &b, 1400, 500));
}

static void strangers_have_a_budget(void **unused)
{
    struct budget budget = { .per_second = 10 };
    int taken = 0;
    (void)unused;

    while (budget_take(&budget, 100000))
        taken++;
    assert_in_range(taken, 10, 11);
    assert_true(budget_wait_ms(&budget, 100000) > 0);
    assert_true(budget_take(&budget, 100200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_host_and_port),
        cmocka_unit_test(refuses_what_is_no_place),
        cmocka_unit_test(options_of_another_type_are_named),
        cmocka_unit_test(a_fingerprint_is_read_as_it_is_printed),
        cmocka_unit_test(trusted_keys_are_kept_in_a_file),
        cmocka_unit_test(names_that_could_be_something_else_are_unfit),
        cmocka_unit_test(first_words_are_recv_or_a_lanes),
        cmocka_unit_test(bytes_go_both_ways_and_so_do_their_ends),
        cmocka_unit_test(one_direction_goes_on_after_the_others_end),
        cmocka_unit_test(nothing_is_read_that_nobody_takes),
        cmocka_unit_test(a_peer_that_breaks_is_told_of),
        cmocka_unit_test(a_frame_that_is_too_long_is_not_read),
        cmocka_unit_test(an_address_is_known_for_some_time),
        cmocka_unit_test(strangers_have_a_budget),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
