/* Options that a QEMU has under another name: one version's spelling becomes another's.
 *
 * To add one, add a row to the table at the end. A row takes effect only where the QEMU that is to
 * get the line does not know the old spelling, or where the new one is right in every version. What
 * is gone without a successor is in known.c, with what to do.
 */
#include "host/qemu/argv/argv.h"
#include "host/qemu/argv/known.h"
#include "core/plan-notes.h"
#include "xmig/text.h"

struct translating {
    struct rewriting base;
    const struct argv_known *known;
    bool steps_singly; /* the line had -singlestep */
};

struct translation;

/* True: the option is dealt with, and the words are emitted. False: the row does not apply, or has
 * changed only keys.
 */
typedef bool translator(struct translating *t, const struct translation *row, struct keyvals *kv);

struct translation {
    const char *option;
    translator *translate;
    const char *from, *to; /* as the translator has it */
    const char *kind;      /* of a value: "socket"; NULL: any */
    unsigned factor;       /* of a number */
};

static const char *value_of(const struct translating *t)
{
    return t->base.value ? t->base.value : "";
}

/* Of the first item, which may go without its key. */
static const char *kind_of(const struct keyvals *kv, const char *option)
{
    return keyvals_get_implied(kv, !strcmp(option, "chardev")  ? "backend"
                                   : !strcmp(option, "device") ? "driver"
                                                               : "type");
}

/* ---- whole options ---- */

/* -no-acpi → -machine acpi=off; of an option with a value, `from` is what goes before that. The
 * words have been judged already: a value that would become several keys stays as it is said.
 */
static bool other_option(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    AUTO_FREE char *value = formatted("%s%s", row->from, value_of(t));

    (void)kv;
    if (known_option(t->known, row->option) || strchr(value_of(t), ','))
        return false;
    rewriting_emit(&t->base, row->to, value);
    return true;
}

/* -soundhw ac97 → -device AC97 */
static bool other_option_by_value(struct translating *t, const struct translation *row,
                                  struct keyvals *kv)
{
    (void)kv;
    if (strcmp(value_of(t), row->from) != 0 || known_option(t->known, row->option))
        return false;
    rewriting_emit(&t->base, "device", row->to);
    if (row->kind)
        rewriting_emit(&t->base, "device", row->kind);
    return true;
}

/* The guest sees nothing of the option. */
static bool left_out(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    (void)kv;
    return !known_option(t->known, row->option);
}

static bool single_steps(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    (void)kv;
    if (known_option(t->known, row->option))
        return false;
    t->steps_singly = true;
    return true;
}

/* ---- keys ---- */

/* An option's key that used to be an option: -run-with user=U → -runas U. */
static bool option_of_key(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    const char *said = keyvals_get(kv, row->from);
    bool is_flag = row->factor == 0;

    if (!said || known_in_option(t->known, row->option, row->from))
        return false;
    if (!is_flag || keyvals_flag(kv, row->from))
        rewriting_emit(&t->base, row->to, is_flag ? NULL : said);
    keyvals_remove(kv, row->from);
    return kv->count == 0;
}

/* -chardev socket,reconnect=1 → reconnect-ms=1000, and back */
static bool other_unit(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    const char *kind = kind_of(kv, row->option);
    const char *said = keyvals_get(kv, row->from);
    bool grows = strlen(row->to) > strlen(row->from);
    AUTO_FREE char *text = NULL;
    uint64_t number;

    if (!said || !kind || strcmp(kind, row->kind) != 0 ||
        known_in_option(t->known, row->option, row->from) ||
        !known_in_option(t->known, row->option, row->to))
        return false;
    number = strtoull(said, NULL, 10);
    number = grows ? number * row->factor : (number + row->factor - 1) / row->factor;
    text = formatted("%llu", (unsigned long long)number);
    keyvals_remove(kv, row->from);
    keyvals_set(kv, row->to, text);
    return false;
}

/* -chardev tty → serial: every version knows both, or the second. */
static bool other_kind(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    const char *kind = kind_of(kv, row->option);

    (void)t;
    if (kind && !strcmp(kind, row->from))
        keyvals_set_implied(kv, "backend", row->to);
    return false;
}

/* A device's property that is gone, and that said what is so anyhow. */
static bool said_in_vain(struct translating *t, const struct translation *row, struct keyvals *kv)
{
    const char *kind = kind_of(kv, row->option);

    AUTO_FREE char *help = formatted("%s,help", kind ? kind : "");

    if (kind && !strncmp(kind, row->kind, strlen(row->kind)) && keyvals_get(kv, row->from) &&
        !keyvals_flag(kv, row->from) && !known_property(t->known, row->option, help, row->from))
        keyvals_remove(kv, row->from);
    return false;
}

/* -smp 4,dies=0: QEMU once took 0 for "as you like". */
static bool zeroes_left_out(struct translating *t, const struct translation *row,
                            struct keyvals *kv)
{
    size_t i = 0;

    (void)t;
    (void)row;
    while (i < kv->count)
        if (kv->items[i].key && !strcmp(kv->items[i].value, "0")) {
            AUTO_FREE char *key = must(strdup(kv->items[i].key));

            keyvals_remove(kv, key);
        } else {
            i++;
        }
    return false;
}

/* ---- monitors ---- */

static const char *const monitor_modes[][2] = { { "monitor-qmp", "control" },
                                                { "monitor-hmp", "readline" } };

static void copy_key(struct keyvals *to, const struct keyvals *from, const char *key,
                     const char *otherwise)
{
    const char *value = keyvals_get(from, key) ? keyvals_get(from, key) : otherwise;

    if (value)
        keyvals_set(to, key, value);
}

/* -object monitor-qmp,id=M,chardev=C → -mon chardev=C,mode=control,id=M */
static bool monitor_of_object(struct translating *t, const struct translation *row,
                              struct keyvals *kv)
{
    const char *type = keyvals_get_implied(kv, "qom-type");

    for (size_t i = 0; type && i < 2; i++) {
        AUTO_KEYVALS struct keyvals mon = { 0 };

        if (strcmp(type, monitor_modes[i][0]) != 0 ||
            known_in_list(t->known, row->option, "help", type))
            continue;
        copy_key(&mon, kv, "chardev", NULL);
        keyvals_set(&mon, "mode", monitor_modes[i][1]);
        copy_key(&mon, kv, "id", NULL);
        copy_key(&mon, kv, "pretty", NULL);
        rewriting_emit_keyvals(&t->base, row->to, &mon);
        return true;
    }
    return false;
}

/* … and back, for a QEMU that no longer has -mon. */
static bool object_of_monitor(struct translating *t, const struct translation *row,
                              struct keyvals *kv)
{
    const char *chardev = keyvals_get_implied(kv, "chardev");
    const char *mode = keyvals_get(kv, "mode");
    bool is_control = mode && !strcmp(mode, "control");
    AUTO_KEYVALS struct keyvals object = { 0 };
    AUTO_FREE char *id = formatted("xmig-mon-%s", chardev ? chardev : "");

    if (!chardev || known_option(t->known, row->option))
        return false;
    keyvals_parse(monitor_modes[is_control ? 0 : 1][0], &object, NULL);
    copy_key(&object, kv, "id", id);
    keyvals_set(&object, "chardev", chardev);
    copy_key(&object, kv, "pretty", NULL);
    rewriting_emit_keyvals(&t->base, row->to, &object);
    return true;
}

/* ---- one instruction at a time ---- */

static bool is_tcg(const struct keyvals *kv)
{
    const char *accelerator = keyvals_get_implied(kv, "accel");

    return accelerator && !strcmp(accelerator, "tcg");
}

static void set_value(cJSON *word, const struct keyvals *kv)
{
    AUTO_FREE char *text = keyvals_print(kv);

    must(cJSON_SetValuestring(word, text));
}

/* The line has its accelerators as options of their own, or as a key of the machine's. (-accel
 * beside such a key is an error.) Only TCG steps singly, which others never took notice of.
 */
static void step_singly(cJSON *words)
{
    bool has_other = false;
    cJSON *word;

    cJSON_ArrayForEach (word, words) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        bool is_machine = !strcmp(word->valuestring, "-machine");

        has_other = has_other || !strcmp(word->valuestring, "-enable-kvm");
        if (!word->next || (!is_machine && strcmp(word->valuestring, "-accel") != 0) ||
            !keyvals_parse(word->next->valuestring, &kv, NULL))
            continue;
        if (is_machine && keyvals_get(&kv, "accel")) {
            if (strcmp(keyvals_get(&kv, "accel"), "tcg") != 0)
                return;
            keyvals_remove(&kv, "accel");
            set_value(word->next, &kv);
        } else if (!is_machine && !is_tcg(&kv)) {
            has_other = true;
        } else if (!is_machine) {
            keyvals_set(&kv, "one-insn-per-tb", "on");
            set_value(word->next, &kv);
            return;
        }
    }
    if (has_other)
        return;
    cJSON_AddItemToArray(words, must(cJSON_CreateString("-accel")));
    cJSON_AddItemToArray(words, must(cJSON_CreateString("tcg,one-insn-per-tb=on")));
}

/* ---- the table ---- */

static const struct translation rows[] = {
    { "no-hpet", other_option, "hpet=off", "machine", NULL, 0 },
    { "no-acpi", other_option, "acpi=off", "machine", NULL, 0 },
    { "no-fd-bootchk", other_option, "fd-bootchk=off", "machine", NULL, 0 },
    { "win2k-hack", other_option, "ide-device.win2k-install-hack=on", "global", NULL, 0 },
    { "rtc-td-hack", other_option, "driftfix=slew", "rtc", NULL, 0 },
    { "async-teardown", other_option, "async-teardown=on", "run-with", NULL, 0 },
    { "runas", other_option, "user=", "run-with", NULL, 0 },
    { "watchdog", other_option_by_value, "i6300esb", "i6300esb", NULL, 0 },
    { "watchdog", other_option_by_value, "ib700", "ib700", NULL, 0 },
    { "enable-fips", left_out, NULL, NULL, NULL, 0 },
    { "singlestep", single_steps, NULL, NULL, NULL, 0 },
    { "soundhw", other_option_by_value, "ac97", "AC97", NULL, 0 },
    { "soundhw", other_option_by_value, "es1370", "ES1370", NULL, 0 },
    { "soundhw", other_option_by_value, "sb16", "sb16", NULL, 0 },
    { "soundhw", other_option_by_value, "adlib", "adlib", NULL, 0 },
    { "soundhw", other_option_by_value, "cs4231a", "cs4231a", NULL, 0 },
    { "soundhw", other_option_by_value, "gus", "gus", NULL, 0 },
    { "soundhw", other_option_by_value, "hda", "intel-hda", "hda-duplex", 0 },

    { "run-with", option_of_key, "async-teardown", "async-teardown", NULL, 0 },
    { "run-with", option_of_key, "user", "runas", NULL, 1 },
    { "accel", option_of_key, "one-insn-per-tb", "singlestep", NULL, 0 },
    { "smp", zeroes_left_out, NULL, NULL, NULL, 0 },
    { "device", said_in_vain, "scsi", NULL, "virtio-blk", 0 },

    { "chardev", other_kind, "tty", "serial", NULL, 0 },
    { "chardev", other_kind, "parport", "parallel", NULL, 0 },
    { "chardev", other_unit, "reconnect", "reconnect-ms", "socket", 1000 },
    { "chardev", other_unit, "reconnect-ms", "reconnect", "socket", 1000 },
    { "netdev", other_unit, "reconnect", "reconnect-ms", "stream", 1000 },
    { "netdev", other_unit, "reconnect-ms", "reconnect", "stream", 1000 },

    { "object", monitor_of_object, NULL, "mon", NULL, 0 },
    { "mon", object_of_monitor, NULL, "object", NULL, 0 },
};

/* ---- along the line ---- */

static bool translate(struct translating *t, const struct option_step *step, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    bool has_row = false;

    t->base.option = *step->name ? step->name : NULL;
    t->base.value = step->value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].option, step->name) != 0)
            continue;
        if (!has_row && step->value && !keyvals_parse(step->value, &kv, err))
            return false;
        has_row = true;
        if (rows[i].translate(t, &rows[i], &kv))
            return true;
    }
    if (!t->base.option)
        cJSON_AddItemToArray(t->base.result->words, must(cJSON_CreateString(step->value)));
    else if (has_row && step->value)
        rewriting_emit_keyvals(&t->base, step->name, &kv);
    else
        rewriting_emit(&t->base, step->name, step->value);
    return true;
}

static void tell(cJSON *notes, const struct option_step *step, const cJSON *words, int before)
{
    AUTO_FREE char *now = must(strdup(""));
    const cJSON *word;
    AUTO_FREE char *text = NULL;

    for (word = cJSON_GetArrayItem(words, before); word; word = word->next) {
        char *longer = formatted("%s%s%s", now, *now ? " " : "", word->valuestring);

        free(now);
        now = longer;
    }
    text = formatted("-%s%s%s", step->name, step->value ? " " : "", step->value ? step->value : "");
    if (!*step->name || !strcmp(text, now))
        return;
    if (*now)
        plan_notes_add(notes, "QEMU is given '%s' for '%s', as this version has it", now, text);
    else
        plan_notes_add(notes, "QEMU is not given '%s', which this version does not have", text);
}

cJSON *argv_translate(const cJSON *words, const struct argv_known *known, cJSON *notes,
                      struct error *err)
{
    AUTO_JSON cJSON *translated = must(cJSON_CreateArray());
    struct argv_result result = { .words = translated };
    struct translating t = { .base = { .table = &qemu_options, .result = &result },
                             .known = known };
    struct option_step step = { .rest = words->child };

    while (step.rest) {
        int before = cJSON_GetArraySize(translated);

        if (!option_next(&qemu_options, &step, err) || !translate(&t, &step, err))
            return NULL;
        tell(notes, &step, translated, before);
    }
    if (t.steps_singly)
        step_singly(translated);
    return steal(translated);
}
