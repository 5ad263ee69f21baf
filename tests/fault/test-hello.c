/* The first words of a sender, as a receiver takes them: what makes no sense is refused before
 * anything is touched. The sender here is a session and no more.
 */
#include <pthread.h>
#include <time.h>

#include "tests/unit/helpers.h"
#include "world.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/stage.h"

enum {
    HOUR_MS = 3600000,
    SOON_MS = 60000
};

struct talk {
    struct world world;
    struct loop *loop;
    struct session *session;
    struct session_station stations[MIGRATION_STAGES_MAX + 1];
    pthread_t receiver;
    int fd;
    const char *peer_address;
    struct result result;
};

static void *receive(void *arg)
{
    struct talk *talk = arg;
    struct loop *loop = loop_new();
    struct serve_options options = {
        .state_dir = talk->world.state_dir[SIDE_RECV],
        .runtime_dir = talk->world.runtime_dir[SIDE_RECV],
        .identity = &talk->world.identity[SIDE_RECV],
        .peer_address = talk->peer_address,
        .crash_is_simulated = true,
    };

    serve_run(loop, talk->fd, talk->fd, &options, &talk->result);
    loop_free(loop);
    return NULL;
}

/* To a receiver's process of its own. */
static void call(struct talk *talk)
{
    struct session_timing timing = { .alive_ms = 100, .lost_ms = SOON_MS };
    int pair[2];

    make_pair(pair);
    talk->loop = loop_new();
    talk->session = session_new(talk->loop, pair[0], pair[0], SIDE_SEND, timing, NULL);
    talk->fd = pair[1];
    assert_int_equal(pthread_create(&talk->receiver, NULL, receive, talk), 0);
}

static void begin(struct talk *talk, const char *peer_address)
{
    size_t count = 0;

    *talk = (struct talk){ .peer_address = peer_address };
    world_init(&talk->world);
    journal_new_id(talk->world.id);
    call(talk);
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        talk->stations[count++] = (struct session_station){ (*stage)->name, (*stage)->messages };
}

static void end(struct talk *talk)
{
    session_free(talk->session);
    pthread_join(talk->receiver, NULL);
    loop_free(talk->loop);
    world_done(&talk->world);
}

static cJSON *good_hello(const struct talk *talk)
{
    cJSON *body = must(cJSON_CreateObject());
    cJSON *names = cJSON_AddArrayToObject(body, "stages");

    json_add_uint(body, "protocol", SESSION_PROTOCOL);
    cJSON_AddStringToObject(body, "version", "1.0");
    cJSON_AddStringToObject(body, "machine", talk->world.identity[SIDE_SEND].machine);
    cJSON_AddStringToObject(body, "intent", "move");
    cJSON_AddStringToObject(body, "id", talk->world.id);
    cJSON_AddStringToObject(body, "token", "00112233445566778899aabbccddeeff");
    cJSON_AddStringToObject(body, "host", "simulated");
    for (const struct stage *const *stage = stage_catalog; *stage; stage++)
        cJSON_AddItemToArray(names, cJSON_CreateString((*stage)->name));
    json_add_uint(body, "alive_ms", 100);
    json_add_uint(body, "lost_ms", SOON_MS);
    return body;
}

static bool is_secret(const char *ticket)
{
    return ticket && strlen(ticket) == 32 && strspn(ticket, "0123456789abcdef") == 32;
}

/* The receiver's answer to `hello` (taken). False: `err` is what it says against it. */
static bool is_taken(struct talk *talk, cJSON *hello, struct error *err)
{
    AUTO_JSON cJSON *answer = NULL;

    if (!session_send(talk->session, "hello", hello, err))
        return false;
    answer = session_expect(talk->session, "hello", SOON_MS, err);
    return answer && is_secret(json_string(answer, "ticket", err)) &&
           json_string(answer, "door", err);
}

static void assert_refused(struct talk *talk, cJSON *hello, const char *why)
{
    struct error err = { 0 };

    assert_false(is_taken(talk, hello, &err));
    assert_says(err.text, why);
    end(talk);
    assert_int_equal(talk->result.outcome, OUTCOME_REFUSED);
}

/* A member that is missing, or of another value. */
static void refuses(const char *member, cJSON *value, const char *why)
{
    struct talk talk;
    cJSON *hello;

    begin(&talk, NULL);
    hello = good_hello(&talk);
    cJSON_DeleteItemFromObject(hello, member);
    if (value)
        cJSON_AddItemToObject(hello, member, value);
    assert_refused(&talk, hello, why);
}

static void what_makes_no_sense_is_refused(void **unused)
{
    (void)unused;
    refuses("protocol", NULL, "protocol");
    refuses("id", NULL, "'id'");
    refuses("id", cJSON_CreateString("../../../../etc"), "not a migration's id");
    refuses("token", NULL, "'token'");
    refuses("intent", NULL, "'intent'");
    refuses("host", NULL, "'host'");
    refuses("host", cJSON_CreateString("unheard-of"), "cannot receive a 'unheard-of' VM");
    refuses("stages", NULL, "'stages'");
    refuses("fault", cJSON_CreateString("nonsense"), "nonsense");
}

static void a_stage_that_is_not_known_here_is_refused(void **unused)
{
    struct talk talk;
    cJSON *hello;
    (void)unused;

    begin(&talk, NULL);
    hello = good_hello(&talk);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(hello, "stages"),
                         cJSON_CreateString("teleport"));
    assert_refused(&talk, hello, "has no stage 'teleport'");
}

static void only_an_optional_stage_may_be_left_out(void **unused)
{
    (void)unused;
    for (int i = 0; stage_catalog[i]; i++) {
        struct error err = { 0 };
        struct talk talk;
        cJSON *hello;

        begin(&talk, NULL);
        hello = good_hello(&talk);
        cJSON_DeleteItemFromArray(cJSON_GetObjectItemCaseSensitive(hello, "stages"), i);
        if (!stage_catalog[i]->optional) {
            assert_refused(&talk, hello, stage_catalog[i]->name);
            continue;
        }
        assert_true(is_taken(&talk, hello, &err));
        end(&talk);
    }
}

static cJSON *timed_hello(const struct talk *talk, uint64_t alive_ms, uint64_t lost_ms)
{
    cJSON *hello = good_hello(talk);

    cJSON_DeleteItemFromObject(hello, "alive_ms");
    cJSON_DeleteItemFromObject(hello, "lost_ms");
    json_add_uint(hello, "alive_ms", alive_ms);
    json_add_uint(hello, "lost_ms", lost_ms);
    return hello;
}

static void a_keep_alive_has_its_bounds(void **unused)
{
    static const uint64_t good[][2] = { { 1, SOON_MS }, { 100, HOUR_MS }, { HOUR_MS, HOUR_MS } };
    static const uint64_t bad[][2] = {
        { 0, SOON_MS }, { 100, HOUR_MS + 1 }, { 101, 100 }, { HOUR_MS + 1, HOUR_MS + 1 }
    };
    struct talk talk;
    (void)unused;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct error err = { 0 };

        begin(&talk, NULL);
        assert_true(is_taken(&talk, timed_hello(&talk, good[i][0], good[i][1]), &err));
        end(&talk);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(&talk, NULL);
        assert_refused(&talk, timed_hello(&talk, bad[i][0], bad[i][1]), "makes no sense");
    }
}

/* ---- what the receiver's journal says of the sender ---- */

/* Up to the receiver's first record, behind which the sender is gone. */
static bool begin_a_move(struct talk *talk, cJSON *hello, struct error *err)
{
    cJSON *params = must(cJSON_CreateObject());
    cJSON *checked = must(cJSON_CreateObject());
    AUTO_JSON cJSON *plan = NULL;
    AUTO_JSON cJSON *done = NULL;

    cJSON_AddStringToObject(params, "name", "demo");
    json_add_uint(params, "memory", 4096);
    cJSON_AddArrayToObject(params, "disks");
    cJSON_AddArrayToObject(checked, "plan");
    if (!is_taken(talk, hello, err))
        return false;
    session_set_stations(talk->session, talk->stations);
    if (!session_send(talk->session, "params", params, err) ||
        !session_send(talk->session, "checked", checked, err))
        return false;
    plan = session_expect(talk->session, "checked", SOON_MS, err);
    assert_int_not_equal(cJSON_GetArraySize(json_array(plan, "plan", err)), 0);
    done = plan ? session_expect(talk->session, "done", SOON_MS, err) : NULL;
    return done != NULL;
}

static void assert_known_as(const char *from, const char *address, const char *name)
{
    enum journal_health health;
    struct journal *journal;
    struct error err = { 0 };
    struct talk talk;
    cJSON *hello;

    begin(&talk, address);
    hello = good_hello(&talk);
    if (from)
        cJSON_AddStringToObject(hello, "from", from);
    assert_ok(begin_a_move(&talk, hello, &err), &err);
    journal = journal_open(talk.world.state_dir[SIDE_RECV], talk.world.id, SIDE_RECV,
                           &talk.world.identity[SIDE_RECV], &health, NULL);
    assert_non_null(journal);
    assert_string_equal(
        json_string_or(journal_find(journal, RECORD_BEGIN), "source_host", "nobody"), name);
    journal_free(journal);
    end(&talk);
    assert_int_equal(talk.result.outcome, OUTCOME_ROLLED_BACK);
}

static void a_receivers_journal_names_the_sender_as_a_person_reaches_it(void **unused)
{
    (void)unused;
    assert_known_as("root@alpha", "192.0.2.1", "root@alpha (192.0.2.1)");
    assert_known_as("root@alpha", NULL, "root@alpha");
    assert_known_as("a", NULL, "a");
    assert_known_as(NULL, "192.0.2.1", "192.0.2.1");
    assert_known_as("", NULL, "this host");
    assert_known_as("", "192.0.2.1", "this host");
    assert_known_as(NULL, NULL, "nobody");
}

static void an_id_that_is_known_already_is_refused(void **unused)
{
    struct error err = { 0 };
    struct talk talk;
    (void)unused;

    begin(&talk, NULL);
    assert_ok(begin_a_move(&talk, good_hello(&talk), &err), &err);
    session_free(talk.session);
    pthread_join(talk.receiver, NULL);
    loop_free(talk.loop);
    call(&talk);
    assert_refused(&talk, good_hello(&talk), "is known here already");
}

/* ---- the parameters ---- */

static void refuses_params(const char *params, const char *why)
{
    AUTO_JSON cJSON *plan = NULL;
    struct error err = { 0 };
    struct talk talk;

    begin(&talk, NULL);
    assert_ok(is_taken(&talk, good_hello(&talk), &err), &err);
    session_set_stations(talk.session, talk.stations);
    assert_true(session_send(talk.session, "params", must(cJSON_Parse(params)), &err));
    plan = session_expect(talk.session, "checked", SOON_MS, &err);
    assert_null(plan);
    assert_says(err.text, why);
    end(&talk);
    assert_int_equal(talk.result.outcome, OUTCOME_REFUSED);
}

static void refuses_params_that_make_no_sense(void **unused)
{
    (void)unused;
    refuses_params("{\"name\": \"demo\", \"memory\": 1}",
                   "the sender's parameters: 'disks' is missing");
    refuses_params("{\"name\": \"demo\", \"memory\": 1, \"disks\": [{\"name\": \"../x\"}]}",
                   "the sender's parameters: disks[0]: 'name' cannot be '../x'");
    refuses_params("{\"name\": \"demo\", \"memory\": \"1\", \"disks\": []}",
                   "'memory' is not a whole number");
    refuses_params("{\"name\": \"demo\", \"memory\": 1, \"disks\": [], \"hang\": \"in the end\"}",
                   "'hang' is longer than 7 bytes");
}

/* ---- a question while the move goes on ---- */

static cJSON *question(const struct talk *talk)
{
    cJSON *hello = good_hello(talk);

    cJSON_DeleteItemFromObject(hello, "stages");
    cJSON_DeleteItemFromObject(hello, "host");
    cJSON_ReplaceItemInObject(hello, "intent", cJSON_CreateString("query"));
    return hello;
}

static void assert_is_told(struct talk *talk, const char *state)
{
    struct error err = { 0 };
    cJSON *words = must(cJSON_CreateObject());
    AUTO_JSON cJSON *hello = session_expect(talk->session, "hello", SOON_MS, &err);
    AUTO_JSON cJSON *verdict = NULL;

    assert_ok(hello != NULL, &err);
    cJSON_AddFalseToObject(words, "committed");
    assert_ok(session_send(talk->session, "query", words, &err), &err);
    verdict = session_expect(talk->session, "verdict", SOON_MS, &err);
    assert_ok(verdict != NULL, &err);
    assert_string_equal(json_string_or(verdict, "state", ""), state);
    session_goodbye(talk->session);
}

static bool has_ended(const struct talk *talk)
{
    return pthread_tryjoin_np(talk->receiver, NULL) == 0;
}

/* Of two, the one that comes first is sent away. */
static struct talk *the_last_of(struct talk asking[2])
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    time_t end = time(NULL) + 60;

    for (;;) {
        if (has_ended(&asking[0]))
            return &asking[1];
        if (has_ended(&asking[1]))
            return &asking[0];
        assert_true(time(NULL) < end);
        nanosleep(&moment, NULL);
    }
}

static void the_last_who_asks_while_the_move_goes_on_is_answered_when_it_has_ended(void **unused)
{
    struct error err = { 0 };
    struct talk talk, asking[2];
    struct talk *last;
    (void)unused;

    begin(&talk, NULL);
    assert_ok(begin_a_move(&talk, good_hello(&talk), &err), &err);
    for (size_t i = 0; i < 2; i++) {
        asking[i] = (struct talk){ .world = talk.world };
        call(&asking[i]);
        assert_ok(session_send(asking[i].session, "hello", question(&talk), &err), &err);
    }
    last = the_last_of(asking);
    session_free(steal(talk.session));
    assert_is_told(last, "returned");
    for (size_t i = 0; i < 2; i++) {
        session_free(asking[i].session);
        loop_free(asking[i].loop);
    }
    pthread_join(last->receiver, NULL);
    end(&talk);
    assert_int_equal(talk.result.outcome, OUTCOME_ROLLED_BACK);
}

static void a_lane_before_the_parameters_is_refused(void **unused)
{
    struct vm_context context = { .state_dir = "/nonexistent" };
    struct error err = { 0 };
    struct copy *copy = hypervisor_copy(hypervisor_find("simulated"), &context, &err);
    (void)unused;

    assert_int_equal(copy_open_lane(copy, "ram", &err), -1);
    assert_says(err.text, "no lane 'ram'");
    copy_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_stage_that_is_not_known_here_is_refused),
        cmocka_unit_test(only_an_optional_stage_may_be_left_out),
        cmocka_unit_test(a_keep_alive_has_its_bounds),
        cmocka_unit_test(a_lane_before_the_parameters_is_refused),
        cmocka_unit_test(an_id_that_is_known_already_is_refused),
        cmocka_unit_test(refuses_params_that_make_no_sense),
        cmocka_unit_test(a_receivers_journal_names_the_sender_as_a_person_reaches_it),
        cmocka_unit_test(the_last_who_asks_while_the_move_goes_on_is_answered_when_it_has_ended),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
