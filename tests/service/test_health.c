/* SPDX-License-Identifier: Apache-2.0 */
/* What a service says of its health: that it is ill, of what, and that it got well. */
#include "test.h"

#include "service/health.h"

#include "service/wait.h"

#include <string.h>

static void assert_ill(cs_health *health, const char *word)
{
    char reason[32] = "";

    assert_false(cs_health_is_well(health, reason, sizeof reason));
    assert_string_equal(reason, word);
}

static void assert_well(cs_health *health)
{
    char reason[32] = "";

    assert_true(cs_health_is_well(health, reason, sizeof reason));
}

/* As if it had failed some time ago. */
static void age(cs_health *health, cs_ailment ailment)
{
    atomic_store(&health->failed_at[ailment], cs_monotonic_ms() - CS_HEALTH_SHOW_MS);
}

static void test_codes(void **state)
{
    static const int harmless[] = {CS_OK, CS_E_MALFORMED, CS_E_REPLAY, CS_E_NO_RECORD, CS_E_BUSY,
        CS_E_EXISTS, CS_E_UNREACHABLE};
    static const struct {
        const char *word;
        int code;
        cs_ailment ailment;
    } ills[] = {
        {"token", CS_E_TOKEN, CS_AIL_TOKEN},
        {"token", CS_E_TOKEN_ABSENT, CS_AIL_TOKEN},
        {"token", CS_E_PIN_LOCKED, CS_AIL_TOKEN},
        {"disk-full", CS_E_DISK_FULL, CS_AIL_DISK_FULL},
        {"storage", CS_E_STORAGE, CS_AIL_STORAGE},
        {"storage", CS_E_CORRUPT, CS_AIL_STORAGE},
    };
    cs_health health;

    (void)state;
    cs_health_init(&health);
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        cs_health_note(&health, harmless[i]);
    assert_well(&health);
    for (size_t i = 0; i < sizeof ills / sizeof ills[0]; i++) {
        cs_health_note(&health, ills[i].code);
        assert_ill(&health, ills[i].word);
        cs_health_works(&health, ills[i].ailment);
        assert_ill(&health, ills[i].word); /* for who looks every few seconds */
        age(&health, ills[i].ailment);
        assert_ill(&health, ills[i].word); /* until it works, however long */
        cs_health_works(&health, ills[i].ailment);
        assert_well(&health);
    }
}

/* A list that came in counts from then on. */
static void test_certain(void **state)
{
    cs_health health;

    (void)state;
    cs_health_init(&health);
    cs_health_judge(&health, CS_AIL_REVOCATIONS, false);
    assert_ill(&health, "revocation-list");
    cs_health_judge(&health, CS_AIL_REVOCATIONS, true);
    assert_well(&health);
    cs_health_judge(&health, CS_AIL_AUDIT, false);
    assert_ill(&health, "audit-log");
}

static void test_housekeeping(void **state)
{
    cs_health health;

    (void)state;
    cs_health_init(&health);
    assert_well(&health); /* has not begun */
    cs_health_tick(&health);
    assert_well(&health);
    atomic_store(&health.ticked_at, cs_monotonic_ms() - CS_HEALTH_TICK_MAX_MS - 1);
    assert_ill(&health, "housekeeping");
    cs_health_tick(&health);
    assert_well(&health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_certain),
        cmocka_unit_test(test_housekeeping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
