/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ocsp_policy.h"

#define CONFIG_NAME "config.json"
#define CONFIG_MAX 65536 /* as home.c */

static int take(cs_ocsp_policy *out, const json_t *ocsp, const cs_home *home, cs_error *error)
{
    const json_t *required = json_object_get(ocsp, "required");
    const json_t *age = json_object_get(ocsp, "max_age_s");
    json_int_t seconds = json_integer_value(age);

    if ((ocsp != NULL && !json_is_object(ocsp)) || (required != NULL && !json_is_boolean(required)))
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/" CONFIG_NAME ": ocsp.required is true or false; mend it", home->dir);
    if (age != NULL &&
        (!json_is_integer(age) || seconds < 1 || seconds > CS_OCSP_AGE_MAX_MS / 1000))
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/" CONFIG_NAME ": ocsp.max_age_s is a number of seconds, up to %lld; mend it",
            home->dir, (long long)CS_OCSP_AGE_MAX_MS / 1000);
    out->required = json_is_true(required);
    if (age != NULL)
        out->max_age_ms = (int64_t)seconds * 1000;
    return CS_OK;
}

int cs_home_ocsp(cs_ocsp_policy *out, const cs_home *home, cs_error *error)
{
    cs_buf text = {0};
    json_t *config = NULL;
    int rc = cs_home_read(home, CONFIG_NAME, CONFIG_MAX, &text, error);

    *out = (cs_ocsp_policy){.max_age_ms = CS_OCSP_AGE_DEFAULT_MS};
    if (rc == CS_E_NO_FILE) /* a home that is being made */
        return CS_OK;
    if (rc == CS_OK) {
        config = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
        rc = config == NULL ? CS_FAIL(error, CS_E_MALFORMED,
                                  "%s/" CONFIG_NAME " is no JSON; mend it", home->dir)
                            : take(out, json_object_get(config, "ocsp"), home, error);
    }
    json_decref(config);
    cs_buf_free(&text);
    return rc;
}

int cs_home_set_ocsp(cs_home *home, cs_ocsp_policy policy, cs_error *error)
{
    json_t *ocsp = json_object_get(home->config, "ocsp");
    int failed = 0;

    if (!json_is_object(ocsp)) {
        ocsp = json_object();
        failed = json_object_set_new(home->config, "ocsp", ocsp);
    }
    if (failed != 0 || json_object_set_new(ocsp, "required", json_boolean(policy.required)) != 0 ||
        json_object_set_new(
            ocsp, "max_age_s", json_integer((json_int_t)(policy.max_age_ms / 1000))) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for " CONFIG_NAME);
    return CS_OK;
}
