/* SPDX-License-Identifier: Apache-2.0 */
/* SigH, SigP and SigD: what the author of a record says of it. */
#include "protocol/telecare.h"

#include <string.h>

static void take_part(cs_part *part, const cs_statement *statement)
{
    part->time = (int64_t)statement->time;
    part->size = statement->size;
    cs_text_copy(part->media_type, sizeof part->media_type, statement->media_type);
    memcpy(part->hash, statement->h_content.p, CS_HASH_SIZE);
}

int cs_statement_sign(cs_episode_part *out, const cs_episode *episode, const cs_env *env,
    cs_slot slot, const cs_content *content, cs_error *error)
{
    const cs_statement fields = {.slot = slot,
        .episode = CS_VIEW_ARRAY(episode->id),
        .id_h = cs_view_str(episode->hospital.id),
        .id_p = cs_view_str(episode->patient.id),
        .id_d = cs_view_str(episode->doctor.id),
        .time = (uint64_t)env->now,
        .media_type = cs_view_str(content->media_type),
        .size = content->size,
        .h_content = CS_VIEW_ARRAY(content->hash),
        .previous = cs_episode_previous(episode, slot)};
    cs_signed whole;
    int rc;

    memset(out, 0, sizeof *out);
    rc = cs_signed_make(&out->statement, episode->me->sign, &cs_statement_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&out->certificate, episode->me->certificate, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_signed_schema, &whole, cs_view_buf(&out->statement), error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_statement, whole.body, error);
    if (rc == CS_OK)
        take_part(&out->part, &fields);
    else
        cs_episode_part_free(out);
    return rc;
}

/* That it is about this record of this episode, and follows what came before. */
static int check_subject(const cs_episode *episode, uint64_t slot, cs_view previous,
    const cs_statement *statement, cs_error *error)
{
    const char *name = cs_slot_rule_of(slot)->name;

    if (statement->slot != slot || !cs_view_equal(statement->episode, CS_VIEW_ARRAY(episode->id)) ||
        !cs_view_equal(statement->id_h, cs_view_str(episode->hospital.id)) ||
        !cs_view_equal(statement->id_p, cs_view_str(episode->patient.id)) ||
        !cs_view_equal(statement->id_d, cs_view_str(episode->doctor.id)))
        return CS_FAIL(error, CS_E_RECIPIENT,
            "what should be the %s was signed as another record, or of another episode", name);
    if (!cs_view_equal(statement->previous, previous))
        return CS_FAIL(
            error, CS_E_RECIPIENT, "the %s does not follow the record that came before it", name);
    return CS_OK;
}

/* Not of the future, and not after the episode. Who signs late is found by the end alone: a record
 * lies for days before it is read. */
static int check_date(
    const cs_episode *episode, const cs_env *env, const cs_statement *statement, cs_error *error)
{
    const int64_t time = (int64_t)statement->time;

    if (time > env->now + env->delta_t)
        return CS_FAIL(
            error, CS_E_STALE, "a record is dated in the future; check that both clocks are set");
    if (time > episode->ends)
        return CS_FAIL(error, CS_E_EXPIRED, "a record was signed after the episode had ended");
    if (time < episode->ends - CS_EPISODE_LIFE_MAX_MS - CS_EPISODE_STEP_MS)
        return CS_FAIL(error, CS_E_STALE, "a record is dated long before its episode");
    return CS_OK;
}

/* The author as he is now: dates and revocations of his credential and his certificate. */
static int check_author(const cs_episode *episode, const cs_env *env, const cs_credential *author,
    cs_view certificate, cs_error *error)
{
    int rc = cs_credential_check(author, episode->me->cloud, env, author->role, error);

    if (rc == CS_OK && author->role != CS_ROLE_PATIENT)
        rc = cs_credential_check_certificate(author, env, certificate, NULL, error);
    return rc;
}

int cs_statement_check(cs_episode_part *out, const cs_episode *episode, const cs_env *env,
    uint64_t slot, cs_view bytes, cs_view certificate, cs_view previous, bool now, cs_error *error)
{
    const cs_credential *author = cs_episode_party(episode, cs_slot_rule_of(slot)->author);
    cs_statement statement;
    cs_signed whole;
    int rc = cs_decode(&cs_signed_schema, &whole, bytes, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_decode(&cs_statement_schema, &statement, whole.body, error);
    if (rc == CS_OK)
        rc = cs_signed_verify(
            "the signature on a record", &whole, author->puk_sign, out->h_statement, error);
    if (rc == CS_OK)
        rc = check_subject(episode, slot, previous, &statement, error);
    if (rc == CS_OK)
        rc = check_date(episode, env, &statement, error);
    if (rc == CS_OK && now)
        rc = check_author(episode, env, author, certificate, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&out->statement, bytes, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&out->certificate, certificate, error);
    if (rc == CS_OK)
        take_part(&out->part, &statement);
    else
        cs_episode_part_free(out);
    return rc;
}
