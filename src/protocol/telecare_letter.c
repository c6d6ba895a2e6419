/* SPDX-License-Identifier: Apache-2.0 */
/* What is sealed to one reader for days: letters, and the content keys of records. And the places,
 * with who may write and read there. */
#include "protocol/envelope.h"
#include "protocol/telecare.h"

#include <string.h>

#define INFO_INVITATION "chartseal/1 invitation"
#define INFO_RECORD_KEY "chartseal/1 record key"

static const cs_slot_rule rules[CS_SLOTS] = {
    {.name = "report", .author = CS_ROLE_HOSPITAL, .seals = 0, .parts = 1},
    {.name = "measurement",
        .author = CS_ROLE_PATIENT,
        .seals = 2,
        .readers = {CS_ROLE_DOCTOR, CS_ROLE_PATIENT},
        .parts = 1},
    {.name = "diagnosis",
        .author = CS_ROLE_DOCTOR,
        .seals = 1,
        .readers = {CS_ROLE_PATIENT},
        .parts = 1},
    {.name = "copy",
        .author = CS_ROLE_PATIENT,
        .seals = 1,
        .readers = {CS_ROLE_PATIENT},
        .parts = CS_SIGNED_SLOTS},
};

const cs_slot_rule *cs_slot_rule_of(uint64_t slot)
{
    return &rules[slot - 1];
}

int cs_place_of(uint8_t place[CS_PLACE_SIZE], uint64_t slot,
    const uint8_t token[CS_PLACE_TOKEN_SIZE], cs_error *error)
{
    const cs_place_token fields = {.slot = slot, .token = {token, CS_PLACE_TOKEN_SIZE}};

    return cs_message_hash(place, &cs_place_token_schema, &fields, error);
}

int cs_letter_seal(cs_buf *out, cs_suite suite, const uint8_t puk[CS_PUK_SIZE],
    const cs_invitation *invitation, cs_error *error)
{
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf plain = {.guarded = true}; /* tokens and a content key */
    cs_buf ct = {0};
    int rc = cs_encode(&plain, &cs_invitation_schema, invitation, error);

    if (rc == CS_OK)
        rc = cs_hpke_seal(enc, &ct, (cs_view){puk, CS_PUK_SIZE}, cs_view_str(INFO_INVITATION),
            (cs_view){0}, cs_view_buf(&plain), NULL, error);
    if (rc == CS_OK) {
        const cs_letter letter = {
            .suite = suite, .enc = CS_VIEW_ARRAY(enc), .ct = cs_view_buf(&ct)};

        rc = cs_encode(out, &cs_letter_schema, &letter, error);
    }
    cs_buf_free(&ct);
    cs_buf_free(&plain);
    return rc;
}

/* With the key of the party that opens. */
static int open_sealed(cs_buf *plain, const cs_party *me, cs_view enc, cs_view ct, const char *info,
    cs_view aad, const char *what, cs_error *error)
{
    uint8_t puk[CS_PUK_SIZE];
    int rc = cs_key_puk(puk, me->decrypt, error);

    if (rc == CS_OK)
        rc = cs_hpke_open(plain, enc, ct, CS_VIEW_ARRAY(puk), cs_view_str(info), aad,
            cs_agree_with_key, me->decrypt, NULL, error);
    if (rc == CS_E_DECRYPT)
        return CS_FAIL(error, CS_E_RECIPIENT,
            "%s does not open with this key: it is for somebody else, or was altered; ask for a "
            "new one",
            what);
    return rc;
}

int cs_letter_open(
    cs_invitation *invitation, cs_buf *plain, const cs_party *me, cs_view letter, cs_error *error)
{
    cs_letter fields;
    int rc = cs_decode(&cs_letter_schema, &fields, letter, error);

    if (rc == CS_OK && fields.suite != (uint64_t)me->cloud->suite)
        rc = CS_FAIL(error, CS_E_VERSION, "an invitation of another suite than %s",
            cs_suite_name(me->cloud->suite));
    if (rc == CS_OK)
        rc = open_sealed(plain, me, fields.enc, fields.ct, INFO_INVITATION, (cs_view){0},
            "the invitation", error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_invitation_schema, invitation, cs_view_buf(plain), error);
    return rc;
}

int cs_record_key_seal(uint8_t seal[CS_RECORD_SEAL_SIZE], const uint8_t puk[CS_PUK_SIZE],
    const uint8_t place[CS_PLACE_SIZE], const uint8_t key[CS_RECORD_KEY_SIZE], cs_error *error)
{
    cs_buf ct = {0};
    int rc = cs_hpke_seal(seal, &ct, (cs_view){puk, CS_PUK_SIZE}, cs_view_str(INFO_RECORD_KEY),
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){key, CS_RECORD_KEY_SIZE}, NULL, error);

    if (rc == CS_OK)
        memcpy(seal + CS_HPKE_ENC_SIZE, ct.p, CS_RECORD_SEAL_SIZE - CS_HPKE_ENC_SIZE);
    cs_buf_free(&ct);
    return rc;
}

int cs_record_key_open(uint8_t key[CS_RECORD_KEY_SIZE], const cs_party *me,
    const uint8_t place[CS_PLACE_SIZE], cs_view seal, cs_error *error)
{
    cs_buf plain = {.guarded = true};
    int rc = open_sealed(&plain, me, (cs_view){seal.p, CS_HPKE_ENC_SIZE},
        (cs_view){seal.p + CS_HPKE_ENC_SIZE, seal.n - CS_HPKE_ENC_SIZE}, INFO_RECORD_KEY,
        (cs_view){place, CS_PLACE_SIZE}, "the record", error);

    if (rc == CS_OK) /* a seal has one size, and so has what is in it */
        memcpy(key, plain.p, CS_RECORD_KEY_SIZE);
    cs_buf_free(&plain);
    return rc;
}
