/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <string.h>
#include <tss2/tss2_rc.h>

#define FORMAT_ONE 0x080u
#define FORMAT_ONE_CODE 0x0bfu
#define FORMAT_ZERO_CODE 0xfffu

static bool is_tpm(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

    return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

TSS2_RC tpm_rc_base(TSS2_RC rc)
{
    if (!is_tpm(rc))
        return rc;
    return (rc & FORMAT_ONE) != 0 ? rc & FORMAT_ONE_CODE : rc & FORMAT_ZERO_CODE;
}

/* The way to the TPM is broken, or what came over it was not what the TPM said. */
static bool is_transport(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

    switch (layer) {
    case TSS2_TCTI_RC_LAYER:
    case TSS2_RESMGR_RC_LAYER:
        return true;
    case TSS2_ESAPI_RC_LAYER:
    case TSS2_SYS_RC_LAYER:
        switch (rc & ~TSS2_RC_LAYER_MASK) {
        case TSS2_BASE_RC_IO_ERROR:
        case TSS2_BASE_RC_NO_CONNECTION:
        case TSS2_BASE_RC_MALFORMED_RESPONSE:
        case TSS2_BASE_RC_INSUFFICIENT_RESPONSE:
        case TSS2_BASE_RC_RSP_AUTH_FAILED:
        case TSS2_BASE_RC_BAD_SEQUENCE:
            return true;
        default:
            return false;
        }
    default:
        return false;
    }
}

bool tpm_rc_silent(TSS2_RC rc)
{
    return (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER;
}

tpm_fate tpm_rc_fate(TSS2_RC rc)
{
    if (is_transport(rc))
        return TPM_LOST;
    switch (tpm_rc_base(rc)) {
    case TPM2_RC_RETRY:
    case TPM2_RC_YIELDED:
    case TPM2_RC_TESTING:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_NV_UNAVAILABLE:
        return TPM_WAIT;
    case TPM2_RC_OBJECT_MEMORY:
    case TPM2_RC_SESSION_MEMORY:
    case TPM2_RC_MEMORY:
    case TPM2_RC_SESSION_HANDLES:
    case TPM2_RC_OBJECT_HANDLES:
    case TPM2_RC_CONTEXT_GAP:
        return TPM_SHORT;
    case TPM2_RC_INITIALIZE:
    case TPM2_RC_REFERENCE_H0:
    case TPM2_RC_REFERENCE_H1:
    case TPM2_RC_REFERENCE_H2:
    case TPM2_RC_REFERENCE_S0:
    case TPM2_RC_REFERENCE_S1:
    case TPM2_RC_HANDLE: /* our handles are all the TPM's own: it has forgotten one */
        return TPM_LOST;
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        return TPM_REFUSED;
    default:
        return TPM_FAILED;
    }
}

typedef struct meaning {
    cs_code code;
    const char *next_step;
} meaning;

static meaning meaning_of(TSS2_RC rc)
{
    switch (tpm_rc_fate(rc)) {
    case TPM_WAIT:
        return (meaning){CS_E_BUSY, "try again later"};
    case TPM_SHORT:
        return (meaning){CS_E_BUSY,
            "other programs hold its few places for keys and sessions; use a resource manager "
            "(/dev/tpmrm0, tpm2-abrmd)"};
    case TPM_LOST:
        return (meaning){CS_E_TOKEN_ABSENT, "see that it runs and that the TCTI names it"};
    case TPM_REFUSED:
        return (meaning){CS_E_PIN_WRONG, "check the authorisation value; it is not tried again"};
    case TPM_FAILED:
    default:
        break;
    }
    switch (tpm_rc_base(rc)) {
    case TPM2_RC_LOCKOUT:
        return (meaning){CS_E_PIN_LOCKED,
            "wait for the TPM's recovery time, or end it with the lockout authorisation "
            "(tpm2_dictionarylockout -c)"};
    case TPM2_RC_FAILURE:
        return (meaning){CS_E_TOKEN, "the TPM is in failure mode; restart the machine"};
    case TPM2_RC_SCHEME:
    case TPM2_RC_CURVE:
    case TPM2_RC_ASYMMETRIC:
    case TPM2_RC_COMMAND_CODE:
    case TPM2_RC_KDF:
    case TPM2_RC_SYMMETRIC:
    case TPM2_RC_HASH:
        return (meaning){CS_E_TOKEN_UNSUITABLE, "this TPM lacks it; see docs/deployment.md"};
    case TPM2_RC_INTEGRITY:
    case TPM2_RC_BINDING:
        return (meaning){CS_E_KEY_MISSING, "that key was made by another TPM, or was altered"};
    case TPM2_RC_NV_SPACE:
        return (meaning){CS_E_TOKEN, "remove persistent keys that are no longer needed"};
    default:
        return (meaning){CS_E_TOKEN, "try again; if it stays, see the TPM's own documents"};
    }
}

int tpm_fail(const tpm_token *token, const char *call, TSS2_RC rc, cs_error *error)
{
    meaning m = meaning_of(rc);
    const char *tcti = token->tcti[0] == '\0' ? "the TSS default" : token->tcti;

    /* a TPM that is asked for the first time has no serial yet */
    return CS_FAIL(error, m.code, "TPM %.*s (TCTI %.200s): %s: %s (0x%x); %s",
        (int)sizeof token->serial, token->serial, tcti, call, Tss2_RC_Decode(rc), rc, m.next_step);
}
