/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trust_verb.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "service/ocsp_policy.h"
#include "service/trust_install.h"

#include <string.h>

#define PEM_FILE_MAX (2 * (size_t)CS_CRL_MAX)
#define OF_CERTIFICATE "certificate" /* the responder that it names */
#define HOUR_MS INT64_C(3600000)
#define SOON_MS ((int64_t)86400000) /* a day: somebody can still get a new list */

const cs_option cs_trust_options[] = {
    CS_DIR_OPTION,
    {"crl", "PEM", false, "the authority's newest revocation list"},
    {"authority", "PEM", false, "the authorities to trust from now on, instead of those before"},
    {"ocsp", "POLICY", false, "answers that come with certificates: required, or preferred"},
    {"ocsp-max-age", "HOURS", false, "how old an answer may be that counts; 24 at first"},
    {"ocsp-url", "URL", false,
        "the responder for this party's own certificate; certificate: the one that it names"},
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

static json_t *ocsp_json(cs_ocsp_policy policy)
{
    return json_pack("{s:b, s:I}", "required", policy.required, "max_age_s",
        (json_int_t)(policy.max_age_ms / 1000));
}

static void say_ocsp(const cs_home *home)
{
    cs_ocsp_policy policy;
    cs_error failure = {0};

    if (cs_home_ocsp(&policy, home, &failure) != CS_OK)
        cs_say("  OCSP answers: %s", failure.message);
    else
        cs_say("  OCSP answers %s, up to %.4g hours old",
            policy.required ? "REQUIRED with each certificate" : "taken where they come",
            (double)policy.max_age_ms / (double)HOUR_MS);
}

/* --ocsp, --ocsp-max-age and --ocsp-url, for config.json. */
static int set_ocsp(cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    const char *word = cs_arg(arguments, "ocsp");
    const char *url = cs_arg(arguments, "ocsp-url");
    bool of_certificate = url != NULL && strcmp(url, OF_CERTIFICATE) == 0;
    cs_ocsp_policy policy;
    int64_t hours;
    int rc = cs_home_ocsp(&policy, home, error);

    if (rc == CS_OK && word != NULL && strcmp(word, "required") != 0 &&
        strcmp(word, "preferred") != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--ocsp is required or preferred, not '%s'", word);
    if (rc == CS_OK && url != NULL && !of_certificate && !cs_ocsp_is_url(url))
        rc = CS_FAIL(error, CS_E_USAGE,
            "--ocsp-url begins with http:// or https:// and has up to %d printable characters "
            "without spaces, or is 'certificate'",
            CS_OCSP_URL_SIZE - 1);
    if (rc == CS_OK)
        rc = cs_arg_number(
            &hours, arguments, "ocsp-max-age", 0, 1, CS_OCSP_AGE_MAX_MS / HOUR_MS, error);
    if (rc != CS_OK)
        return rc;
    if (word != NULL)
        policy.required = strcmp(word, "required") == 0;
    if (hours != 0)
        policy.max_age_ms = hours * HOUR_MS;
    if (word != NULL || hours != 0)
        rc = cs_home_set_ocsp(home, policy, error);
    if (rc == CS_OK && url != NULL)
        rc = cs_home_set_text(home, "ocsp.url", of_certificate ? "" : url, error);
    return rc;
}

static int print_trust(const cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    json_t *lists = NULL;
    cs_ocsp_policy policy;
    int rc;

    if (cs_arg_flag(arguments, "json")) {
        rc = cs_home_ocsp(&policy, home, error);
        if (rc == CS_OK)
            rc = lists_json(&lists, home, error);
        return rc == CS_OK ? cs_print_json(json_pack("{s:b, s:o, s:o}", "ok", 1, "crl", lists,
                                               "ocsp", ocsp_json(policy)),
                                 error)
                           : rc;
    }
    cs_say("taken in; a service that runs does so within a second");
    say_lists(home);
    say_ocsp(home);
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
    const bool lists = crl_file != NULL || authority_file != NULL;
    const bool ocsp = cs_arg(arguments, "ocsp") != NULL ||
                      cs_arg(arguments, "ocsp-max-age") != NULL ||
                      cs_arg(arguments, "ocsp-url") != NULL;

    if (!lists && !ocsp)
        return CS_FAIL(
            error, CS_E_USAGE, "give --crl PEM, --authority PEM, or both; or an option of OCSP");
    rc = cs_home_open(&home, cs_arg(arguments, "dir"), kind, error);
    if (rc == CS_OK)
        rc = read_pem(&crl, crl_file, error);
    if (rc == CS_OK)
        rc = read_pem(&authorities, authority_file, error);
    if (rc == CS_OK && ocsp)
        rc = set_ocsp(home, arguments, error);
    if (rc == CS_OK && lists)
        rc = cs_home_install_trust(home, cs_view_buf(&authorities), cs_view_buf(&crl), error);
    if (rc == CS_OK && ocsp)
        rc = cs_home_save(home, error);
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
    cs_ocsp_policy policy;
    cs_lists lists;
    bool required;

    if (cs_home_lists(&lists, home, NULL) != CS_OK)
        return; /* whoever uses it says what is wrong with it */
    required = cs_home_ocsp(&policy, home, NULL) == CS_OK && policy.required;
    if (lists.count == 0)
        cs_warn("%s has no revocation list: %sa revoked certificate is NOT noticed; get the "
                "authority's crl.pem, then chartseal %s trust --dir %s --crl crl.pem",
            home->dir,
            required ? "in what telecare's parties write, which no OCSP answer is with, " : "",
            party, home->dir);
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
    cs_ocsp_policy policy;
    int64_t until = 0;
    int failed;
    int rc = lists_json(&lists, home, error);

    if (rc != CS_OK)
        return rc;
    failed = json_object_set_new(report, "crl", lists);
    if (cs_home_ocsp(&policy, home, NULL) == CS_OK)
        failed += json_object_set_new(report, "ocsp", ocsp_json(policy));
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
    say_ocsp(home);
    if (cs_home_fingerprint(fingerprint, home, NULL) == CS_OK)
        cs_say("  %s fingerprint %s",
            home->kind == CS_HOME_CLOUD ? "the parameters'" : "the cloud's", fingerprint);
}
