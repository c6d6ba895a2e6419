/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate's key may be used for. */
#include "x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define OID_TEXT_MAX 64 /* longer than each that is looked for */

/* A certificate that names extended key usages has to name one of these. No name is of Chartseal's
 * own: cards that an existing authority issues are to serve. */
static const char *const person_usages[] = {
    "2.5.29.37.0",            /* anyExtendedKeyUsage */
    "1.3.6.1.5.5.7.3.2",      /* clientAuth */
    "1.3.6.1.5.5.7.3.4",      /* emailProtection */
    "1.3.6.1.5.5.7.3.36",     /* documentSigning, RFC 9336 */
    "1.3.6.1.4.1.311.20.2.2", /* Microsoft's smart card logon, as PIV cards have it */
};

static bool is_one_of(const ASN1_OBJECT *usage, const char *const *oids, size_t count)
{
    char text[OID_TEXT_MAX];
    int n = OBJ_obj2txt(text, sizeof text, usage, 1);

    for (size_t i = 0; n > 0 && n < (int)sizeof text && i < count; i++) {
        if (strcmp(text, oids[i]) == 0)
            return true;
    }
    return false;
}

bool cs_x509_has_usage(X509 *certificate, const char *const *oids, size_t count)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
        found = found || is_one_of(sk_ASN1_OBJECT_value(usages, i), oids, count);
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    ERR_clear_error();
    return found;
}

int cs_x509_check_leaf(X509 *certificate, bool agrees, cs_error *error)
{
    uint32_t usage;
    bool fits;

    /* the first call reads the extensions, and marks them invalid where they are */
    if (X509_check_ca(certificate) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE, "it is an authority's certificate, not a person's");
    usage = X509_get_key_usage(certificate);
    fits = agrees ? (usage & (KU_KEY_AGREEMENT | KU_DIGITAL_SIGNATURE)) == KU_KEY_AGREEMENT
                  : (usage & KU_DIGITAL_SIGNATURE) != 0;
    if ((X509_get_extension_flags(certificate) & (EXFLAG_INVALID | EXFLAG_KUSAGE)) !=
            EXFLAG_KUSAGE ||
        !fits)
        return CS_FAIL(error, CS_E_CERTIFICATE, "its key usage does not say %s",
            agrees ? "key agreement, and no digital signature" : "digital signature");
    if ((X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) != 0 &&
        !cs_x509_has_usage(
            certificate, person_usages, sizeof person_usages / sizeof person_usages[0]))
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "its extended key usage is for something else: have one issued with clientAuth, "
            "emailProtection or documentSigning, or with none");
    return CS_OK;
}
