/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a run. */
#include "piv/life.h"
#include "room.h"

#include <openssl/x509v3.h>
#include <string.h>

#define GENERATE 0x47

static const char factory_pin[] = "123456", factory_puk[] = "12345678";

/* -- is this the card? */

int piv_check_card(cs_piv *card, const cs_piv_run *run, cs_piv_info *info, cs_error *error)
{
    int rc = cs_piv_describe(card, info, error);

    if (rc != CS_OK)
        return rc;
    if (!info->has_serial || info->serial != run->serial)
        return CS_FAIL(error, CS_E_KEY_MISSING,
            "the card in reader %s is not the one of the record, which has serial number %u; put "
            "that one in",
            card->reader, run->serial);
    if (info->pin_is_default == CS_PIV_UNKNOWN || info->puk_is_default == CS_PIV_UNKNOWN ||
        info->admin_is_default == CS_PIV_UNKNOWN)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the card in reader %s does not tell whether its secrets are the factory's; take one "
            "with Yubico's extensions, version 5.3 or later",
            card->reader);
    if (info->admin_algorithm == 0)
        info->admin_algorithm = CS_PIV_3DES; /* the standard's, where nothing is told */
    return CS_OK;
}

/* Whose keys and secrets it has, is not known: nothing on it is touched. */
static int check_new(cs_piv *card, const cs_piv_info *info, cs_error *error)
{
    cs_piv_slot slots[CS_PIV_SLOTS];
    size_t count;
    int rc = cs_piv_slots(card, slots, &count, error);

    if (rc != CS_OK)
        return rc;
    if (count > 0 || info->pin_is_default != CS_PIV_YES || info->puk_is_default != CS_PIV_YES ||
        info->admin_is_default != CS_PIV_YES)
        return CS_FAIL(error, CS_E_EXISTS,
            "the card in reader %s (serial number %u) is not new; `chartseal card wipe` makes it "
            "so, and destroys its keys",
            card->reader, info->serial);
    return CS_OK;
}

/* -- secrets */

/* Each time anew: what was shown ends with the connection. */
static int authenticate(
    cs_piv *card, const cs_piv_run *run, const cs_piv_info *info, bool factory, cs_error *error)
{
    if (info->admin_algorithm != run->admin_algorithm)
        return piv_admin_refused(card, error);
    return piv_admin_show(card, run->admin_algorithm, factory ? NULL : run->admin_key, error);
}

int piv_authenticate(cs_piv *card, const cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    return authenticate(card, run, info, false, error);
}

static int do_admin(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    return info->admin_is_default == CS_PIV_YES
               ? piv_admin_replace(card, run->admin_algorithm, run->admin_key, error)
               : CS_OK;
}

static int do_puk(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    return info->puk_is_default == CS_PIV_YES
               ? piv_change(card, PIV_REFERENCE_PUK, factory_puk, run->puk, error)
               : CS_OK;
}

static int do_pin(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    return info->pin_is_default == CS_PIV_YES
               ? piv_change(card, PIV_REFERENCE_PIN, factory_pin, run->pin, error)
               : CS_OK;
}

/* -- objects and keys */

static int do_objects(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n = 0;
    ykpiv_rc status = YKPIV_OK;
    int rc = piv_object(card, YKPIV_OBJ_CAPABILITY, bytes, &n, error);

    (void)run;
    if (rc == CS_OK && n == 0)
        status = ykpiv_util_set_cccid(card->state, NULL);
    if (rc == CS_OK && status == YKPIV_OK && !info->has_guid)
        status = ykpiv_util_set_cardid(card->state, NULL);
    if (rc == CS_OK && status != YKPIV_OK)
        rc = piv_fail(card, "writing CHUID or CCC", status, error);
    return rc;
}

/* A key that an earlier run made and did not live to record is made again: nobody has seen it. */
int piv_make_key(cs_piv *card, uint8_t reference, uint8_t puk[CS_PUK_SIZE], cs_error *error)
{
    static const uint8_t p256[] = {0xac, 3, 0x80, 1, YKPIV_ALGO_ECCP256};
    piv_read command = {"making a key", GENERATE, 0, reference, CS_VIEW_ARRAY(p256)};
    cs_piv_slot slot = {.reference = reference};
    uint8_t answer[PIV_ANSWER_MAX];
    size_t n;
    int rc = piv_write(card, &command, answer, &n, error);

    if (rc == CS_OK)
        rc = piv_read_key(card, &slot, error);
    if (rc == CS_OK && (slot.generated != CS_PIV_YES || !slot.has_puk))
        rc = CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the card in reader %s does not tell the key that it has made in slot %02X; take "
            "another card",
            card->reader, reference);
    if (rc == CS_OK)
        memcpy(puk, slot.puk, CS_PUK_SIZE);
    return rc;
}

static int do_sign(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    (void)info;
    return piv_make_key(card, YKPIV_KEY_SIGNATURE, run->sign_puk, error);
}

static int do_agree(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    (void)info;
    return piv_make_key(card, YKPIV_KEY_KEYMGM, run->agree_puk, error);
}

/* -- the sequence */

typedef int (*step_fn)(cs_piv *card, cs_piv_run *run, const cs_piv_info *info, cs_error *error);

static const struct {
    cs_piv_step step;
    step_fn fn;
} steps[] = {
    {CS_PIV_ADMIN, do_admin},
    {CS_PIV_PUK, do_puk},
    {CS_PIV_PIN, do_pin},
    {CS_PIV_OBJECTS, do_objects},
    {CS_PIV_SIGN, do_sign},
    {CS_PIV_AGREE, do_agree},
};

static int mark(
    cs_piv_run *run, cs_piv_step step, cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_step before = run->done;
    int rc;

    run->done = step;
    rc = save(context, run, error);
    if (rc != CS_OK)
        run->done = before;
    return rc;
}

/* Until the card has its own management key, it is of the algorithm that the factory's is of. The
 * record has to say so before the card has it. */
static int choose_algorithm(cs_piv *card, cs_piv_run *run, const cs_piv_info *info,
    cs_piv_save_fn save, void *context, cs_error *error)
{
    int rc = piv_admin_check(card, info->admin_algorithm, error);

    if (rc != CS_OK || run->done >= CS_PIV_ADMIN || info->admin_is_default != CS_PIV_YES ||
        run->admin_algorithm == info->admin_algorithm)
        return rc;
    run->admin_algorithm = info->admin_algorithm;
    return mark(run, run->done, save, context, error);
}

int cs_piv_make(cs_piv *card, cs_piv_run *run, cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_info info;
    int rc = piv_check_card(card, run, &info, error);

    if (rc == CS_OK && run->done == CS_PIV_NEW) {
        rc = check_new(card, &info, error);
        if (rc == CS_OK)
            rc = piv_admin_check(card, info.admin_algorithm, error);
        run->admin_algorithm = info.admin_algorithm;
        if (rc == CS_OK)
            rc = mark(run, CS_PIV_BEGUN, save, context, error);
    }
    if (rc == CS_OK)
        rc = choose_algorithm(card, run, &info, save, context, error);
    if (rc == CS_OK)
        rc = authenticate(card, run, &info, info.admin_is_default == CS_PIV_YES, error);
    for (size_t i = 0; rc == CS_OK && i < sizeof steps / sizeof steps[0]; i++) {
        if (run->done >= steps[i].step)
            continue;
        rc = steps[i].fn(card, run, &info, error);
        if (rc == CS_OK)
            rc = mark(run, steps[i].step, save, context, error);
    }
    return rc;
}

int cs_piv_renew_keys(
    cs_piv *card, cs_piv_run *run, cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_info info;
    int rc = piv_check_card(card, run, &info, error);

    if (rc == CS_OK && run->done < CS_PIV_OBJECTS)
        rc = CS_FAIL(error, CS_E_ORDER,
            "the card is not made yet; `chartseal card provision` goes on with it");
    if (rc == CS_OK)
        rc = piv_drop_scalar(card, run, &info, error);
    if (rc == CS_OK && run->done > CS_PIV_OBJECTS)
        rc = mark(run, CS_PIV_OBJECTS, save, context, error);
    return rc == CS_OK ? cs_piv_make(card, run, save, context, error) : rc;
}

/* -- certificates */

static int check_certificate(
    cs_view der, const uint8_t puk[CS_PUK_SIZE], uint32_t usage, const char *use, cs_error *error)
{
    X509 *certificate = NULL;
    uint8_t its[CS_PUK_SIZE];
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_x509_puk(its, X509_get_X509_PUBKEY(certificate), CS_E_CERTIFICATE, error);
    if (rc == CS_OK && memcmp(its, puk, CS_PUK_SIZE) != 0)
        rc = CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate to %s is of another key than the card's; ask for one for this card",
            use);
    /* OpenSC tells a key's uses by its certificate: without this one it could not be used */
    if (rc == CS_OK && (X509_get_key_usage(certificate) == UINT32_MAX ||
                           (X509_get_key_usage(certificate) & usage) == 0))
        rc = CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate to %s does not have that key usage; ask for one that has", use);
    if (rc == CS_OK && X509_cmp_time(X509_get0_notAfter(certificate), NULL) <= 0)
        rc = CS_FAIL(error, CS_E_EXPIRED, "the certificate to %s is expired; get a new one", use);
    X509_free(certificate);
    return rc;
}

int cs_piv_check_certificates(
    const cs_piv_run *run, cs_view sign_certificate, cs_view agree_certificate, cs_error *error)
{
    int rc;

    if (run->done < CS_PIV_AGREE)
        return CS_FAIL(error, CS_E_ORDER,
            "the card's keys are not made yet; run `chartseal card provision` without "
            "certificates first");
    rc = check_certificate(sign_certificate, run->sign_puk, KU_DIGITAL_SIGNATURE, "sign", error);
    return rc == CS_OK ? check_certificate(
                             agree_certificate, run->agree_puk, KU_KEY_AGREEMENT, "agree", error)
                       : rc;
}

int piv_write_certificate(cs_piv *card, uint8_t reference, cs_view der, cs_error *error)
{
    uint8_t copy[CS_CERTIFICATE_MAX];
    ykpiv_rc rc;

    if (der.n > sizeof copy)
        return CS_FAIL(error, CS_E_TOO_LARGE, "the certificate is too large for a card");
    memcpy(copy, der.p, der.n); /* libykpiv wants what it can write to */
    rc = ykpiv_util_write_cert(card->state, reference, copy, der.n, YKPIV_CERTINFO_UNCOMPRESSED);
    return rc == YKPIV_OK ? CS_OK : piv_fail(card, "writing a certificate", rc, error);
}

int cs_piv_finish(cs_piv *card, cs_piv_run *run, cs_view sign_certificate,
    cs_view agree_certificate, cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_info info;
    int rc = piv_check_card(card, run, &info, error);

    if (rc == CS_OK)
        rc = cs_piv_check_certificates(run, sign_certificate, agree_certificate, error);
    if (rc == CS_OK)
        rc = authenticate(card, run, &info, false, error);
    if (rc == CS_OK)
        rc = piv_write_certificate(card, YKPIV_KEY_SIGNATURE, sign_certificate, error);
    if (rc == CS_OK)
        rc = piv_write_certificate(card, YKPIV_KEY_KEYMGM, agree_certificate, error);
    return rc == CS_OK ? mark(run, CS_PIV_FINISHED, save, context, error) : rc;
}
