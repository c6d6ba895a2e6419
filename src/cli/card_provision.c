/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card_verbs.h"

#include "cli/card_desk.h"
#include "cli/card_trust.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/files.h"

/* -- provision */

static int check_texts(const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_arg_text(arguments, "name", CS_HOLDER_TEXT_MAX, error);

    if (cs_arg(arguments, "name") == NULL || cs_arg(arguments, "id") == NULL)
        return CS_FAIL(error, CS_E_USAGE,
            "give --name and --id, of the doctor whose card it becomes, or --batch");
    if (cs_arg(arguments, "authority") != NULL || cs_arg(arguments, "timeout") != NULL)
        return CS_FAIL(error, CS_E_USAGE, "--authority and --timeout are of a --batch");
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "id", CS_HOLDER_TEXT_MAX, error);
    if (rc != CS_OK || cs_arg(arguments, "module") != NULL)
        return rc; /* what that takes is its own */
    return cs_card_check_certificates(arguments, error);
}

static int make(cs_desk *d, cs_error *error)
{
    int rc = cs_piv_make(d->card, d->run, cs_desk_save, d, error);

    return rc == CS_OK ? cs_desk_write_requests(d, NULL, error) : rc;
}

static int finish(cs_desk *d, const cs_arguments *arguments, cs_error *error)
{
    cs_trust *trust = NULL;
    int rc = cs_card_trust(&trust, arguments, error);

    d->trust = trust;
    if (rc == CS_OK)
        rc = cs_desk_write_letter(d, error);
    if (rc == CS_OK)
        rc = cs_desk_finish(d, cs_arg(arguments, "sign-certificate"),
            cs_arg(arguments, "agree-certificate"), error);
    d->trust = NULL;
    cs_trust_free(&trust);
    return rc;
}

static int report(const cs_desk *d, const cs_arguments *arguments, cs_error *error)
{
    if (cs_arg_flag(arguments, "json"))
        return cs_card_print_run(d, error);
    if (d->run->done == CS_PIV_FINISHED)
        cs_say("the card with serial number %u is finished; hand it out with %s/pin-letter.txt",
            d->run->serial, d->dir);
    else
        cs_say("the card with serial number %u has its keys; have %s/sign.csr and %s/agree.pub "
               "certified, and give the certificates",
            d->run->serial, d->dir, d->dir);
    return CS_OK;
}

/* Of a batch, each doctor has a line of the list. */
static int check_batch(const cs_arguments *arguments, cs_error *error)
{
    static const char *const single[] = {
        "name", "id", "reader", "module", "sign-certificate", "agree-certificate"};

    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        if (cs_arg(arguments, single[i]) != NULL)
            return CS_FAIL(error, CS_E_USAGE, "--%s is of one card, not of a --batch", single[i]);
    }
    return CS_OK;
}

int cs_card_provision(const cs_arguments *arguments, cs_error *error)
{
    cs_desk d = {.dir = cs_arg(arguments, "dir"),
        .name = cs_arg(arguments, "name"),
        .id = cs_arg(arguments, "id")};
    int rc;

    if (cs_arg(arguments, "batch") != NULL) {
        rc = check_batch(arguments, error);
        return rc == CS_OK ? cs_card_batch(arguments, error) : rc;
    }
    rc = check_texts(arguments, error);
    if (rc == CS_OK && cs_arg(arguments, "module") != NULL)
        return cs_card_provision_token(arguments, error);
    if (rc == CS_OK)
        rc = cs_make_directories(d.dir, error);
    if (rc == CS_OK)
        rc = cs_desk_open(&d, cs_arg(arguments, "reader"), false, error);
    if (rc == CS_OK)
        rc = cs_arg(arguments, "sign-certificate") != NULL ? finish(&d, arguments, error)
                                                           : make(&d, error);
    if (rc == CS_OK)
        rc = report(&d, arguments, error);
    cs_desk_close(&d);
    return rc;
}

/* -- wipe */

int cs_card_wipe(const cs_arguments *arguments, cs_error *error)
{
    cs_piv *card = NULL;
    int64_t serial;
    int rc = cs_arg_number(&serial, arguments, "serial", 0, 0, UINT32_MAX, error);

    if (rc == CS_OK)
        rc = cs_piv_open(&card, cs_arg(arguments, "reader"), error);
    if (rc == CS_OK)
        rc = cs_piv_wipe(card, (uint32_t)serial, error);
    cs_piv_close(&card);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:I}", "ok", 1, "serial", (json_int_t)serial), error);
    cs_say("the card is as it came from the factory; its directory is of no more use");
    return CS_OK;
}

const cs_option cs_card_provision_options[] = {
    {"dir", "DIR", true,
        "of this card, or with --batch of all: made, or gone on with where a run ended early"},
    {"name", "NAME", false, "the doctor's name"},
    {"id", "ID", false, "the doctor's identity"},
    {"module", "FILE", false,
        "no PIV card, but the first empty slot of this PKCS#11 module, through it alone"},
    {"batch", "FILE", false, "many cards, in all readers at once: a line ID,NAME for each"},
    {"authority", "DIR", false, "of a batch: certified at this home of the authority"},
    {"timeout", "S", false, "of a batch: end when no card came for so long; 3600"},
    CS_CARD_CERTIFICATE_OPTIONS,
    CS_CARD_TRUST_OPTIONS,
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_card_wipe_options[] = {
    {"serial", "NUMBER", true, "the card's serial number, so that it is no other"},
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
