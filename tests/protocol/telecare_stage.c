/* SPDX-License-Identifier: Apache-2.0 */
#include "telecare_stage.h"

#include "soft_token.h"

cast c;
telecare_play p;
telecare_play q;

int open_cast(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    cast_open_telecare(&c, make_soft);
    return 0;
}

int close_cast(void **state)
{
    (void)state;
    cast_close(&c);
    return 0;
}

void forget_revocations(void)
{
    cast_actor *all[] = {&c.telecare, &c.hospital, &c.patient, &c.doctor};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        all[i]->memory.revoked_count = 0;
}

int open_plays(void **state)
{
    telecare_play *both[] = {&p, &q};

    (void)state;
    cast_at(&c, CAST_START);
    forget_revocations();
    for (size_t i = 0; i < 2; i++) {
        telecare_open(both[i], &c);
        both[i]->report.n = 100;
        both[i]->measurement.n = 66000;
    }
    return 0;
}

int close_plays(void **state)
{
    (void)state;
    telecare_close(&p);
    telecare_close(&q);
    return 0;
}

void call(telecare_line *line, cast_actor *who)
{
    c.telecare.memory.seen_count = 0;
    who->memory.seen_count = 0;
    assert_ok(telecare_call(&p, line, "call", who, NULL, error));
}
