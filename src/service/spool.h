/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SPOOL_H
#define SERVICE_SPOOL_H

/*
 * A content that may be larger than memory, while it is on its way: read from a person's file, or
 * received into a file without a name in the party's home, which is gone when it is closed, however
 * the program ends. What was received gets a name only by cs_spool_save, which its caller does when
 * the content is verified.
 */

#include <chartseal/crypto.h>

typedef struct cs_spool {
    int fd; /* -1: none */
    uint64_t size;
    uint8_t hash[CS_HASH_SIZE]; /* of what was opened */
} cs_spool;

/* A regular file, which is read once to hash it. `what` is for the message. CS_E_NO_FILE,
 * CS_E_USAGE, CS_E_STORAGE. */
CS_MUST_CHECK int cs_spool_open(cs_spool *out, const char *path, const char *what, cs_error *error);
CS_MUST_CHECK int cs_spool_make(cs_spool *out, const char *directory, cs_error *error);
void cs_spool_close(cs_spool *spool);

/* At the end; CS_E_DISK_FULL. */
CS_MUST_CHECK int cs_spool_write(cs_spool *spool, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_spool_rewind(cs_spool *spool, cs_error *error);
/* The next bytes, at most n; *got 0 at the end. */
CS_MUST_CHECK int cs_spool_read(
    cs_spool *spool, uint8_t *out, size_t n, size_t *got, cs_error *error);
/* The next `size` bytes under that name, whole or not at all; NULL: they are passed over. */
CS_MUST_CHECK int cs_spool_save(cs_spool *spool, uint64_t size, const char *path, cs_error *error);

#endif
