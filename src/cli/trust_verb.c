/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trust_verb.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "service/trust_install.h"

#define PEM_FILE_MAX (2 * (size_t)CS_CRL_MAX)
#define SOON_MS ((int64_t)86400000) /* a day: somebody can still get a new list */

const cs_option cs_trust_options[] = {
    CS_DIR_OPTION,
    {"crl", "PEM", false, "the authority's newest revocation list"},
    {"authority", "PEM", false, "the authorities to trust from now on, instead of those before"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static int read_pem(cs_buf *out, const char *path, cs_error *error)
{
    return path == NULL ? CS_OK : cs_file_read(out, path, PEM_FILE_MAX, error);
}

/* {"lists", "this_update", "next_update"}, null where there is none. */
static int lists_json(json_t **out, const cs_home *home, cs_error *error)
{
    cs_lists lists;
    int rc = cs_home_lists(&lists, home, error);

    if (rc != CS_OK)
        return rc;
    *out = lists.count == 0 ? json_null()
                            : json_pack("{s:I, s:I, s:I}", "lists", (json_int_t)lists.count,
                                  "this_update", (json_int_t)lists.first.this_update, "next_update",
                                  (json_int_t)lists.first.next_update);
    return *out == NULL ? CS_FAIL(error, CS_E_MEMORY, "no memory for a report") : CS_OK;
}

static void say_lists(const cs_home *home)
{
    char from[CS_DATE_SIZE];
    char until[CS_DATE_SIZE];
    cs_error failure = {0};
    cs_lists lists;

    if (cs_home_lists(&lists, home, &failure) != CS_OK)
        cs_say("  revocation list: %s", failure.message);
    else if (lists.count == 0)
        cs_say("  revocation list: NONE, so that revoked certificates are not noticed");
    else
        cs_say("  revocation list of %s, good until %s%s", cs_date(from, lists.first.this_update),
            cs_date(until, lists.first.next_update),
            lists.first.next_update <= cs_clock_ms() ? ", TOO OLD: get a new crl.pem" : "");
}

static int print_trust(const cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    json_t *lists = NULL;
    int rc;

    if (cs_arg_flag(arguments, "json")) {
        rc = lists_json(&lists, home, error);
        return rc == CS_OK ? cs_print_json(json_pack("{s:b, s:o}", "ok", 1, "crl", lists), error)
                           : rc;
    }
    cs_say("taken in; a service that runs does so within a second");
    say_lists(home);
    return CS_OK;
}

int cs_run_trust(const cs_arguments *arguments, cs_home_kind kind, cs_error *error)
{
    const char *crl_file = cs_arg(arguments, "crl");
    const char *authority_file = cs_arg(arguments, "authority");
    cs_home *home = NULL;
    cs_buf crl = {0};
    cs_buf authorities = {0};
    int rc = CS_OK;

    if (crl_file == NULL && authority_file == NULL)
        return CS_FAIL(error, CS_E_USAGE, "give --crl PEM, --authority PEM, or both");
    rc = cs_home_open(&home, cs_arg(arguments, "dir"), kind, error);
    if (rc == CS_OK)
        rc = read_pem(&crl, crl_file, error);
    if (rc == CS_OK)
        rc = read_pem(&authorities, authority_file, error);
    if (rc == CS_OK)
        rc = cs_home_install_trust(home, cs_view_buf(&authorities), cs_view_buf(&crl), error);
    if (rc == CS_OK)
        rc = print_trust(home, arguments, error);
    cs_buf_free(&crl);
    cs_buf_free(&authorities);
    cs_home_free(&home);
    return rc;
}

void cs_warn_lists(const cs_home *home)
{
    const char *party = cs_home_kind_name(home->kind);
    char until[CS_DATE_SIZE];
    cs_lists lists;

    if (cs_home_lists(&lists, home, NULL) != CS_OK)
        return; /* whoever uses it says what is wrong with it */
    if (lists.count == 0)
        cs_warn("%s has no revocation list: a revoked certificate is NOT noticed; get the "
                "authority's crl.pem, then chartseal %s trust --dir %s --crl crl.pem",
            home->dir, party, home->dir);
    else if (lists.first.next_update - cs_clock_ms() < SOON_MS)
        cs_warn("the authority's revocation list is good until %s; get a new crl.pem, then "
                "chartseal %s trust --dir %s --crl crl.pem",
            cs_date(until, lists.first.next_update), party, home->dir);
}

int cs_home_fingerprint(
    char fingerprint[2 * CS_HASH_SIZE + 1], const cs_home *home, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    cs_buf parameters = {0};
    int rc = cs_home_read(home, "cloud.cbor", CS_MESSAGE_MAX, &parameters, error);

    if (rc == CS_OK)
        rc = cs_hash(hash, cs_view_buf(&parameters), error);
    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(hash), fingerprint);
    cs_buf_free(&parameters);
    return rc;
}

/* CS_E_NO_FILE: it has none. */
static int own_certificate(int64_t *not_after, const cs_home *home, cs_error *error)
{
    cs_buf pem = {0};
    cs_buf der = {0};
    int rc = cs_home_read(home, "certificate.pem", CS_MESSAGE_MAX, &pem, error);

    if (rc == CS_OK)
        rc = cs_pem_decode(&der, "CERTIFICATE", cs_view_buf(&pem), error);
    if (rc == CS_OK)
        rc = cs_certificate_not_after(cs_view_buf(&der), not_after, error);
    cs_buf_free(&pem);
    cs_buf_free(&der);
    return rc;
}

int cs_trust_report(json_t *report, const cs_home *home, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    json_t *lists = NULL;
    int64_t until = 0;
    int failed;
    int rc = lists_json(&lists, home, error);

    if (rc != CS_OK)
        return rc;
    failed = json_object_set_new(report, "crl", lists);
    if (own_certificate(&until, home, NULL) == CS_OK)
        failed +=
            json_object_set_new(report, "certificate_not_after", json_integer((json_int_t)until));
    if (cs_home_fingerprint(fingerprint, home, NULL) == CS_OK)
        failed += json_object_set_new(report,
            home->kind == CS_HOME_CLOUD ? "fingerprint" : "cloud_fingerprint",
            json_string(fingerprint));
    return failed == 0 ? CS_OK : CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
}

void cs_say_trust(const cs_home *home)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    char date[CS_DATE_SIZE];
    int64_t until = 0;

    if (own_certificate(&until, home, NULL) == CS_OK)
        cs_say("  certificate good until %s%s", cs_date(date, until),
            until <= cs_clock_ms() ? ", EXPIRED: have a new one issued" : "");
    say_lists(home);
    if (cs_home_fingerprint(fingerprint, home, NULL) == CS_OK)
        cs_say("  %s fingerprint %s",
            home->kind == CS_HOME_CLOUD ? "the parameters'" : "the cloud's", fingerprint);
}
