/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_FILES_H
#define SERVICE_FILES_H

/*
 * Whole files: read with a limit, and written so that a reader, a crash or a full disk finds either
 * the old file or the new one and never a part. Writing goes to a temporary name in the same
 * directory ("name.XXXXXX"), is brought to the disk, renamed, and the directory is brought to the
 * disk too. Only kill -9 or loss of power can leave the temporary name behind. A link stays one:
 * what it leads to is replaced. A pipe or a character device is no file to be replaced: bytes go
 * into it as they come, and a failure leaves there what has been written.
 */

#include <chartseal/bytes.h>

#include <sys/types.h>

/* Appends the file to out. CS_E_NO_FILE, CS_E_TOO_LARGE if it has more than `limit` bytes (out is
 * then as it was), CS_E_USAGE for what is not a regular file, CS_E_STORAGE. */
CS_MUST_CHECK int cs_file_read(cs_buf *out, const char *path, size_t limit, cs_error *error);

/* Replaces the file. CS_E_DISK_FULL or CS_E_STORAGE: the old one is still there. CS_E_USAGE for a
 * directory, a block device, a socket, a link to nothing. */
CS_MUST_CHECK int cs_file_write(const char *path, cs_view bytes, mode_t mode, cs_error *error);

/* Whether cs_file_write could begin: for what is written at the end of something long. Errors as
 * there. */
CS_MUST_CHECK int cs_file_may_write(const char *path, cs_error *error);

/* The directory and those above it, each made with mode 0700 if it is missing. */
CS_MUST_CHECK int cs_make_directories(const char *path, cs_error *error);

/* A large file while it is being received. */
typedef struct cs_file_sink cs_file_sink;

CS_MUST_CHECK int cs_file_sink_open(
    cs_file_sink **out, const char *path, mode_t mode, cs_error *error);
/* `sink` is a cs_file_sink; void so that this is a cs_http_sink (http_client.h) as it stands. */
CS_MUST_CHECK int cs_file_sink_write(void *sink, cs_view bytes, cs_error *error);
/* The file takes its name. Frees the sink whether it succeeds or not; if not, as abandon. */
CS_MUST_CHECK int cs_file_sink_commit(cs_file_sink **sink, cs_error *error);
/* The temporary file goes. NULL is fine, also after commit. */
void cs_file_sink_abandon(cs_file_sink **sink);

#endif
