/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sessions: how long one lives, and whose makes room. */
#include "test.h"

#include "service/sessions.h"

#include <chartseal/secret.h>

#include <stdio.h>

#define NOW 1700000000000LL
#define SESSION_BYTES 4096 /* more than any session has */

static const uint8_t zero_id[CS_SESSION_ID_SIZE];

/* The table looks at nothing in a session but its id and whether it has ended: zeroes will do. */
static int released;

static void release(void *about)
{
    (void)about;
    released++;
}

static int put(cs_sessions *sessions, const char *doctor, int64_t now, cs_error *error)
{
    static char something;
    void *about = &something;
    cs_session *session = cs_secret_new(SESSION_BYTES);
    int rc;

    assert_non_null(session);
    rc = cs_sessions_have_room(sessions, doctor, now, error);
    if (rc == CS_OK)
        rc = cs_sessions_put(sessions, &session, doctor, &about, release, now, error);
    cs_session_free(&session);
    return rc;
}

static void test_life(void **state)
{
    cs_sessions *sessions = NULL;
    cs_held_session *held = NULL;

    (void)state;
    assert_ok(cs_sessions_new(&sessions, 4, CS_SESSION_LIFE_MS, error));
    assert_ok(put(sessions, "D-1", NOW, error));
    assert_ok(cs_sessions_take(sessions, zero_id, NOW + CS_SESSION_LIFE_MS - 1, &held, error));
    /* used all the time, and over all the same; but not under the hands of a request */
    cs_sessions_sweep(sessions, NOW + CS_SESSION_LIFE_MS, CS_SESSION_LIFE_MS);
    assert_int_equal(cs_sessions_count(sessions), 1);
    cs_sessions_give_back(sessions, &held, NOW + CS_SESSION_LIFE_MS);
    assert_fails(CS_E_NO_SESSION,
        cs_sessions_take(sessions, zero_id, NOW + CS_SESSION_LIFE_MS, &held, error));
    assert_int_equal(cs_sessions_count(sessions), 0);

    assert_ok(put(sessions, "D-1", NOW, error));
    cs_sessions_sweep(sessions, NOW + CS_SESSION_LIFE_MS - 1, CS_SESSION_LIFE_MS);
    assert_int_equal(cs_sessions_count(sessions), 1);
    cs_sessions_sweep(sessions, NOW + CS_SESSION_LIFE_MS, CS_SESSION_LIFE_MS);
    assert_int_equal(cs_sessions_count(sessions), 0);

    /* a visit that is finished makes room at once */
    assert_ok(put(sessions, "D-1", NOW, error));
    assert_ok(cs_sessions_take(sessions, zero_id, NOW, &held, error));
    held->over = true;
    cs_sessions_give_back(sessions, &held, NOW);
    assert_int_equal(cs_sessions_count(sessions), 0);

    /* where less patience is had: idle, and not in hand */
    assert_ok(put(sessions, "D-1", NOW, error));
    cs_sessions_sweep(sessions, NOW + 999, 1000);
    assert_int_equal(cs_sessions_count(sessions), 1);
    cs_sessions_sweep(sessions, NOW + 1000, 1000);
    assert_int_equal(cs_sessions_count(sessions), 0);
    assert_int_equal(released, 4); /* each once */
    cs_sessions_free(&sessions);
}

static void test_room(void **state)
{
    cs_sessions *sessions = NULL;
    cs_held_session *held = NULL;

    (void)state;
    assert_ok(cs_sessions_new(&sessions, CS_SESSIONS_OWNER_MAX + 2, CS_SESSION_LIFE_MS, error));
    assert_ok(put(sessions, "D-2", NOW, error));
    /* one doctor takes of her own, never another's */
    for (unsigned i = 0; i < 3 * CS_SESSIONS_OWNER_MAX; i++)
        assert_ok(put(sessions, "D-1", NOW + i, error));
    assert_int_equal(cs_sessions_count(sessions), CS_SESSIONS_OWNER_MAX + 1);
    assert_ok(cs_sessions_take(sessions, zero_id, NOW, &held, error));
    assert_string_equal(held->owner, "D-2");
    assert_ok(put(sessions, "D-3", NOW, error));
    assert_fails(CS_E_BUSY, put(sessions, "D-4", NOW, error));
    /* idle for long, and not in hand */
    assert_ok(put(sessions, "D-4", NOW + CS_SESSION_IDLE_MS, error));
    assert_int_equal(cs_sessions_count(sessions), CS_SESSIONS_OWNER_MAX + 2);
    assert_string_equal(held->owner, "D-2");
    cs_sessions_give_back(sessions, &held, NOW);
    cs_sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
