/* The first words on a control connection. */
#include "handshake.h"

#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>

#include "time-limits.h"
#include "xmig/cleanup.h"
#include "xmig/stage.h"
#include "xmig/hypervisor.h"
#include "xmig/nbd.h"
#include "xmig/text.h"

enum {
    HELLO_MS = 60000
}; /* a slow login, a busy machine */

/* A query's conversation has one station. */
static const struct message_rule query_rules[] = {
    { "query", SIDE_SEND },
    { "go", SIDE_SEND },
    { "running", SIDE_RECV },
    { NULL, SIDE_SEND },
};
static const struct session_station query_stations[] = { { "query", query_rules }, { NULL, NULL } };

/* What this xmig can do beyond the protocol's number; docs/wire-protocol.md. */
const char *const handshake_features[] = { "look",  LANE_LZ4, LANE_NBD, "history",
                                           "limit", "beat",   NULL };

static bool has_feature(const cJSON *theirs, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(theirs, "features"))
        if (cJSON_IsString(item) && !strcmp(item->valuestring, name))
            return true;
    return false;
}

void handshake_share(struct migration *m, const cJSON *theirs)
{
    if (has_feature(theirs, "history"))
        session_share(m->peer, m->history);
    if (m->door && has_feature(theirs, "beat"))
        receiver_door_beat(m->door);
}

/* A question is over before clocks could be compared. */
static void share_answer(struct migration *m)
{
    struct session_history history = m->history;

    history.compare = NULL;
    session_share(m->peer, history);
}

static cJSON *hello(const struct migration *m)
{
    cJSON *body = must(cJSON_CreateObject());
    cJSON *names;

    json_add_uint(body, "protocol", SESSION_PROTOCOL);
    cJSON_AddStringToObject(body, "version", XMIG_VERSION);
    cJSON_AddStringToObject(body, "machine", m->identity.machine);
    names = cJSON_AddArrayToObject(body, "features");
    for (const char *const *name = handshake_features; *name; name++)
        cJSON_AddItemToArray(names, cJSON_CreateString(*name));
    return body;
}

static bool check_protocol(const struct migration *m, const cJSON *theirs, struct error *err)
{
    uint64_t protocol;

    if (!json_uint(theirs, "protocol", &protocol, err))
        return error_prefix(err, "the peer's hello");
    if (protocol == SESSION_PROTOCOL)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "%s has xmig %.40s, which speaks protocol %" PRIu64
                     "; this is xmig %s, which speaks %d: "
                     "install the newer one of them on both machines",
                     m->peer_name, json_string_or(theirs, "version", "of an unknown version"),
                     protocol, XMIG_VERSION, SESSION_PROTOCOL);
}

static bool dial(struct migration *m, bool anew, struct error *err)
{
    struct link *link = transport_control(m->transport, anew, err);
    int fd;

    session_free(m->peer);
    m->peer = NULL;
    link_leave(m->control);
    m->control = link;
    if (!link)
        return false;
    fd = steal_fd(&link->fd);
    m->peer = session_new(m->loop, fd, fd, SIDE_SEND, m->options->timing, err);
    return m->peer != NULL;
}

/* Say hello and hear theirs. The caller frees it. */
static cJSON *exchange(struct migration *m, cJSON *mine, uint64_t patience_ms, struct error *err)
{
    AUTO_JSON cJSON *theirs = NULL;

    if (!session_send(m->peer, "hello", mine, err))
        return NULL;
    theirs = session_expect(m->peer, "hello", patience_ms, err);
    if (!theirs) {
        if (err->kind == ERROR_LOST)
            transport_explain(m->transport, m->control, err);
        return NULL;
    }
    return check_protocol(m, theirs, err) ? steal(theirs) : NULL;
}

static void add_stage_names(const struct migration *m, cJSON *body)
{
    cJSON *names = cJSON_AddArrayToObject(body, "stages");

    for (size_t i = 0; i < m->stage_count; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(m->stages[i]->name));
}

/* The receiver's part of the options: it has no command line of its own. */
static void add_options(const struct migration *m, cJSON *body)
{
    const struct migration_options *options = m->options;

    json_add_uint(body, "lease_ms", options->lease_ms);
    json_add_uint(body, "alive_ms", options->timing.alive_ms);
    json_add_uint(body, "lost_ms", options->timing.lost_ms);
    cJSON_AddBoolToObject(body, "dry_run", options->dry_run);
    /* A fault strikes a receiver once: the one that takes the move, or that recover asks. */
    if (options->fault.point[0] && (!m->journal || m->settling)) {
        AUTO_FREE char *fault = fault_print(&options->fault);

        cJSON_AddStringToObject(body, "fault", fault);
    }
}

/* Our USER@HOST, for the receiver's list: a person there may want to reach us. */
static void add_own_name(const struct migration *m, cJSON *body)
{
    const struct passwd *user = getpwuid(geteuid());
    char host[HOST_NAME_MAX + 1] = "";
    AUTO_FREE char *text = NULL;

    if (m->transport->ops->is_here) {
        cJSON_AddStringToObject(body, "from", "");
        return;
    }
    if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
        return;
    text = formatted("%s%s%s", user ? user->pw_name : "", user ? "@" : "", host);
    cJSON_AddStringToObject(body, "from", text);
}

bool handshake_move(struct migration *m, struct error *err)
{
    uint64_t deadline_ms = m->options->deadline_ms;
    cJSON *mine = hello(m);
    AUTO_JSON cJSON *theirs = NULL;
    const char *machine, *ticket;

    cJSON_AddStringToObject(mine, "intent", "move");
    cJSON_AddStringToObject(mine, "id", m->id);
    cJSON_AddStringToObject(mine, "token", m->token);
    cJSON_AddStringToObject(mine, "host", m->guest->hypervisor->name);
    add_stage_names(m, mine);
    add_own_name(m, mine);
    cJSON_AddBoolToObject(mine, "guardian", m->options->guardian);
    add_options(m, mine);
    json_add_uint(mine, "max_downtime_ms", m->options->vm.max_downtime_ms);
    json_add_uint(mine, "max_pause_ms", limits_longest_pause(m));
    if (!dial(m, false, err)) {
        cJSON_Delete(mine);
        return false;
    }
    theirs = exchange(m, mine, deadline_ms && deadline_ms < HELLO_MS ? deadline_ms : HELLO_MS, err);
    if (!theirs)
        return false;
    machine = json_string(theirs, "machine", err);
    ticket = json_string(theirs, "ticket", err);
    if (!machine || !ticket)
        return error_prefix(err, "the peer's hello");
    snprintf(m->peer_machine, sizeof(m->peer_machine), "%s", machine);
    transport_set_ticket(m->transport, m->id, ticket, json_string_or(theirs, "door", NULL));
    transport_allow(m->transport, json_uint_or(theirs, "bandwidth", 0));
    m->transport->peer_decompresses = has_feature(theirs, LANE_LZ4);
    m->transport->peer_greets = has_feature(theirs, LANE_NBD);
    m->transport->peer_limits = has_feature(theirs, "limit");
    handshake_share(m, theirs);
    return true;
}

/* R5: a verdict is taken only from the machine that the copy was sent to. */
static bool is_the_same_peer(const struct migration *m, const cJSON *theirs, struct error *err)
{
    const char *machine = json_string(theirs, "machine", err);

    if (!machine)
        return false;
    if (!strcmp(machine, m->peer_machine))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "%s is now another machine (machine id %s, not %s): its word proves nothing",
                     m->peer_name, machine, m->peer_machine);
}

/* An older receiver would take a look for the sender's giving up. */
static bool understands(const struct migration *m, const cJSON *theirs, struct query query,
                        struct error *err)
{
    if (!(query.look || query.back) || has_feature(theirs, "look"))
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "%s has xmig %.40s, which cannot be asked without a decision: install this one "
        "(%s) there",
        m->peer_name, json_string_or(theirs, "version", "of an unknown version"), XMIG_VERSION);
}

static cJSON *query_words(struct query query)
{
    cJSON *words = must(cJSON_CreateObject());

    cJSON_AddBoolToObject(words, "committed", query.committed);
    cJSON_AddTrueToObject(words, "history");
    if (query.look)
        cJSON_AddTrueToObject(words, "look");
    if (query.back)
        cJSON_AddTrueToObject(words, "back");
    return words;
}

/* After a break the way that broke may be dead and not know it, so a question goes past it; but
 * only that way needs no password again, so the next one goes there. Of recover, and of others
 * that have just opened a way, the first question goes by it.
 */
static bool goes_anew(struct migration *m)
{
    bool odd = m->questions++ % 2;

    return odd == m->settling;
}

bool handshake_query(struct migration *m, struct query query, struct error *err)
{
    cJSON *mine = hello(m);
    AUTO_JSON cJSON *theirs = NULL;

    cJSON_AddStringToObject(mine, "intent", "query");
    cJSON_AddStringToObject(mine, "id", m->id);
    cJSON_AddStringToObject(mine, "token", m->token);
    add_options(m, mine);
    if (!dial(m, goes_anew(m), err)) {
        cJSON_Delete(mine);
        return false;
    }
    theirs = exchange(m, mine, HELLO_MS, err);
    if (!theirs || !is_the_same_peer(m, theirs, err) || !understands(m, theirs, query, err))
        return false;
    m->conversing_anew = true;
    session_set_stations(m->peer, query_stations);
    if (has_feature(theirs, "history"))
        share_answer(m);
    return session_send(m->peer, "query", query_words(query), err);
}

cJSON *handshake_hear(struct migration *m, struct error *err)
{
    AUTO_JSON cJSON *theirs = session_expect(m->peer, "hello", HELLO_MS, err);
    const char *id;

    if (!theirs || !check_protocol(m, theirs, err))
        return NULL;
    id = json_string(theirs, "id", err);
    if (!id || !json_string(theirs, "token", err) || !json_string(theirs, "intent", err))
        return NULL;
    if (!journal_valid_id(id)) {
        error_set(err, ERROR_PROTOCOL, "'%s' is not a migration's id", id);
        return NULL;
    }
    return steal(theirs);
}

bool handshake_reply(struct migration *m, const char *ticket, struct error *err)
{
    cJSON *mine = hello(m);

    if (ticket) {
        cJSON_AddStringToObject(mine, "ticket", ticket);
        cJSON_AddStringToObject(mine, "door", receiver_door_path(m->door));
        if (m->policy && policy_bandwidth(m->policy))
            json_add_uint(mine, "bandwidth", policy_bandwidth(m->policy));
    }
    return session_send(m->peer, "hello", mine, err);
}

bool handshake_answer_query(struct migration *m, int in_fd, int out_fd, struct query *query,
                            struct error *err)
{
    AUTO_JSON cJSON *words = NULL;

    *query = (struct query){ 0 };
    m->peer = session_new(m->loop, in_fd, out_fd, SIDE_RECV, m->options->timing, err);
    if (!m->peer)
        return false;
    m->asked = true;
    m->conversing_anew = true;
    session_set_stations(m->peer, query_stations);
    if (!handshake_reply(m, NULL, err))
        return false;
    words = session_expect(m->peer, "query", HELLO_MS, err);
    if (!words)
        return false;
    if (json_true(words, "history"))
        share_answer(m);
    *query = (struct query){ .committed = json_true(words, "committed"),
                             .look = json_true(words, "look"),
                             .back = json_true(words, "back") };
    return true;
}
