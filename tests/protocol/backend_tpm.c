/* SPDX-License-Identifier: Apache-2.0 */
/* TPMs, one for each party: suite p256 in full. Of ed25519 a TPM has the keys that are P-256
 * anyhow; S_X stays sealed to one of them, and the cloud is elsewhere. */
#include "backends.h"
#include "swtpm.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIN "13572468"

static char directory[64];
static swtpm tpms[CAST_ACTORS];
static size_t count;

static void set_up(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/chartseal-tpms-XXXXXX");
    assert_non_null(mkdtemp(directory));
    count = 0;
}

static void tear_down(void)
{
    while (count > 0)
        swtpm_stop(&tpms[--count]);
    assert_int_equal(remove_tree(directory), 0);
}

static void set_up_both(void)
{
    softhsm_set_up();
    set_up();
}

static void tear_down_both(void)
{
    tear_down();
    softhsm_tear_down();
}

static int give_pin(void *context, char *out, size_t *n, cs_error *error)
{
    (void)context;
    (void)error;
    *n = strlen(PIN);
    memcpy(out, PIN, *n);
    return CS_OK;
}

static void make_directory(char *path, size_t size, const char *kind, const char *name)
{
    assert_true(snprintf(path, size, "%s/%s-%s", directory, kind, name) < (int)size);
    assert_int_equal(mkdir(path, 0700), 0);
}

static cs_token *make_tpm(const char *name)
{
    const cs_token_options options = {
        .pin = {.kind = CS_PIN_CALLBACK, .callback = give_pin}, .timeout_ms = 30000};
    char state[128], keys[128], uri[CS_URI_MAX];
    cs_token *token = NULL;
    swtpm *tpm;

    assert_true(count < CAST_ACTORS);
    tpm = &tpms[count++];
    make_directory(state, sizeof state, "state", name);
    make_directory(keys, sizeof keys, "keys", name);
    swtpm_prepare(tpm, state);
    swtpm_start(tpm);
    (void)snprintf(uri, sizeof uri, "tpm2:dir=%s?tcti=%s", keys, tpm->tcti);
    assert_ok(cs_token_open(&token, uri, &options, error));
    return token;
}

static cs_token *make_tpm_but_cloud(const char *name)
{
    return strcmp(name, CAST_CLOUD) == 0 ? make_soft(name) : make_tpm(name);
}

static cs_token *make_cloud_and_patients(const char *name)
{
    bool tpm = strcmp(name, CAST_CLOUD) == 0 || strncmp(name, "patient", 7) == 0;

    return tpm ? make_tpm(name) : make_softhsm(name);
}

static cs_token *make_patients(const char *name)
{
    return strncmp(name, "patient", 7) == 0 ? make_tpm(name) : make_softhsm(name);
}

const backend tpm_backends[] = {
    {.name = "TPM p256, duplicated",
        .suite = CS_SUITE_P256,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_tpm,
        .kind = BACKENDS_TPM,
        .set_up = set_up,
        .tear_down = tear_down},
    {.name = "TPM ed25519, sealed",
        .suite = CS_SUITE_ED25519,
        .patients = CS_CUSTODY_SEALED,
        .others = CS_CUSTODY_SEALED,
        .make = make_tpm_but_cloud,
        .kind = BACKENDS_TPM,
        .set_up = set_up,
        .tear_down = tear_down},
    {.name = "cloud and patients TPM, others SoftHSM, p256",
        .suite = CS_SUITE_P256,
        .patients = CS_CUSTODY_TOKEN,
        .others = CS_CUSTODY_TOKEN,
        .make = make_cloud_and_patients,
        .kind = BACKENDS_TPM_AND_SOFTHSM,
        .set_up = set_up_both,
        .tear_down = tear_down_both},
    {.name = "patients TPM, others SoftHSM, ed25519",
        .suite = CS_SUITE_ED25519,
        .patients = CS_CUSTODY_SEALED,
        .others = CS_CUSTODY_TOKEN,
        .make = make_patients,
        .kind = BACKENDS_TPM_AND_SOFTHSM,
        .set_up = set_up_both,
        .tear_down = tear_down_both},
    {0},
};
