/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions opened and closed. Modules give the handle of a session that is gone to the next one
 * (OpenSC's are addresses; after C_Initialize all count anew), so that a handle from before a loss
 * can be another session by now, of this token or of another one of the module. Each module has a
 * list of who has which handle, and a session is closed by whom it belongs to alone.
 */
#include "p11.h"

#include <stdlib.h>

struct p11_claim {
    p11_claim *next;
    const void *owner;
    p11_session session;
};

/* The lock of the claims is held. The one of that handle, taken out of the list. */
static p11_claim *take_out(p11_module *module, CK_SESSION_HANDLE handle)
{
    for (p11_claim **p = &module->claims; *p != NULL; p = &(*p)->next) {
        p11_claim *claim = *p;

        if (claim->session.handle == handle) {
            *p = claim->next;
            return claim;
        }
    }
    return NULL;
}

static void put_in(p11_module *module, p11_claim *claim)
{
    claim->next = module->claims;
    module->claims = claim;
}

CK_RV p11_session_open_for(p11_module *module, CK_SLOT_ID slot, const void *owner, CK_FLAGS flags,
    unsigned generation, p11_session *out)
{
    p11_claim *claim = malloc(sizeof *claim), *stale;
    CK_RV rv;

    *out = (p11_session){CK_INVALID_HANDLE, generation};
    if (claim == NULL)
        return CKR_HOST_MEMORY;
    rv = module->functions->C_OpenSession(slot, flags, NULL, NULL, &out->handle);
    if (rv != CKR_OK) {
        free(claim);
        return rv;
    }
    *claim = (p11_claim){.owner = owner, .session = *out};
    (void)pthread_mutex_lock(&module->claims_lock);
    stale = take_out(module, out->handle);
    put_in(module, claim);
    (void)pthread_mutex_unlock(&module->claims_lock);
    free(stale);
    return CKR_OK;
}

CK_RV p11_session_open(p11_token *token, unsigned generation, p11_session *out)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION;

    if ((token->info.flags & CKF_WRITE_PROTECTED) == 0)
        flags |= CKF_RW_SESSION;
    return p11_session_open_for(token->module, token->slot, token, flags, generation, out);
}

void p11_session_close_for(p11_module *module, const void *owner, const p11_session *session)
{
    p11_claim *claim;
    bool ours;

    (void)pthread_mutex_lock(&module->claims_lock);
    claim = take_out(module, session->handle);
    ours =
        claim != NULL && claim->owner == owner && claim->session.generation == session->generation;
    if (claim != NULL && !ours)
        put_in(module, claim);
    (void)pthread_mutex_unlock(&module->claims_lock);
    if (!ours)
        return;
    free(claim);
    (void)module->functions->C_CloseSession(session->handle);
}

void p11_session_close(p11_token *token, const p11_session *session)
{
    p11_session_close_for(token->module, token, session);
}

void p11_claims_forget(p11_module *module)
{
    (void)pthread_mutex_lock(&module->claims_lock);
    while (module->claims != NULL)
        free(take_out(module, module->claims->session.handle));
    (void)pthread_mutex_unlock(&module->claims_lock);
}
