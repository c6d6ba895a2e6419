/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TRANSCRIPT_H
#define SERVICE_TRANSCRIPT_H

/*
 * What was done in a ceremony, as a file that can be printed, kept and checked: one JSON object a
 * line, keys in order and no blanks, so that an entry has one form only.
 *
 *   n     1, 2, 3 …
 *   prev  SHA-256 of the line before, without its line feed; of the first, of "chartseal/1
 *         transcript"
 *   step  what it is about; time: when; and what there is to say of it
 *
 * The last line, step "signature", is the signature over ["chartseal/1 transcript", its prev] by
 * the key that the transcript itself says was made for signing. So a transcript that verifies is
 * whole and was signed by whoever has that key; whose it is, the key's paper says, or a
 * certificate.
 *
 * There are no secrets in it. The file is replaced as a whole with each entry, and on the disk
 * when the call returns: it is also the record by which an interrupted ceremony is gone on with.
 */

#include "service/files.h"

#include <chartseal/token.h>

#include <jansson.h>

#define CS_TRANSCRIPT_NAME "ceremony.transcript"
#define CS_TRANSCRIPT_MAX 262144 /* some hundred entries of a kilobyte or two */

typedef struct cs_transcript cs_transcript;

/* The file, or none yet. CS_E_CORRUPT: not a transcript, or a line is not as it was written; the
 * signature, if there is one, is checked too. */
CS_MUST_CHECK int cs_transcript_open(cs_transcript **out, const char *path, cs_error *error);
void cs_transcript_free(cs_transcript **transcript);

size_t cs_transcript_count(const cs_transcript *transcript);
/* Entry i from 0, or the last entry of a step; NULL. The transcript's, and not to be changed. */
json_t *cs_transcript_entry(const cs_transcript *transcript, size_t i);
json_t *cs_transcript_last(const cs_transcript *transcript, const char *step);

/* Append an entry; `what` (its members, given up) must not have the members above. */
CS_MUST_CHECK int cs_transcript_add(
    cs_transcript *transcript, const char *step, json_t *what, cs_error *error);
/* Forget all entries: those of a ceremony that is begun anew. The file stays until the next one. */
CS_MUST_CHECK int cs_transcript_restart(cs_transcript *transcript, cs_error *error);

/* The last line. key: the one whose public half the transcript names ("keys", the one called sign),
 * else CS_E_KEY_MISSING. */
CS_MUST_CHECK int cs_transcript_sign(cs_transcript *transcript, cs_key *key, cs_error *error);
/* CS_E_SIGNATURE while it is not signed. puk: the compressed key that has signed it. */
CS_MUST_CHECK int cs_transcript_signer(
    const cs_transcript *transcript, uint8_t puk[CS_PUK_SIZE], cs_error *error);

#endif
