/* SPDX-License-Identifier: Apache-2.0 */
#include "service/audit_mark.h"

#include "service/files.h"

#include <chartseal/at_rest.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MAX 512 /* two numbers, a hash and a signature, encoded */
#define MARK_MODE 0600

void cs_audit_head_print(const cs_audit_head *head, char text[CS_AUDIT_HEAD_TEXT_SIZE])
{
    char hex[2 * CS_HASH_SIZE + 1];

    cs_hex(CS_VIEW_ARRAY(head->hash), hex);
    (void)snprintf(text, CS_AUDIT_HEAD_TEXT_SIZE, "%llu:%s", (unsigned long long)head->number, hex);
}

int cs_audit_head_parse(cs_audit_head *out, const char *text, cs_error *error)
{
    cs_buf hash = {0};
    char *end = NULL;
    unsigned long long number;
    bool good = text[0] >= '0' && text[0] <= '9';

    errno = 0;
    number = strtoull(text, &end, 10);
    good = good && errno == 0 && number <= CS_SERIAL_MAX && *end == ':' &&
           cs_unhex(&hash, end + 1, NULL) == CS_OK && hash.n == CS_HASH_SIZE;
    if (good) {
        out->number = number;
        memcpy(out->hash, hash.p, CS_HASH_SIZE);
    }
    cs_buf_free(&hash);
    return good ? CS_OK
                : CS_FAIL(error, CS_E_USAGE,
                      "a head is NUMBER:HASH as `audit verify` prints it; '%.32s' is none", text);
}

int cs_audit_mark_read(cs_audit_head *out, const char *path, cs_view puk, cs_error *error)
{
    cs_buf bytes = {0};
    cs_signed whole;
    cs_audit_seal seal;
    int rc = cs_file_read(&bytes, path, MARK_MAX, error);

    if (rc == CS_OK) {
        rc = cs_decode(&cs_signed_schema, &whole, cs_view_buf(&bytes), error);
        if (rc == CS_OK)
            rc = cs_decode(&cs_audit_seal_schema, &seal, whole.body, error);
        if (rc == CS_OK)
            rc = cs_audit_seal_verify(puk, seal.number, seal.hash.p, whole.signature, error);
        if (rc != CS_OK)
            rc = CS_FAIL(error, CS_E_CORRUPT,
                "%s is damaged or forged; find out who had access to it", path);
    }
    if (rc == CS_OK) {
        out->number = seal.number;
        memcpy(out->hash, seal.hash.p, sizeof out->hash);
    }
    cs_buf_free(&bytes);
    return rc;
}

int cs_audit_mark_write(const char *path, const cs_audit_head *head,
    const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    const cs_audit_seal seal = {.number = head->number, .hash = CS_VIEW_ARRAY(head->hash)};
    cs_buf body = {0};
    cs_buf bytes = {0};
    int rc = cs_encode(&body, &cs_audit_seal_schema, &seal, error);

    if (rc == CS_OK) {
        const cs_signed whole = {
            .body = cs_view_buf(&body), .signature = {signature, CS_SIGNATURE_SIZE}};

        rc = cs_encode(&bytes, &cs_signed_schema, &whole, error);
    }
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_view_buf(&bytes), MARK_MODE, error);
    cs_buf_free(&body);
    cs_buf_free(&bytes);
    return rc;
}
