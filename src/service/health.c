/* SPDX-License-Identifier: Apache-2.0 */
#include "service/health.h"

#include "service/wait.h"

#include <stdio.h>

static const char *const words[CS_AILMENTS] = {
    [CS_AIL_TOKEN] = "token",
    [CS_AIL_DISK_FULL] = "disk-full",
    [CS_AIL_STORAGE] = "storage",
    [CS_AIL_REVOCATIONS] = "revocation-list",
    [CS_AIL_AUDIT] = "audit-log",
};

void cs_health_init(cs_health *health)
{
    for (int i = 0; i < CS_AILMENTS; i++)
        atomic_init(&health->failed_at[i], 0);
    atomic_init(&health->ticked_at, 0);
}

void cs_health_failed(cs_health *health, cs_ailment ailment)
{
    atomic_store(&health->failed_at[ailment], cs_monotonic_ms());
}

void cs_health_note(cs_health *health, int code)
{
    int category = (int)cs_category_of(code);

    if (category == CS_CATEGORY_TOKEN || category == CS_CATEGORY_PIN)
        cs_health_failed(health, CS_AIL_TOKEN);
    else if (code == CS_E_DISK_FULL)
        cs_health_failed(health, CS_AIL_DISK_FULL);
    else if (category == CS_CATEGORY_STORAGE && code != CS_E_EXISTS)
        cs_health_failed(health, CS_AIL_STORAGE);
}

void cs_health_works(cs_health *health, cs_ailment ailment)
{
    long long failed_at = atomic_load(&health->failed_at[ailment]);

    /* unless it has failed again meanwhile */
    if (failed_at != 0 && cs_monotonic_ms() - failed_at >= CS_HEALTH_SHOW_MS)
        (void)atomic_compare_exchange_strong(&health->failed_at[ailment], &failed_at, 0);
}

void cs_health_judge(cs_health *health, cs_ailment ailment, bool works)
{
    atomic_store(&health->failed_at[ailment], works ? 0 : cs_monotonic_ms());
}

bool cs_health_has(cs_health *health, cs_ailment ailment)
{
    return atomic_load(&health->failed_at[ailment]) != 0;
}

void cs_health_tick(cs_health *health)
{
    atomic_store(&health->ticked_at, cs_monotonic_ms());
}

bool cs_health_is_well(cs_health *health, char *reason, size_t size)
{
    long long ticked_at = atomic_load(&health->ticked_at);

    for (int i = 0; i < CS_AILMENTS; i++) {
        if (cs_health_has(health, (cs_ailment)i)) {
            (void)snprintf(reason, size, "%s", words[i]);
            return false;
        }
    }
    if (ticked_at != 0 && cs_monotonic_ms() - ticked_at > CS_HEALTH_TICK_MAX_MS) {
        (void)snprintf(reason, size, "housekeeping");
        return false;
    }
    return true;
}
