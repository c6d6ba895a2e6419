/* SPDX-License-Identifier: Apache-2.0 */
/* The link to the TPM: bus, ESYS context, storage root, session, loaded keys. */
#include "tpm.h"

#include <string.h>
#include <unistd.h>

#define DEVICE "device:"
#define FLUSH_MS 1000 /* to flush what is loaded, when the time of the job is over */
#define HANDLES_MAX 64
/* The macros of the TSS shift a signed number out of its range. */
#define TRANSIENT_FIRST 0x80000000u
#define LOADED_SESSION_FIRST 0x02000000u

static void set_job(tpm_job *job)
{
    tpm_link *link = &job->token->link;

    job->esys = link->esys;
    job->root = link->root;
    job->session = link->session;
}

/* A device without a resource manager is one program's at a time: it is waited for. */
static TSS2_RC open_bus(tpm_job *job)
{
    tpm_token *token = job->token;
    const char *device =
        strncmp(token->tcti, DEVICE, strlen(DEVICE)) == 0 ? token->tcti + strlen(DEVICE) : NULL;
    TSS2_RC rc;

    job->call = "opening the TCTI";
    for (;;) {
        rc = tpm_bus_open(&token->link.bus, token->tcti, token->deadline_ms);
        if (rc == TSS2_RC_SUCCESS || device == NULL || token->shared || access(device, F_OK) != 0 ||
            tpm_now_ms() + TPM_BACKOFF_MAX_MS > token->deadline_ms)
            return rc;
        tpm_sleep_ms(TPM_BACKOFF_MAX_MS);
    }
}

TSS2_RC tpm_link_make(tpm_job *job)
{
    tpm_token *token = job->token;
    tpm_link *link = &token->link;
    TSS2_RC rc;

    if (link->esys != NULL) {
        tpm_bus_deadline(link->bus, token->deadline_ms);
        set_job(job);
        return TSS2_RC_SUCCESS;
    }
    if (tpm_now_ms() < token->pause_until_ms)
        tpm_sleep_ms(token->pause_until_ms - tpm_now_ms());
    *link = (tpm_link){.root = ESYS_TR_NONE, .session = ESYS_TR_NONE, .since_ms = tpm_now_ms()};
    rc = open_bus(job);
    if (rc == TSS2_RC_SUCCESS) {
        job->call = "Esys_Initialize";
        rc = Esys_Initialize(&link->esys, tpm_bus_tcti(link->bus), NULL);
    }
    set_job(job);
    if (rc == TSS2_RC_SUCCESS)
        rc = tpm_root_find(job);
    link->root = job->root;
    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        tpm_link_drop(token, !tpm_rc_silent(rc));
    return rc;
}

/* Salted to the storage root, whose Name is known: nobody on the bus can read or change what is
 * encrypted and authenticated with it. */
TSS2_RC tpm_link_session(tpm_job *job)
{
    static const TPMT_SYM_DEF aes = {
        .algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};
    tpm_link *link = &job->token->link;
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (link->session == ESYS_TR_NONE) {
        rc = TPM(job, StartAuthSession, link->root, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &link->session);
        if (rc != TSS2_RC_SUCCESS)
            link->session = ESYS_TR_NONE;
    }
    job->session = link->session;
    return rc;
}

static void unload(tpm_link *link, tpm_loaded *loaded)
{
    TPM2_HANDLE handle = 0;

    if (loaded->key == 0)
        return;
    (void)Esys_TR_GetTpmHandle(link->esys, loaded->object, &handle);
    if (handle >> TPM2_HR_SHIFT != TPM2_HT_TRANSIENT ||
        Esys_FlushContext(link->esys, loaded->object) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(link->esys, &loaded->object);
    *loaded = (tpm_loaded){0};
}

/* A free place, or that of the key that was used longest ago. */
static tpm_loaded *make_place(tpm_token *token)
{
    tpm_link *link = &token->link;
    tpm_loaded *oldest = &link->loaded[0];

    /* without a resource manager a TPM has three places, for all its users */
    for (size_t i = 0; token->shared && i < TPM_LOADED_MAX; i++) {
        if (link->loaded[i].key == 0)
            return &link->loaded[i];
        if (link->loaded[i].used < oldest->used)
            oldest = &link->loaded[i];
    }
    unload(link, oldest);
    return oldest;
}

static TSS2_RC load_persistent(tpm_job *job, const tpm_key *key, ESYS_TR *object)
{
    TPM2B_PUBLIC area;
    TPM2B_NAME name = {0};
    TSS2_RC rc = tpm_read_persistent(job, key->handle, object, &area);

    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    job->rc = tpm_name_of(&name, &area, job->error);
    if (job->rc == CS_OK && !tpm_name_equal(&name, &key->name))
        job->rc = CS_FAIL(job->error, CS_E_KEY_MISSING,
            "handle 0x%08x of the TPM (serial %s) holds another key now", key->handle,
            job->token->serial);
    if (job->rc != CS_OK)
        (void)Esys_TR_Close(job->esys, object);
    return rc;
}

TSS2_RC tpm_link_load(tpm_job *job, tpm_key *key)
{
    tpm_link *link = &job->token->link;
    tpm_loaded *place;
    TSS2_RC rc;

    for (size_t i = 0; i < TPM_LOADED_MAX; i++) {
        if (link->loaded[i].key == key->id) {
            link->loaded[i].used = ++link->uses;
            job->object = link->loaded[i].object;
            return TSS2_RC_SUCCESS;
        }
    }
    place = make_place(job->token);
    if (key->persistent)
        rc = load_persistent(job, key, &job->object);
    else /* ESYS compares the Name the TPM answers with that of the public part */
        rc = TPM(job, Load, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
            &key->blob.private_part, &key->blob.public_part, &job->object);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        *place = (tpm_loaded){.key = key->id, .used = ++link->uses, .object = job->object};
    return rc;
}

static void flush_handle(tpm_link *link, TPM2_HANDLE handle)
{
    ESYS_TR object;

    if (Esys_TR_FromTPMPublic(link->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            &object) != TSS2_RC_SUCCESS)
        return;
    if (Esys_FlushContext(link->esys, object) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(link->esys, &object);
}

/* An ESYS context that has met an altered answer does nothing more, not even flush; what it had
 * loaded is flushed by another one, over the same bus. */
static void renew_esys(tpm_link *link)
{
    TPM2_HANDLE handles[TPM_LOADED_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i < TPM_LOADED_MAX; i++) {
        if (link->loaded[i].key != 0 && Esys_TR_GetTpmHandle(link->esys, link->loaded[i].object,
                                            &handles[count]) == TSS2_RC_SUCCESS)
            count += handles[count] >> TPM2_HR_SHIFT == TPM2_HT_TRANSIENT ? 1 : 0;
        link->loaded[i] = (tpm_loaded){0};
    }
    if (link->session != ESYS_TR_NONE &&
        Esys_TR_GetTpmHandle(link->esys, link->session, &handles[count]) == TSS2_RC_SUCCESS)
        count++;
    link->session = ESYS_TR_NONE;
    Esys_Finalize(&link->esys);
    if (Esys_Initialize(&link->esys, tpm_bus_tcti(link->bus), NULL) != TSS2_RC_SUCCESS)
        return;
    for (size_t i = 0; i < count; i++)
        flush_handle(link, handles[i]);
}

/* Does it still take commands? */
static bool is_stuck(tpm_link *link)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc = Esys_GetCapability(link->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
        TPM2_CAP_TPM_PROPERTIES, TPM2_PT_PERMANENT, 1, &more, &data);

    Esys_Free(data);
    return rc == TSS2_ESYS_RC_BAD_SEQUENCE;
}

void tpm_link_drop(tpm_token *token, bool alive)
{
    tpm_link *link = &token->link;

    if (link->bus != NULL)
        tpm_bus_deadline(link->bus, tpm_now_ms() + FLUSH_MS);
    if (alive && link->esys != NULL && token->untidy && is_stuck(link))
        renew_esys(link);
    for (size_t i = 0; alive && link->esys != NULL && i < TPM_LOADED_MAX; i++)
        unload(link, &link->loaded[i]);
    if (alive && link->esys != NULL && link->session != ESYS_TR_NONE)
        (void)Esys_FlushContext(link->esys, link->session);
    if (link->esys != NULL)
        Esys_Finalize(&link->esys);
    if (link->bus != NULL)
        tpm_bus_close(&link->bus);
    *link = (tpm_link){.root = ESYS_TR_NONE, .session = ESYS_TR_NONE};
}

static void sweep_range(tpm_link *link, TPM2_HANDLE first)
{
    TPMS_CAPABILITY_DATA *found = NULL;
    TPMI_YES_NO more;

    if (Esys_GetCapability(link->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
            first, HANDLES_MAX, &more, &found) != TSS2_RC_SUCCESS)
        return;
    for (UINT32 i = 0; i < found->data.handles.count && i < HANDLES_MAX; i++)
        flush_handle(link, found->data.handles.handle[i]);
    Esys_Free(found);
}

/* Past the link, which needs a place in the TPM itself to be made. */
void tpm_link_sweep(tpm_token *token)
{
    tpm_link *link = &token->link;

    tpm_link_drop(token, true);
    if (token->shared ||
        tpm_bus_open(&link->bus, token->tcti, token->deadline_ms) != TSS2_RC_SUCCESS)
        return;
    if (Esys_Initialize(&link->esys, tpm_bus_tcti(link->bus), NULL) == TSS2_RC_SUCCESS) {
        sweep_range(link, TRANSIENT_FIRST);
        sweep_range(link, LOADED_SESSION_FIRST);
    }
    tpm_link_drop(token, true);
}
