/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/common.h"

#include <string.h>

int cs_cloud_publish(cs_buf *out, const cs_cloud *cloud, cs_key *sign, cs_error *error)
{
    const cs_parameters parameters = {.suite = cloud->suite,
        .id_pc = cs_view_str(cloud->id),
        .pk = cs_point_view(&cloud->pk),
        .puk_sign = CS_VIEW_ARRAY(cloud->puk_sign),
        .puk_decrypt = CS_VIEW_ARRAY(cloud->puk_decrypt)};

    return cs_signed_make(out, sign, &cs_parameters_schema, &parameters, error);
}

int cs_cloud_parse(cs_cloud *out, cs_view bytes, cs_error *error)
{
    cs_parameters parameters;
    cs_signed whole;
    int rc = cs_decode(&cs_signed_schema, &whole, bytes, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_decode(&cs_parameters_schema, &parameters, whole.body, error);
    if (rc != CS_OK)
        return rc;
    out->suite = (cs_suite)parameters.suite;
    cs_text_copy(out->id, sizeof out->id, parameters.id_pc);
    memcpy(out->puk_sign, parameters.puk_sign.p, CS_PUK_SIZE);
    memcpy(out->puk_decrypt, parameters.puk_decrypt.p, CS_PUK_SIZE);
    rc = cs_point_decode(&out->pk, out->suite, parameters.pk, error);
    if (rc == CS_OK)
        rc = cs_signed_verify(
            "the public cloud's signature on its parameters", &whole, out->puk_sign, NULL, error);
    return rc;
}

int cs_revocations_publish(
    cs_buf *out, cs_key *sign, cs_view serials, int64_t now, int64_t next, cs_error *error)
{
    const cs_revocations list = {.time = (uint64_t)now, .next = (uint64_t)next, .serials = serials};

    return cs_signed_make(out, sign, &cs_revocations_schema, &list, error);
}

int cs_revocations_open(
    cs_revocations *out, const cs_cloud *cloud, cs_view bytes, int64_t now, cs_error *error)
{
    cs_signed whole;
    int rc = cs_decode(&cs_signed_schema, &whole, bytes, error);

    if (rc == CS_OK)
        rc = cs_decode(&cs_revocations_schema, out, whole.body, error);
    if (rc == CS_OK && out->serials.n % sizeof(uint64_t) != 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "the revocation list is not made of whole serials");
    if (rc == CS_OK)
        rc = cs_signed_verify(
            "the signature on the revocation list", &whole, cloud->puk_sign, NULL, error);
    if (rc == CS_OK && (int64_t)out->next < now)
        rc = CS_FAIL(error, CS_E_LISTS,
            "the revocation list is out of date; fetch a new one from the public cloud");
    return rc;
}

bool cs_revocations_have(const cs_revocations *list, uint64_t serial)
{
    uint8_t wanted[sizeof serial];

    for (size_t i = 0; i < sizeof serial; i++)
        wanted[i] = (uint8_t)(serial >> (8 * (sizeof serial - 1 - i)));
    for (size_t at = 0; at + sizeof wanted <= list->serials.n; at += sizeof wanted) {
        if (memcmp(list->serials.p + at, wanted, sizeof wanted) == 0)
            return true;
    }
    return false;
}

/* What is told about a class of check: enough for the next step, nothing of the values. */
static const char *advice(int code)
{
    switch (cs_category_of(code)) {
    case CS_CATEGORY_INPUT:
        if (code == CS_E_TOO_LARGE)
            return "it is larger than what is taken there";
        return "the message is not of its form; are both sides of the same version?";
    case CS_CATEGORY_NOT_FOUND:
        return code == CS_E_NO_RECORD ? "there is no such record, or none yet"
                                      : "there is nothing of that name here";
    case CS_CATEGORY_BUSY:
        return "try again later";
    case CS_CATEGORY_REFUSED:
        break;
    default:
        return "an error on the other side; its operator finds it in the log";
    }
    switch (code) {
    case CS_E_STALE:
        return "the message's time is off; check that the clock is set";
    case CS_E_EXPIRED:
        return "a credential, certificate, consent or episode is out of its dates; renew it";
    case CS_E_REVOKED:
        return "a credential or certificate is revoked; ask who issued it";
    case CS_E_CONSENT:
        return "the patient's consent is missing or does not cover this";
    case CS_E_ENROLMENT:
        return "the enrolment code is unknown, used or expired; ask for a new one";
    case CS_E_TAKEN:
        return "that identity is registered with other keys; ask the public cloud's operator";
    case CS_E_REPLAY:
        return "the message was seen before; make a new one";
    case CS_E_LISTS:
        return "the list of revocations there is too old; its operator has to fetch a new one";
    case CS_E_ATTESTATION:
        return "what a TPM says of the keys is missing or not believed; ask which tokens are taken";
    case CS_E_OCSP:
        return "a fresh OCSP answer about the certificate is wanted; see that its authority's "
               "responder can be reached";
    case CS_E_ORDER:
        return "something has to come before, or has been done already";
    case CS_E_POLICY:
        return "the policy there does not allow it";
    default:
        return "the check of this class failed";
    }
}

int cs_refusal_make(cs_buf *out, int code, cs_error *error)
{
    const cs_refusal refusal = {
        .code = cs_view_str(cs_code_name(code)), .message = cs_view_str(advice(code))};

    return cs_encode(out, &cs_refusal_schema, &refusal, error);
}

int cs_refusal_raise(cs_view bytes, const char *who, cs_error *error)
{
    char name[33];
    cs_refusal refusal;
    int rc = cs_decode(&cs_refusal_schema, &refusal, bytes, error);

    if (rc != CS_OK)
        return CS_FAIL(error, CS_E_PEER,
            "%s answered something that is not Chartseal's; check the address", who);
    cs_text_copy(name, sizeof name, refusal.code);
    if (cs_code_of_peer(name) == CS_E_PEER)
        return CS_FAIL(error, CS_E_PEER,
            "%s could not go on (%s); the trouble is there, so ask there", who, name);
    return CS_FAIL(error, (cs_code)cs_code_from_name(name), "%s refused (%s): %.*s", who, name,
        (int)refusal.message.n, (const char *)refusal.message.p);
}
