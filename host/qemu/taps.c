/* The taps of the VM's networks, and the bridges that they are ports of. Who made them ports of a
 * bridge at the source is no longer there to do so at the target: xmig does, before the guest runs.
 */
#include "host/qemu/taps.h"

#include <stdio.h>

#include "host/system/tap.h"
#include "xmig/facts.h"

/* ---- at the source ---- */

/* The value of "key=…", up to the next comma; the caller frees it. NULL: not there. */
static char *value_of(const char *line, const char *key)
{
    const char *found = strstr(line, key);

    return found ? must(strndup(found + strlen(key), strcspn(found + strlen(key), ","))) : NULL;
}

/* Why a person must make the tap's port; NULL: xmig can. */
static const char *why_by_hand(const char *bridge, const char *script)
{
    if (bridge && !tap_is_bridge(bridge))
        return "what it is a port of is no bridge of the kernel's";
    if (bridge && tap_filters_vlans(bridge))
        return "its bridge filters VLANs";
    if (!bridge && (!script || !strcmp(script, "no")))
        return "it is in no bridge, so only who made it knows where it leads";
    return NULL;
}

static bool is_among(const cJSON *taps, const char *name)
{
    struct qemu_tap tap;
    const cJSON *item;

    fields_each (item, taps, qemu_tap_fields, &tap)
        if (!strcmp(tap.tap, name))
            return true;
    return false;
}

/* " \ net0: index=0,type=tap,ifname=tap7,script=no,downscript=no" */
static void add_tap(cJSON *taps, const char *line)
{
    const char *end = strstr(line, ": index=");
    AUTO_FREE char *name = end && strstr(end, ",type=tap,") ? value_of(end, "ifname=") : NULL;
    AUTO_FREE char *script = name ? value_of(end, ",script=") : NULL;
    AUTO_FREE char *bridge = name ? tap_master(name) : NULL;
    AUTO_JSON cJSON *port = NULL;
    struct qemu_tap tap;

    if (!name || is_among(taps, name))
        return;
    tap = (struct qemu_tap){
        .tap = name,
        .bridge = bridge ? bridge : "",
        .script = script && strcmp(script, "no") != 0 ? script : NULL,
        .by_hand = why_by_hand(bridge, script),
        .state = tap_read(name, &port),
    };
    cJSON_AddItemToArray(taps, fields_new(qemu_tap_fields, &tap));
}

cJSON *taps_read(const char *text, pid_t pid, struct error *err)
{
    AUTO_JSON cJSON *taps = must(cJSON_CreateArray());
    AUTO_FREE char *copy = must(strdup(text));
    char *rest = copy;
    struct qemu_tap tap;
    const char *line;

    while ((line = strsep(&rest, "\r\n")))
        add_tap(taps, line);
    if (!taps->child || tap_shares_network(pid))
        return steal(taps);
    fields_get(qemu_tap_fields, taps->child, &tap);
    error_set(err, ERROR_REFUSED,
              "QEMU's process %d is in another network name space than xmig, which so cannot tell "
              "where the tap '%s' leads: run xmig in that one",
              (int)pid, tap.tap);
    return NULL;
}

static bool is_on(const struct qemu_tap *tap, const char *name)
{
    return !strcmp(tap->bridge, name) || !strcmp(tap->tap, name);
}

/* --bridge OLD=NEW, where OLD is a bridge, or the name of a tap that is in none. It is the user's
 * word that a plain port of that bridge will do.
 */
cJSON *taps_choose(const cJSON *taps, const cJSON *bridges)
{
    cJSON *chosen = must(cJSON_CreateArray());
    struct qemu_tap tap;
    const cJSON *item, *choice;

    fields_each (item, taps, qemu_tap_fields, &tap) {
        cJSON_ArrayForEach (choice, bridges)
            if (is_on(&tap, choice->string)) {
                tap.bridge = choice->valuestring;
                tap.by_hand = NULL;
            }
        cJSON_AddItemToArray(chosen, fields_new(qemu_tap_fields, &tap));
    }
    return chosen;
}

bool taps_check_choices(const cJSON *taps, const cJSON *joined, const cJSON *bridges,
                        struct error *err)
{
    const cJSON *choice, *item;
    struct qemu_tap tap;

    cJSON_ArrayForEach (choice, bridges) {
        bool found = false;

        fields_each (item, taps, qemu_tap_fields, &tap)
            found = found || is_on(&tap, choice->string);
        cJSON_ArrayForEach (item, joined)
            found = found || !strcmp(item->valuestring, choice->string);
        if (!error_goes_on(err, found || error_set(err, ERROR_REFUSED,
                                                   "--bridge %s: no network of the VM's is on a "
                                                   "bridge of that name",
                                                   choice->string)))
            return false;
    }
    return true;
}

/* ---- at the target: may it come? ---- */

static bool check_free(const char *name, struct error *err)
{
    pid_t user = tap_user(name);

    if (user)
        return error_set(
            err, ERROR_REFUSED,
            "the tap '%s' is in use at the target already, by process %d: a tap has one user, "
            "and its name is the VM's at the source",
            name, (int)user);
    if (tap_is_kept(name))
        return true;
    return error_set(err, ERROR_REFUSED,
                     "the VM's tap '%s' is the name of another network interface at the target",
                     name);
}

static bool check_owner(const struct qemu_copy *vm, const char *name, struct error *err)
{
    bool as_superuser = geteuid() == 0 && vm->as_self;

    if (as_superuser || (tap_exists(name) && tap_is_for(name, vm->uid)))
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "QEMU runs as user %u, who cannot open the tap '%s' at the target: make it first (ip "
        "tuntap add %s mode tap user %u)",
        (unsigned)vm->uid, name, name, (unsigned)vm->uid);
}

static bool check_bridge(const char *name, const char *bridge, struct error *err)
{
    AUTO_FREE char *master = tap_master(name);

    if (master && !strcmp(master, bridge))
        return true;
    if (master)
        return error_set(
            err, ERROR_REFUSED,
            "the tap '%s' is a port of '%s' at the target, and not of '%s': take it out, or "
            "say so with --bridge",
            name, master, bridge);
    if (!tap_is_bridge(bridge))
        return error_set(
            err, ERROR_REFUSED,
            "the VM's tap '%s' is a port of the bridge '%s', which is not at the target: make "
            "it, or name another with --bridge OLD=NEW",
            name, bridge);
    if (geteuid() == 0)
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "only the superuser can make the tap '%s' a port of the bridge '%s' at the target", name,
        bridge);
}

static bool check_by_hand(const struct qemu_tap *tap, struct error *err)
{
    if (tap_exists(tap->tap))
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "xmig cannot make the VM's tap '%s' at the target as it is at the source (%s): make it "
        "first (ip tuntap add %s mode tap), and what leads to it",
        tap->tap, tap->by_hand, tap->tap);
}

static bool check_script(const struct qemu_tap *tap, struct error *err)
{
    if (!tap->script || access(tap->script, X_OK) == 0)
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "QEMU runs the script '%s' for the VM's tap '%s', which cannot be run at the target: "
        "%m",
        tap->script, tap->tap);
}

static bool check_tap(const struct qemu_copy *vm, const struct qemu_tap *tap, struct error *err)
{
    if (tap_exists(tap->tap) && !check_free(tap->tap, err))
        return false;
    if (!check_owner(vm, tap->tap, err) || !check_script(tap, err))
        return false;
    if (tap->by_hand)
        return check_by_hand(tap, err);
    return !*tap->bridge || check_bridge(tap->tap, tap->bridge, err);
}

bool taps_check(const struct qemu_copy *vm, const cJSON *taps, struct error *err)
{
    struct qemu_tap tap;
    const cJSON *item;

    fields_each (item, taps, qemu_tap_fields, &tap)
        if (!error_goes_on(err, check_tap(vm, &tap, err)))
            return false;
    return true;
}

bool bridges_check(const cJSON *bridges, struct error *err)
{
    const cJSON *bridge;

    cJSON_ArrayForEach (bridge, bridges)
        if (!tap_is_bridge(bridge->valuestring) &&
            !error_goes_on(err, error_set(err, ERROR_REFUSED,
                                          "a network of the VM's is on the bridge '%s', which is "
                                          "not at the target: make it, or name another with "
                                          "--bridge OLD=NEW",
                                          bridge->valuestring)))
            return false;
    return true;
}

void taps_plan(const cJSON *taps, struct plan *plan)
{
    struct qemu_tap tap;
    const cJSON *item;

    fields_each (item, taps, qemu_tap_fields, &tap)
        if (tap.by_hand)
            plan_say(plan, "use the tap '%s', which is there", tap.tap);
        else if (*tap.bridge)
            plan_say(plan, "make the tap '%s' a port of the bridge '%s'", tap.tap, tap.bridge);
}

/* ---- at the target: joining ---- */

static bool note_port(struct qemu_copy *vm, const char *name, const char *bridge, struct error *err)
{
    cJSON *fact = fact_new(FACT_PORT);

    cJSON_AddStringToObject(fact, "tap", name);
    cJSON_AddStringToObject(fact, "bridge", bridge);
    taps_noted(vm, fact);
    return vm->base.context.note(vm->base.context.note_arg, fact, err);
}

void taps_noted(struct qemu_copy *vm, cJSON *fact)
{
    if (!vm->ports)
        vm->ports = must(cJSON_CreateArray());
    cJSON_AddItemToArray(vm->ports, fact);
}

static bool join(struct qemu_copy *vm, const struct qemu_tap *tap, struct error *err)
{
    const char *name = tap->tap, *bridge = tap->bridge;
    AUTO_FREE char *master = tap_master(name);

    if (tap->by_hand || !*bridge || (master && !strcmp(master, bridge) && tap_is_kept(name)))
        return true;
    if (master && strcmp(master, bridge) != 0)
        return error_set(err, ERROR_SYSTEM,
                         "QEMU's script has made the tap '%s' a port of '%s', and not of '%s'",
                         name, master, bridge);
    return note_port(vm, name, bridge, err) && tap_join(name, bridge, &tap->state, err);
}

bool taps_join(struct qemu_copy *vm, const cJSON *taps, struct error *err)
{
    struct qemu_tap tap;
    const cJSON *item;

    fields_each (item, taps, qemu_tap_fields, &tap)
        if (!join(vm, &tap, err))
            return false;
    return true;
}

/* Take the taps out of their bridges. A tap that QEMU's end has removed needs nothing. */
void taps_leave(struct qemu_copy *vm)
{
    const cJSON *fact;
    struct error err = { 0 };

    cJSON_ArrayForEach (fact, vm->ports)
        if (!tap_leave(json_string_or(fact, "tap", ""), json_string_or(fact, "bridge", ""), &err))
            event_say(&vm->base.context.events, EVENT_WARNING, NULL, "%s", err.text);
}
