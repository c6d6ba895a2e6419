/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

#include <chartseal/group.h>

#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define META_ALGORITHM 0x01
#define META_POLICY 0x02 /* PIN, touch */
#define META_ORIGIN 0x03
#define META_PUBLIC 0x04
#define TAG_POINT 0x86
#define TAG_CERTIFICATE 0x70
#define TAG_CERTIFICATE_INFO 0x71 /* 00: as it is; else packed */
#define POINT_SIZE 65

static const uint8_t references[CS_PIV_SLOTS] = {0x9a, 0x9c, 0x9d, 0x9e, 0x82, 0x83, 0x84, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95};

int piv_read_key(cs_piv *card, cs_piv_slot *out, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n = 0;
    cs_view value, point;
    int rc;

    rc = piv_metadata(card, out->reference, bytes, &n, error);
    if (rc != CS_OK)
        return rc;
    out->has_key = n > 0 ? CS_PIV_YES : CS_PIV_NO;
    if (piv_find((cs_view){bytes, n}, META_ORIGIN, &value) && value.n == 1) {
        if (value.p[0] == YKPIV_METADATA_ORIGIN_GENERATED)
            out->generated = CS_PIV_YES;
        else if (value.p[0] == YKPIV_METADATA_ORIGIN_IMPORTED)
            out->generated = CS_PIV_NO;
    }
    if (piv_find((cs_view){bytes, n}, META_POLICY, &value) && value.n == 2) {
        out->pin_policy = value.p[0];
        out->touch_policy = value.p[1];
    }
    if (piv_find((cs_view){bytes, n}, META_ALGORITHM, &value) && value.n == 1 &&
        value.p[0] == YKPIV_ALGO_ECCP256 && piv_find((cs_view){bytes, n}, META_PUBLIC, &value) &&
        piv_find(value, TAG_POINT, &point) && point.n == POINT_SIZE)
        out->has_puk = cs_p256_compress(out->puk, point, NULL) == CS_OK;
    return CS_OK;
}

static bool take_date(const ASN1_TIME *time, char out[11])
{
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) == 1 && strftime(out, 11, "%Y-%m-%d", &tm) == 10;
}

static bool names_container(const X509 *certificate)
{
    char organisation[sizeof PIV_CONTAINER + 1]; /* so that a longer one is seen */

    return X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_organizationName,
               organisation, sizeof organisation) == sizeof PIV_CONTAINER - 1 &&
           strcmp(organisation, PIV_CONTAINER) == 0;
}

/* Whoever has the management key can write what he likes there: it is shown, not trusted. */
static void read_certificate(cs_view der, cs_piv_slot *out)
{
    cs_holder holder = {0};
    X509 *certificate = NULL;

    if (cs_hash(out->fingerprint, der, NULL) != CS_OK ||
        cs_x509_decode(&certificate, der, NULL) != CS_OK)
        return;
    out->certificate_agrees = X509_get_key_usage(certificate) != UINT32_MAX &&
                              (X509_get_key_usage(certificate) & KU_KEY_AGREEMENT) != 0;
    out->certificate_read = take_date(X509_get0_notAfter(certificate), out->not_after);
    if (cs_x509_holder(&holder, X509_get_subject_name(certificate), CS_E_CERTIFICATE, NULL) ==
        CS_OK) {
        memcpy(out->name, holder.name, sizeof out->name);
        memcpy(out->id, holder.id, sizeof out->id);
        out->is_container = names_container(certificate);
    }
    if (out->has_puk)
        out->matches = cs_x509_puk(holder.puk, X509_get_X509_PUBKEY(certificate), CS_E_CERTIFICATE,
                           NULL) == CS_OK &&
                               memcmp(holder.puk, out->puk, CS_PUK_SIZE) == 0
                           ? CS_PIV_YES
                           : CS_PIV_NO;
    X509_free(certificate);
}

int piv_read_slot(cs_piv *card, bool tells, cs_piv_slot *out, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n = 0;
    cs_view der, packed;
    /* where the card tells nothing of any key, nothing is known */
    int rc = tells ? piv_read_key(card, out, error) : CS_OK;

    if (rc == CS_OK)
        rc = piv_object(card, ykpiv_util_slot_object(out->reference), bytes, &n, error);
    if (rc != CS_OK || n == 0)
        return rc;
    out->has_certificate = true;
    if (!piv_find((cs_view){bytes, n}, TAG_CERTIFICATE, &der))
        der = (cs_view){bytes, n};
    else if (piv_find((cs_view){bytes, n}, TAG_CERTIFICATE_INFO, &packed) && packed.n == 1 &&
             packed.p[0] != 0)
        return cs_hash(out->fingerprint, der, error);
    read_certificate(der, out);
    return CS_OK;
}

int cs_piv_slots(cs_piv *card, cs_piv_slot out[CS_PIV_SLOTS], size_t *count, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n = 0;
    int rc = piv_metadata(card, YKPIV_KEY_CARDMGM, bytes, &n, error);

    *count = 0;
    for (size_t i = 0; rc == CS_OK && i < CS_PIV_SLOTS; i++) {
        cs_piv_slot *slot = &out[*count];

        *slot = (cs_piv_slot){.reference = references[i]};
        rc = piv_read_slot(card, n > 0, slot, error);
        if (rc == CS_OK && (slot->has_key == CS_PIV_YES || slot->has_certificate))
            (*count)++;
    }
    return rc;
}
