/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSS2 PRIVATE KEY, as tpm2-openssl and tpm2-tools (tpm2_encodeobject) write it:
 *
 *   SEQUENCE { type OID 2.23.133.10.1.3, [0] EXPLICIT emptyAuth BOOLEAN OPTIONAL,
 *              parent INTEGER, pubkey OCTET STRING (TPM2B_PUBLIC),
 *              privkey OCTET STRING (TPM2B_PRIVATE) }
 *
 * A key with a policy has more members; it is refused, as its policy would not be followed.
 */
#include "tpm.h"

#include <chartseal/certificate.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define PEM_LABEL "TSS2 PRIVATE KEY"
#define LOADABLE_KEY "2.23.133.10.1.3"

typedef struct tss_key {
    ASN1_OBJECT *type;
    ASN1_BOOLEAN empty_auth; /* -1: absent, which means false */
    ASN1_INTEGER *parent;
    ASN1_OCTET_STRING *public_part;
    ASN1_OCTET_STRING *private_part;
} tss_key;

ASN1_SEQUENCE(tss_key) =
    {
        ASN1_SIMPLE(tss_key, type, ASN1_OBJECT),
        ASN1_EXP_OPT(tss_key, empty_auth, ASN1_BOOLEAN, 0),
        ASN1_SIMPLE(tss_key, parent, ASN1_INTEGER),
        ASN1_SIMPLE(tss_key, public_part, ASN1_OCTET_STRING),
        ASN1_SIMPLE(tss_key, private_part, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(tss_key)

        static bool fill(tss_key * key, const tpm_blob *blob)
{
    uint8_t public_part[sizeof(TPM2B_PUBLIC)], private_part[sizeof(TPM2B_PRIVATE)];
    size_t public_n = 0, private_n = 0;

    ASN1_OBJECT_free(key->type);
    key->type = OBJ_txt2obj(LOADABLE_KEY, 1);
    key->empty_auth = blob->empty_auth ? 0xff : 0; /* said, not left out, as the tools do */
    return key->type != NULL && ASN1_INTEGER_set_uint64(key->parent, blob->parent) == 1 &&
           Tss2_MU_TPM2B_PUBLIC_Marshal(
               &blob->public_part, public_part, sizeof public_part, &public_n) == TSS2_RC_SUCCESS &&
           Tss2_MU_TPM2B_PRIVATE_Marshal(&blob->private_part, private_part, sizeof private_part,
               &private_n) == TSS2_RC_SUCCESS &&
           ASN1_OCTET_STRING_set(key->public_part, public_part, (int)public_n) == 1 &&
           ASN1_OCTET_STRING_set(key->private_part, private_part, (int)private_n) == 1;
}

int tpm_keyfile_encode(cs_buf *pem, const tpm_blob *blob, cs_error *error)
{
    tss_key *key = (tss_key *)(void *)ASN1_item_new(ASN1_ITEM_rptr(tss_key));
    uint8_t *der = NULL;
    int n = -1;
    int rc;

    if (key != NULL && fill(key, blob))
        n = ASN1_item_i2d((ASN1_VALUE *)(void *)key, &der, ASN1_ITEM_rptr(tss_key));
    if (n > 0)
        rc = cs_pem_encode(pem, PEM_LABEL, (cs_view){der, (size_t)n}, error);
    else
        rc = CS_FAIL(error, CS_E_INTERNAL, "a TPM key cannot be put into PEM");
    ERR_clear_error();
    OPENSSL_free(der);
    ASN1_item_free((ASN1_VALUE *)(void *)key, ASN1_ITEM_rptr(tss_key));
    return rc;
}

static bool is_loadable(const ASN1_OBJECT *type)
{
    char text[32];
    int n = OBJ_obj2txt(text, sizeof text, type, 1);

    return n > 0 && n < (int)sizeof text && strcmp(text, LOADABLE_KEY) == 0;
}

/* Each part has its own size inside, and nothing behind. */
static bool take(tpm_blob *out, const tss_key *key)
{
    size_t public_n = (size_t)ASN1_STRING_length(key->public_part), public_at = 0;
    size_t private_n = (size_t)ASN1_STRING_length(key->private_part), private_at = 0;
    uint64_t parent;

    if (!is_loadable(key->type) || ASN1_INTEGER_get_uint64(&parent, key->parent) != 1 ||
        parent > UINT32_MAX)
        return false;
    *out = (tpm_blob){.empty_auth = key->empty_auth > 0, .parent = (TPM2_HANDLE)parent};
    return Tss2_MU_TPM2B_PUBLIC_Unmarshal(ASN1_STRING_get0_data(key->public_part), public_n,
               &public_at, &out->public_part) == TSS2_RC_SUCCESS &&
           public_at == public_n &&
           Tss2_MU_TPM2B_PRIVATE_Unmarshal(ASN1_STRING_get0_data(key->private_part), private_n,
               &private_at, &out->private_part) == TSS2_RC_SUCCESS &&
           private_at == private_n;
}

int tpm_keyfile_decode(tpm_blob *out, cs_view pem, cs_error *error)
{
    cs_buf der = {0};
    tss_key *key = NULL;
    const uint8_t *at;
    int rc = cs_pem_decode(&der, PEM_LABEL, pem, error);

    if (rc != CS_OK)
        return rc;
    at = der.p;
    key = (tss_key *)(void *)ASN1_item_d2i(NULL, &at, (long)der.n, ASN1_ITEM_rptr(tss_key));
    if (key == NULL || at != der.p + der.n || !take(out, key))
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "not a TSS2 PRIVATE KEY without policy, as tpm2-tools and tpm2-openssl write it");
    ERR_clear_error();
    ASN1_item_free((ASN1_VALUE *)(void *)key, ASN1_ITEM_rptr(tss_key));
    cs_buf_free(&der);
    return rc;
}
