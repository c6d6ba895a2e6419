/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_BYTES_H
#define CHARTSEAL_BYTES_H

/*
 * Bytes: a view that somebody else owns, and a buffer that its holder owns.
 *
 * cs_view never owns: it is valid as long as what it looks into. An empty view may have p == NULL.
 * cs_buf owns; zero-initialise it ({0}) before use and give it to cs_buf_free, which wipes what it
 * held, because half of what Chartseal moves is somebody's medical record. Growth wipes the old
 * place too. A buffer that will hold a key is made with {.guarded = true}: it then lives in guarded
 * memory (secret.h).
 */

#include <chartseal/error.h>

#include <stdint.h>

typedef struct cs_view {
    const uint8_t *p;
    size_t n;
} cs_view;

typedef struct cs_buf {
    uint8_t *p;
    size_t n;
    size_t capacity;
    bool guarded; /* set before first use: lives in guarded memory, for keys on their way */
} cs_buf;

/* A view of an array, of a C string without its end, of a buffer. */
#define CS_VIEW_ARRAY(array) ((cs_view){(array), sizeof(array)})
cs_view cs_view_str(const char *text);
cs_view cs_view_buf(const cs_buf *buf);

/* Equal length and content; not constant-time: for public values. */
bool cs_view_equal(cs_view a, cs_view b);
/* Constant time in the content (not in the lengths): for tags and other secrets. */
bool cs_view_equal_secret(cs_view a, cs_view b);

/* Text that people will see: UTF-8 without control characters, line separators, and marks of
 * direction, which make one text look like another. */
bool cs_text_is_clean(cs_view text);
/* How many bytes the first character of a text takes (n > 0), and whether it is a clean one; a byte
 * that begins none is one for itself, and not clean. */
size_t cs_text_character(cs_view text, bool *clean);

/* Append; room for at least `extra` more; cut or extend (zeros) to n. CS_E_MEMORY only. */
CS_MUST_CHECK int cs_buf_append(cs_buf *buf, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_buf_reserve(cs_buf *buf, size_t extra, cs_error *error);
CS_MUST_CHECK int cs_buf_resize(cs_buf *buf, size_t n, cs_error *error);
/* Replace the content by a copy of bytes. */
CS_MUST_CHECK int cs_buf_set(cs_buf *buf, cs_view bytes, cs_error *error);
/* Wipe and empty, keeping the room. */
void cs_buf_clear(cs_buf *buf);
/* Wipe and free; afterwards *buf is empty and can be used again. NULL and {0} are fine. */
void cs_buf_free(cs_buf *buf);

/* Lower-case hex of bytes; out has room for 2 * n + 1. */
void cs_hex(cs_view bytes, char *out);
/* Hex (either case, even length) appended to buf; CS_E_MALFORMED otherwise. */
CS_MUST_CHECK int cs_unhex(cs_buf *buf, const char *text, cs_error *error);

/* Overwrite n bytes in a way the compiler keeps. */
void cs_wipe(void *p, size_t n);

/* n bytes from the operating system's generator. */
void cs_random(void *p, size_t n);

#endif
