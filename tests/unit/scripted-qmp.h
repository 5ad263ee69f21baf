/* A deed, done with a connection to a QEMU that is only a script. */
#ifndef TESTS_UNIT_SCRIPTED_QMP_H
#define TESTS_UNIT_SCRIPTED_QMP_H

#include "qmp/connect.h"
#include "tests/fake/fake-qemu.h"
#include "tests/unit/helpers.h"

typedef bool deed(struct qmp *q, struct error *err);

/* NULL: the greeting of the oldest QEMU that counts. */
static inline bool run_against_version(const char *greeting, const struct exchange *script,
                                       deed *act, struct error *err)
{
    struct loop *loop = loop_new();
    struct fake_qemu *fake = fake_qemu_new(loop, script);
    struct qmp *q;
    bool ok;

    if (greeting)
        fake_qemu_greet_with(fake, greeting);
    q = qmp_connect(loop, fake_qemu_path(fake), QMP_CONNECT_MS, err);
    assert_non_null(q);
    ok = act(q, err);
    assert_null(fake_qemu_complaint(fake));
    qmp_free(q);
    fake_qemu_free(fake);
    loop_free(loop);
    return ok;
}

static inline void succeeds_with(const char *greeting, const struct exchange *script, deed *act)
{
    struct error err = { 0 };

    assert_ok(run_against_version(greeting, script, act, &err), &err);
}

static inline void succeeds(const struct exchange *script, deed *act)
{
    succeeds_with(NULL, script, act);
}

static inline struct error failure_of(const struct exchange *script, deed *act)
{
    struct error err = { 0 };

    assert_false(run_against_version(NULL, script, act, &err));
    return err;
}

#endif
