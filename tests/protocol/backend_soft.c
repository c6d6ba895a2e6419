/* SPDX-License-Identifier: Apache-2.0 */
/* The software token of the tests: it can do everything, and can be told to do less. */
#include "backends.h"
#include "soft_token.h"

cs_token *make_soft_sealed(const char *name)
{
    cs_token *token = make_soft(name);

    cs_soft_token_deliver_sealed(token, true);
    return token;
}

const backend soft_backends[] = {
    {.name = "soft ed25519, lifted",
        .suite = CS_SUITE_ED25519,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_soft},
    {.name = "soft ed25519, sealed",
        .suite = CS_SUITE_ED25519,
        .patients = CS_CUSTODY_SEALED,
        .others = CS_CUSTODY_SEALED,
        .make = make_soft_sealed},
    {.name = "soft p256, wrapped",
        .suite = CS_SUITE_P256,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_soft},
    {.name = "soft p256, sealed",
        .suite = CS_SUITE_P256,
        .patients = CS_CUSTODY_SEALED,
        .others = CS_CUSTODY_SEALED,
        .make = make_soft_sealed},
    {0},
};
