/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card_trust.h"

#include "cli/output.h"
#include "service/actor.h"

#include <string.h>

#define PEM_FILE_MAX (2 * (size_t)CS_CRL_MAX)

/* Lists that check nothing would count as checked: each has to be of one of the authorities, and in
 * its dates. Better before the first card than after it. */
static int check_lists(cs_view authorities, cs_view lists, cs_error *error)
{
    cs_buf good = {0};
    int rc = cs_crl_update(&good, authorities, (cs_view){0}, lists, cs_clock_ms(), error);

    if (rc == CS_OK && good.n == 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "the file is empty; get a new crl.pem");
    cs_buf_free(&good);
    return rc;
}

int cs_card_trust(cs_trust **out, const cs_arguments *arguments, cs_error *error)
{
    const char *trust = cs_arg(arguments, "trust");
    const char *crl = cs_arg(arguments, "crl");
    cs_buf authorities = {0};
    cs_buf lists = {0};
    int rc;

    *out = NULL;
    if (trust == NULL)
        return crl == NULL
                   ? CS_OK
                   : CS_FAIL(error, CS_E_USAGE, "--crl is of the authorities that --trust names");
    rc = cs_file_read(&authorities, trust, PEM_FILE_MAX, error);
    if (rc == CS_OK && crl != NULL)
        rc = cs_file_read(&lists, crl, PEM_FILE_MAX, error);
    if (rc == CS_OK)
        rc = cs_trust_new(out, cs_view_buf(&authorities), cs_view_buf(&lists), error);
    if (rc == CS_OK && crl != NULL) {
        rc = check_lists(cs_view_buf(&authorities), cs_view_buf(&lists), error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "--crl %s", crl);
    } else if (rc == CS_OK)
        cs_warn("whether the certificates are revoked is NOT checked; with --crl PEM it is");
    if (rc != CS_OK)
        cs_trust_free(out);
    cs_buf_free(&authorities);
    cs_buf_free(&lists);
    return rc;
}

int cs_card_trust_home(cs_trust **out, const cs_home *authority, cs_error *error)
{
    cs_buf certificate = {0};
    cs_buf lists = {0};
    int rc = cs_home_read(authority, "certificate.pem", PEM_FILE_MAX, &certificate, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_home_read(authority, "crl.pem", PEM_FILE_MAX, &lists, error);
    if (rc == CS_OK)
        rc = cs_trust_new(out, cs_view_buf(&certificate), cs_view_buf(&lists), error);
    if (rc == CS_OK) {
        rc = check_lists(cs_view_buf(&certificate), cs_view_buf(&lists), error);
        if (rc != CS_OK)
            rc = cs_error_context(
                error, "%s/crl.pem, which `chartseal authority crl` makes anew", authority->dir);
    }
    if (rc != CS_OK)
        cs_trust_free(out);
    cs_buf_free(&certificate);
    cs_buf_free(&lists);
    return rc;
}

static int check_subject(
    const cs_desk *d, const cs_holder *holder, const char *use, cs_error *error)
{
    char shown[CS_HOLDER_TEXT_MAX + 1];

    if (strcmp(holder->role, "doctor") != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate to %s has no organizational unit 'doctor'; get one that has", use);
    if (strcmp(holder->id, d->id) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate to %s is for the identity '%s', the card for '%s'", use,
            cs_printable(shown, sizeof shown, holder->id), d->id);
    if (strcmp(holder->name, d->name) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate to %s is for '%s', the card for '%s'; patients see the first: if it "
            "is right, give it with --name",
            use, cs_printable(shown, sizeof shown, holder->name), d->name);
    return CS_OK;
}

int cs_card_check_trusted(const cs_desk *d, cs_view sign, cs_view agree, cs_error *error)
{
    cs_holder holder;
    int rc;

    if (d->trust == NULL) {
        cs_warn("who issued the certificates is NOT checked, nor whether they are revoked or for "
                "this doctor; with --trust PEM and --crl PEM it is");
        return CS_OK;
    }
    rc = cs_certificate_check(d->trust, sign, NULL, cs_clock_ms(), &holder, error);
    if (rc != CS_OK)
        return cs_error_context(error, "the certificate to sign");
    rc = check_subject(d, &holder, "sign", error);
    if (rc != CS_OK)
        return rc;
    rc = cs_certificate_check_agreement(d->trust, agree, cs_clock_ms(), &holder, error);
    if (rc != CS_OK)
        return cs_error_context(error, "the certificate to agree");
    return check_subject(d, &holder, "agree", error);
}
