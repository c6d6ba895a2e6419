/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trust_install.h"

#define PEM_MAX (2 * (size_t)CS_CRL_MAX)

static int read_if_there(const cs_home *home, const char *name, cs_buf *out, cs_error *error)
{
    int rc = cs_home_read(home, name, PEM_MAX, out, error);

    return rc == CS_E_NO_FILE ? CS_OK : rc;
}

int cs_home_lists(cs_lists *out, const cs_home *home, cs_error *error)
{
    cs_buf crl = {0};
    int rc = read_if_there(home, "crl.pem", &crl, error);

    *out = (cs_lists){0};
    if (rc == CS_OK)
        rc = cs_crl_look(cs_view_buf(&crl), &out->count, &out->first, error);
    cs_buf_free(&crl);
    return rc;
}

/* What is to be in the two files, checked as it will be read. */
static int prepare(
    const cs_home *home, cs_view authorities, cs_view crl, cs_buf *lists, cs_error *error)
{
    cs_buf old = {0};
    cs_trust *trust = NULL;
    size_t before = 0;
    int rc = read_if_there(home, "crl.pem", &old, error);

    /* a file that is damaged is no reason to refuse a good one */
    if (rc == CS_OK && cs_crl_look(cs_view_buf(&old), &before, &(cs_crl_dates){0}, NULL) != CS_OK)
        cs_buf_clear(&old);
    if (rc == CS_OK)
        rc = cs_crl_update(lists, authorities, cs_view_buf(&old), crl, cs_clock_ms(), error);
    if (rc == CS_OK && before > 0 && lists->n == 0)
        rc = CS_FAIL(error, CS_E_LISTS,
            "the revocation lists that are there are of other authorities; give the list of these "
            "too, with --crl");
    if (rc == CS_OK)
        rc = cs_trust_new(&trust, authorities, cs_view_buf(lists), error);
    cs_trust_free(&trust);
    cs_buf_free(&old);
    return rc;
}

int cs_home_install_trust(const cs_home *home, cs_view authorities, cs_view crl, cs_error *error)
{
    bool new_authorities = authorities.n > 0;
    cs_buf present = {0};
    cs_buf lists = {0};
    int rc = CS_OK;

    if (!new_authorities) {
        rc = cs_home_read(home, "authorities.pem", PEM_MAX, &present, error);
        authorities = cs_view_buf(&present);
    }
    if (rc == CS_OK)
        rc = prepare(home, authorities, crl, &lists, error);
    if (rc == CS_OK && new_authorities)
        rc = cs_home_write(home, "authorities.pem", authorities, error);
    if (rc == CS_OK && lists.n > 0)
        rc = cs_home_write(home, "crl.pem", cs_view_buf(&lists), error);
    cs_buf_free(&present);
    cs_buf_free(&lists);
    return rc;
}
