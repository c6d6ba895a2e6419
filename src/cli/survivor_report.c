/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/survivor_report.h"

#include "cli/output.h"
#include "service/own_keys.h"
#include "service/transcript.h"

#include <string.h>
#include <unistd.h>

static json_t *copy_of(const json_t *noted)
{
    return noted == NULL ? json_null() : json_deep_copy(noted);
}

int cs_survivor_report(json_t *report, const cs_home *home, cs_error *error)
{
    if (cs_own_survivor(home->kind) == NULL)
        return CS_OK;
    if (json_object_set_new(report, "backup", copy_of(cs_own_backup(home))) != 0 ||
        json_object_set_new(report, "restored", copy_of(cs_own_restored(home))) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    return CS_OK;
}

static bool same_digest(const json_t *noted, const cs_transcript *transcript, const char *step)
{
    const char *here = json_string_value(json_object_get(noted, "sha256"));
    const char *there =
        json_string_value(json_object_get(cs_transcript_last(transcript, step), "sha256"));

    return noted == NULL || (here != NULL && there != NULL && strcmp(here, there) == 0);
}

int cs_survivor_check_transcript(const cs_home *home, cs_view sign_public, cs_error *error)
{
    const json_t *backup = cs_own_backup(home), *restored = cs_own_restored(home);
    cs_transcript *transcript = NULL;
    uint8_t signer[CS_PUK_SIZE], own[CS_PUK_SIZE];
    char path[CS_PATH_MAX];
    int rc;

    if (backup == NULL && restored == NULL)
        return CS_OK;
    cs_home_path(home, CS_TRANSCRIPT_NAME, path);
    if (sign_public.n == 0)
        return CS_FAIL(error, CS_E_KEY_MISSING,
            "keys.sign of %s/config.json is no key of the token; put back the token, or the file "
            "that the ceremony wrote",
            home->dir);
    if (access(path, F_OK) != 0)
        return CS_FAIL(error, CS_E_NO_FILE,
            "%s is not there, which says of %s why it is as it is; put it back", path,
            cs_own_survivor(home->kind)->what);
    rc = cs_transcript_open(&transcript, path, error);
    if (rc == CS_OK)
        rc = cs_transcript_signer(transcript, signer, error);
    if (rc == CS_OK)
        rc = cs_p256_compress(own, sign_public, error);
    if (rc == CS_OK &&
        (memcmp(signer, own, sizeof own) != 0 || !same_digest(backup, transcript, "backup") ||
            !same_digest(restored, transcript, "restore")))
        rc = CS_FAIL(error, CS_E_KEY_EXPOSED,
            "%s/config.json says of %s what the transcript of its ceremony does not; find out who "
            "has altered it",
            home->dir, cs_own_survivor(home->kind)->what);
    cs_transcript_free(&transcript);
    return rc;
}

static const char *text_of(char *out, size_t size, const json_t *noted, const char *name)
{
    const char *text = json_string_value(json_object_get(noted, name));

    return cs_printable(out, size, text == NULL ? "?" : text);
}

void cs_say_survivor(const cs_home *home)
{
    const cs_survivor *survivor = cs_own_survivor(home->kind);
    const json_t *backup = cs_own_backup(home), *restored = cs_own_restored(home);
    char time[40], more[80], last[80];

    if (backup != NULL) {
        cs_say("  %s HAS LEFT its token once, wrapped: chosen at the ceremony of %s",
            survivor->what, text_of(time, sizeof time, backup, "time"));
        cs_say("    shares of %s operators, with the file of SHA-256",
            text_of(more, sizeof more, backup, "shares"));
        cs_say("    %s, give the key", text_of(last, sizeof last, backup, "sha256"));
    }
    if (restored != NULL) {
        cs_say("  %s COMES FROM A BACKUP, restored at the ceremony of %s", survivor->what,
            text_of(time, sizeof time, restored, "time"));
        cs_say("    it was made in token %s at that of %s",
            text_of(more, sizeof more, restored, "from_serial"),
            text_of(last, sizeof last, restored, "from_time"));
    }
}
