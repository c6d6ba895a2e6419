/* SPDX-License-Identifier: Apache-2.0 */
#include "service/staple.h"

#include "service/http_client.h"

#include <chartseal/ocsp.h>

#include <stdio.h>
#include <string.h>

#define FILE_NAME "ocsp.der"
#define REQUEST_TYPE "application/ocsp-request"

/* A person waits for this. */
#define CONNECT_MS 3000
#define STALL_S 5
#define TOTAL_S 10

/* *url "": there is none. */
static int find_responder(char url[CS_OCSP_URL_SIZE], const cs_actor *actor, cs_error *error)
{
    const char *configured = cs_home_text(actor->home, "ocsp.url");

    if (configured == NULL || configured[0] == '\0')
        return cs_ocsp_url(url, cs_view_buf(&actor->certificate), error);
    if (snprintf(url, CS_OCSP_URL_SIZE, "%s", configured) >= CS_OCSP_URL_SIZE)
        return CS_FAIL(error, CS_E_USAGE, "%s/config.json: ocsp.url is over %d bytes",
            actor->home->dir, CS_OCSP_URL_SIZE - 1);
    return CS_OK;
}

/* POST to url: where its path begins is where the client wants it. */
static int ask(cs_buf *answer, const char *url, cs_view request, cs_error *error)
{
    const cs_http_client_options options = {
        .connect_ms = CONNECT_MS, .stall_s = STALL_S, .total_s = TOTAL_S, .reply_max = CS_OCSP_MAX};
    const char *host = strstr(url, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    char base[CS_OCSP_URL_SIZE];
    cs_http_client *client = NULL;
    cs_http_reply reply = {0};
    int rc;

    (void)snprintf(
        base, sizeof base, "%.*s", path == NULL ? (int)strlen(url) : (int)(path - url), url);
    rc = cs_http_client_new(&client, base, &options, error);
    if (rc == CS_OK)
        rc = cs_http_post(client, &reply, path == NULL ? "/" : path, REQUEST_TYPE, request, error);
    if (rc == CS_OK && reply.status != 200)
        rc = CS_FAIL(error, CS_E_PEER, "it answered with HTTP status %u", reply.status);
    if (rc == CS_OK)
        rc = cs_buf_set(answer, cs_view_buf(&reply.body), error);
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    return rc;
}

static int check(const cs_actor *actor, cs_view answer, cs_ocsp_dates *dates, cs_error *error)
{
    return cs_ocsp_check(
        actor->trust, cs_view_buf(&actor->certificate), answer, cs_clock_ms(), dates, error);
}

/* From the responder, checked as others will. */
static int fetch(cs_buf *answer, cs_ocsp_dates *dates, const cs_actor *actor, const char *url,
    cs_view request, cs_error *error)
{
    int rc = ask(answer, url, request, error);

    return rc == CS_OK ? check(actor, cs_view_buf(answer), dates, error) : rc;
}

/* The answer in the home, as long as it counts: CS_OK, CS_E_REVOKED, or what is wrong with it, and
 * then there are no dates. */
static int read_kept(cs_buf *answer, cs_ocsp_dates *dates, const cs_actor *actor, cs_error *error)
{
    int rc = cs_home_read(actor->home, FILE_NAME, CS_OCSP_MAX, answer, error);

    if (rc == CS_OK)
        rc = check(actor, cs_view_buf(answer), dates, error);
    if (rc != CS_OK)
        cs_buf_clear(answer);
    if (rc != CS_OK && rc != CS_E_REVOKED)
        *dates = (cs_ocsp_dates){0};
    return rc;
}

/* How long an answer, and the last question, do. */
static int64_t interval(const cs_ocsp_dates *dates)
{
    int64_t half = (dates->next_update - dates->this_update) / 2;

    return dates->next_update == 0 || half > CS_STAPLE_RENEW_MS ? CS_STAPLE_RENEW_MS : half;
}

/* A responder may give answers that are hours old, or none: what counts is also when it was asked.
 * An answer that was shown and has ended since is worth a question, and so is a revocation. */
static bool is_due(const cs_actor *actor, const cs_ocsp_dates *kept, int kept_rc, bool was_shown)
{
    int64_t now = cs_clock_ms();
    bool recently = now - actor->staple_asked < interval(kept) && now >= actor->staple_asked;

    if (kept_rc == CS_OK)
        return !recently && now - kept->this_update >= interval(kept);
    return kept_rc == CS_E_REVOKED || was_shown || !recently;
}

/* Where the way to the responder is open to others, an answer of before can come again, in its
 * dates. What takes a revocation back is newer than it. */
static bool is_older(const cs_ocsp_dates *newer, const cs_ocsp_dates *kept, int kept_rc, int rc)
{
    if (kept_rc == CS_E_REVOKED && rc == CS_OK)
        return newer->this_update <= kept->this_update;
    return newer->this_update < kept->this_update;
}

/* A "revoked" is kept too: it takes the place of the good answer before it. */
static void keep(const cs_actor *actor, cs_view answer, char warning[CS_STAPLE_WARNING_SIZE])
{
    cs_error failure = {0};

    if (cs_home_write(actor->home, FILE_NAME, answer, &failure) != CS_OK)
        (void)snprintf(warning, CS_STAPLE_WARNING_SIZE, "the OCSP answer is not kept: %.400s",
            failure.message);
}

/* The responder had nothing that counts: what was kept stands. */
static int do_without(const char *url, int kept_rc, const cs_error *failure,
    char warning[CS_STAPLE_WARNING_SIZE], cs_error *error)
{
    if (kept_rc == CS_E_REVOKED)
        return CS_FAIL(error, CS_E_REVOKED,
            "the certificate is revoked, its authority's answer in " FILE_NAME
            " says, and nothing newer is known from %.160s: %.200s",
            url, failure->message);
    (void)snprintf(warning, CS_STAPLE_WARNING_SIZE,
        "no answer about the certificate from the OCSP responder %.160s: %.200s; %s", url,
        failure->message,
        kept_rc == CS_OK ? "the earlier one is shown, while it is good"
                         : "whoever requires one will refuse the certificate");
    return CS_OK;
}

static int renew(cs_actor *actor, const char *url, cs_view request, bool was_shown,
    char warning[CS_STAPLE_WARNING_SIZE], cs_error *error)
{
    cs_buf newer = {0};
    cs_error failure = {0};
    cs_ocsp_dates kept = {0};
    cs_ocsp_dates dates = {0};
    int kept_rc = read_kept(&actor->staple, &kept, actor, NULL);
    int rc;

    if (!is_due(actor, &kept, kept_rc, was_shown))
        return CS_OK;
    actor->staple_asked = cs_clock_ms();
    rc = fetch(&newer, &dates, actor, url, request, &failure);
    if ((rc == CS_OK || rc == CS_E_REVOKED) && is_older(&dates, &kept, kept_rc, rc))
        rc = CS_FAIL(&failure, CS_E_OCSP, "its answer is older than the one that is kept");
    if (rc == CS_OK || rc == CS_E_REVOKED)
        keep(actor, cs_view_buf(&newer), warning);
    if (rc == CS_OK)
        rc = cs_buf_set(&actor->staple, cs_view_buf(&newer), error);
    else if (rc == CS_E_REVOKED)
        rc = CS_FAIL(error, CS_E_REVOKED, "%.200s (%.160s)", failure.message, url);
    else
        rc = do_without(url, kept_rc, &failure, warning, error);
    cs_buf_free(&newer);
    return rc;
}

/* A certificate that its authority's list names is known as revoked before anybody is asked. */
static int bring(cs_actor *actor, const char *url, bool was_shown,
    char warning[CS_STAPLE_WARNING_SIZE], cs_error *error)
{
    cs_buf request = {0};
    cs_error failure = {0};
    int rc = cs_ocsp_request(
        &request, actor->trust, cs_view_buf(&actor->certificate), cs_clock_ms(), &failure);

    if (rc == CS_OK)
        rc = renew(actor, url, cs_view_buf(&request), was_shown, warning, error);
    else if (rc == CS_E_REVOKED)
        rc = CS_FAIL(error, CS_E_REVOKED, "%s", failure.message);
    else
        rc = do_without(url, CS_E_NO_FILE, &failure, warning, error);
    cs_buf_free(&request);
    return rc;
}

int cs_staple_bring(cs_actor *actor, char warning[CS_STAPLE_WARNING_SIZE], cs_error *error)
{
    const bool was_shown = actor->party.ocsp.n > 0;
    char url[CS_OCSP_URL_SIZE];
    int rc;

    warning[0] = '\0';
    cs_buf_clear(&actor->staple);
    actor->party.ocsp = (cs_view){0};
    if (actor->certificate.n == 0 || actor->trust == NULL)
        return CS_OK;
    rc = find_responder(url, actor, error);
    if (rc == CS_OK && url[0] != '\0')
        rc = bring(actor, url, was_shown, warning, error);
    if (rc == CS_OK)
        actor->party.ocsp = cs_view_buf(&actor->staple);
    return rc;
}
