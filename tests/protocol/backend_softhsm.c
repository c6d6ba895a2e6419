/* SPDX-License-Identifier: Apache-2.0 */
/* SoftHSM: ed25519 in full. PKCS#11 has no ECSCHNORR, so the cloud of suite p256 is elsewhere. */
#include "backends.h"
#include "fixture.h"

#include <string.h>

/* A SoftHSM for each visit: labels are the parties'. */
void softhsm_set_up(void)
{
    void *fresh = NULL;

    assert_int_equal(fixture_setup(&fresh), 0);
}

void softhsm_tear_down(void)
{
    void *fresh = NULL;

    assert_int_equal(fixture_teardown(&fresh), 0);
}

cs_token *make_softhsm(const char *name)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    fixture_add_token(name);
    assert_ok(cs_token_open(&token, fixture_uri(name, ""), &options, error));
    return token;
}

static cs_token *make_but_cloud(const char *name)
{
    return strcmp(name, CAST_CLOUD) == 0 ? make_soft(name) : make_softhsm(name);
}

const backend softhsm_backends[] = {
    {.name = "SoftHSM ed25519, lifted",
        .suite = CS_SUITE_ED25519,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_softhsm,
        .kind = BACKENDS_SOFTHSM,
        .set_up = softhsm_set_up,
        .tear_down = softhsm_tear_down},
    {.name = "SoftHSM p256, wrapped",
        .suite = CS_SUITE_P256,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_but_cloud,
        .kind = BACKENDS_SOFTHSM,
        .set_up = softhsm_set_up,
        .tear_down = softhsm_tear_down},
    {0},
};
