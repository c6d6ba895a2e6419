/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <string.h>

#define DER_OCTET_STRING 0x04

/* OIDs (RFC 5480, RFC 8410), and PrintableStrings as PKCS#11 v3.0 allows them. */
static const uint8_t p256_oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t ed25519_oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t x25519_oid[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};
static const uint8_t ed25519_name[] = "\x13\x0c"
                                      "edwards25519";
static const uint8_t x25519_name[] = "\x13\x0a"
                                     "curve25519";

cs_view p11_curve_params(p11_curve curve, unsigned form)
{
    switch (curve) {
    case P11_CURVE_P256:
        return CS_VIEW_ARRAY(p256_oid);
    case P11_CURVE_ED25519:
        return form == 0 ? CS_VIEW_ARRAY(ed25519_oid)
                         : (cs_view){ed25519_name, sizeof ed25519_name - 1};
    case P11_CURVE_X25519:
        return form == 0 ? CS_VIEW_ARRAY(x25519_oid)
                         : (cs_view){x25519_name, sizeof x25519_name - 1};
    case P11_CURVE_NONE:
    default:
        return (cs_view){NULL, 0};
    }
}

p11_curve p11_curve_of(cs_view params)
{
    for (p11_curve curve = P11_CURVE_P256; curve <= P11_CURVE_X25519; curve++) {
        for (unsigned form = 0; form < 2; form++) {
            if (cs_view_equal(params, p11_curve_params(curve, form)))
                return curve;
        }
    }
    return P11_CURVE_NONE;
}

bool p11_point_raw(cs_view point, size_t size, const uint8_t **raw)
{
    if (point.n == size) {
        *raw = point.p;
        return true;
    }
    if (point.n == size + 2 && point.p[0] == DER_OCTET_STRING && point.p[1] == size) {
        *raw = point.p + 2;
        return true;
    }
    return false;
}

size_t p11_point_der(uint8_t out[P11_EC_POINT_MAX], cs_view raw)
{
    out[0] = DER_OCTET_STRING;
    out[1] = (uint8_t)raw.n;
    memcpy(out + 2, raw.p, raw.n);
    return raw.n + 2;
}
