/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm2:dir=PATH, tpm2:file=PATH, tpm2:handle=0x81…, each with ?tcti=CONF or without. Percent signs
 * as in RFC 3986; one attribute, one query, nothing else.
 */
#include "tpm.h"

#include <stdio.h>
#include <string.h>

#define SCHEME "tpm2:"
#define QUERY "tcti="

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Unreserved of RFC 3986, and what paths and TCTI configurations are full of. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("-._~/:=,+@", c) != NULL);
}

/* False for what must not stand in a URI, and for control characters behind a percent sign. */
static bool decode(char *out, size_t size, const char *text, size_t n)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < n ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '?' || c == '#' || c == '&' || c == ';') {
            return false;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f || used + 1 >= size)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return used > 0;
}

static bool parse_handle(TPM2_HANDLE *out, const char *text)
{
    TPM2_HANDLE value = 0;

    if (strlen(text) != 10 || strncmp(text, "0x", 2) != 0)
        return false;
    for (size_t i = 2; i < 10; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return false;
        value = value << 4 | (TPM2_HANDLE)digit;
    }
    *out = value;
    return value >> 24 == TPM2_HT_PERSISTENT;
}

static bool parse_name(tpm_uri *out, const char *text, size_t n)
{
    static const struct {
        const char *name;
        tpm_uri_kind kind;
    } kinds[] = {{"dir=", TPM_URI_DIR}, {"file=", TPM_URI_FILE}, {"handle=", TPM_URI_HANDLE}};

    if (n == 0)
        return true; /* any key of any place: good for a list of tokens alone */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t skip = strlen(kinds[i].name);

        if (n <= skip || strncmp(text, kinds[i].name, skip) != 0)
            continue;
        out->kind = kinds[i].kind;
        if (!decode(out->path, sizeof out->path, text + skip, n - skip))
            return false;
        return out->kind != TPM_URI_HANDLE || parse_handle(&out->handle, out->path);
    }
    return false;
}

int tpm_uri_parse(tpm_uri *out, const char *text, cs_error *error)
{
    const char *name = text + strlen(SCHEME);
    const char *query;
    bool good;

    *out = (tpm_uri){0};
    if (strnlen(text, CS_URI_MAX) >= CS_URI_MAX || strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return CS_FAIL(error, CS_E_USAGE, "a TPM's URI begins with tpm2: and has at most %d bytes",
            CS_URI_MAX);
    query = strchr(name, '?');
    good = parse_name(out, name, query == NULL ? strlen(name) : (size_t)(query - name));
    if (good && query != NULL)
        good = strncmp(query + 1, QUERY, strlen(QUERY)) == 0 &&
               decode(out->tcti, sizeof out->tcti, query + 1 + strlen(QUERY),
                   strlen(query + 1 + strlen(QUERY)));
    if (!good)
        return CS_FAIL(error, CS_E_USAGE,
            "a TPM's URI is tpm2:dir=PATH, a key's tpm2:file=PATH or tpm2:handle=0x81XXXXXX, each "
            "with ?tcti=CONF or without");
    return CS_OK;
}

static bool encode(char *out, size_t size, size_t *used, const char *text)
{
    for (; *text != '\0'; text++) {
        int n = snprintf(out + *used, size - *used, is_plain(*text) ? "%c" : "%%%02X",
            (unsigned)(unsigned char)*text);

        if (n < 0 || (size_t)n >= size - *used)
            return false;
        *used += (size_t)n;
    }
    return true;
}

int tpm_uri_format(char out[CS_URI_MAX], const tpm_uri *uri, cs_error *error)
{
    static const char *const heads[] = {[TPM_URI_ANY] = SCHEME,
        [TPM_URI_DIR] = SCHEME "dir=",
        [TPM_URI_FILE] = SCHEME "file=",
        [TPM_URI_HANDLE] = SCHEME "handle="};
    char handle[16];
    size_t used = (size_t)snprintf(out, CS_URI_MAX, "%s", heads[uri->kind]);
    bool fits;

    (void)snprintf(handle, sizeof handle, "0x%08x", uri->handle);
    fits = encode(out, CS_URI_MAX, &used, uri->kind == TPM_URI_HANDLE ? handle : uri->path);
    if (fits && uri->tcti[0] != '\0') {
        static const char query[] = "?" QUERY;

        fits = used + sizeof query < CS_URI_MAX;
        if (fits) {
            memcpy(out + used, query, sizeof query);
            used += sizeof query - 1;
            fits = encode(out, CS_URI_MAX, &used, uri->tcti);
        }
    }
    if (!fits)
        return CS_FAIL(error, CS_E_TOO_LARGE,
            "the URI of that key is longer than %d bytes; use a shorter directory", CS_URI_MAX - 1);
    return CS_OK;
}
