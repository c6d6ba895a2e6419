/* SPDX-License-Identifier: Apache-2.0 */
#include <chartseal/secret.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

cs_view cs_view_str(const char *text)
{
    return (cs_view){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

cs_view cs_view_buf(const cs_buf *buf)
{
    return (cs_view){buf->p, buf->n};
}

bool cs_view_equal(cs_view a, cs_view b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool cs_view_equal_secret(cs_view a, cs_view b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

static void release(cs_buf *buf)
{
    if (buf->p == NULL)
        return;
    cs_wipe(buf->p, buf->capacity);
    if (buf->guarded)
        cs_secret_free(&buf->p);
    else
        free(buf->p);
}

/* Not realloc: it may leave a copy of the content behind. */
int cs_buf_reserve(cs_buf *buf, size_t extra, cs_error *error)
{
    size_t capacity = buf->capacity == 0 ? FIRST_CAPACITY : buf->capacity;
    uint8_t *p;

    if (extra > SIZE_MAX / 4 - buf->n)
        return CS_FAIL(error, CS_E_MEMORY, "a buffer of %zu more bytes is too large", extra);
    if (buf->n + extra <= buf->capacity)
        return CS_OK;
    while (capacity < buf->n + extra)
        capacity *= 2;
    p = buf->guarded ? cs_secret_new(capacity) : malloc(capacity);
    if (p == NULL)
        return CS_FAIL(
            error, CS_E_MEMORY, "no memory for %zu bytes; free some and retry", capacity);
    if (buf->n > 0)
        memcpy(p, buf->p, buf->n);
    release(buf);
    buf->p = p;
    buf->capacity = capacity;
    return CS_OK;
}

int cs_buf_append(cs_buf *buf, cs_view bytes, cs_error *error)
{
    int rc = cs_buf_reserve(buf, bytes.n, error);

    if (rc != CS_OK)
        return rc;
    if (bytes.n > 0)
        memcpy(buf->p + buf->n, bytes.p, bytes.n);
    buf->n += bytes.n;
    return CS_OK;
}

int cs_buf_resize(cs_buf *buf, size_t n, cs_error *error)
{
    if (n > buf->n) {
        int rc = cs_buf_reserve(buf, n - buf->n, error);

        if (rc != CS_OK)
            return rc;
        memset(buf->p + buf->n, 0, n - buf->n);
    } else if (n < buf->n) {
        cs_wipe(buf->p + n, buf->n - n);
    }
    buf->n = n;
    return CS_OK;
}

int cs_buf_set(cs_buf *buf, cs_view bytes, cs_error *error)
{
    cs_buf_clear(buf);
    return cs_buf_append(buf, bytes, error);
}

void cs_buf_clear(cs_buf *buf)
{
    if (buf->p != NULL)
        cs_wipe(buf->p, buf->n);
    buf->n = 0;
}

void cs_buf_free(cs_buf *buf)
{
    if (buf == NULL)
        return;
    release(buf);
    *buf = (cs_buf){.guarded = buf->guarded};
}

void cs_hex(cs_view bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.n; i++) {
        out[2 * i] = digits[bytes.p[i] >> 4];
        out[2 * i + 1] = digits[bytes.p[i] & 15];
    }
    out[2 * bytes.n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int cs_unhex(cs_buf *buf, const char *text, cs_error *error)
{
    size_t n = strlen(text);
    size_t start = buf->n;
    int rc;

    if (n % 2 != 0)
        return CS_FAIL(error, CS_E_MALFORMED, "hex text has an odd number of digits");
    rc = cs_buf_resize(buf, start + n / 2, error);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < n / 2; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            cs_wipe(buf->p + start, n / 2);
            buf->n = start;
            return CS_FAIL(error, CS_E_MALFORMED, "not hex: see character %zu", 2 * i + 1);
        }
        buf->p[start + i] = (uint8_t)(high << 4 | low);
    }
    return CS_OK;
}

void cs_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

void cs_random(void *p, size_t n)
{
    randombytes_buf(p, n);
}
