/* SPDX-License-Identifier: Apache-2.0 */
/* HUP: the hospital opens an episode, uploads its report, and invites patient and doctor. */
#include "protocol/telecare.h"

#include <string.h>

/* Tokens that nobody can guess, and their places. */
static int draw_places(cs_episode *episode, cs_error *error)
{
    int rc = CS_OK;

    cs_random(episode->secrets->tokens, sizeof episode->secrets->tokens);
    for (uint64_t slot = 1; rc == CS_OK && slot <= CS_SLOTS; slot++)
        rc =
            cs_place_of(episode->places[slot - 1], slot, episode->secrets->tokens[slot - 1], error);
    return rc;
}

static int round_end(const cs_env *env, int64_t ends, int64_t *rounded, cs_error *error)
{
    if (ends <= env->now || ends > env->now + CS_EPISODE_LIFE_MAX_MS - CS_EPISODE_STEP_MS)
        return CS_FAIL(error, CS_E_USAGE, "an episode ends after now and within a year");
    *rounded = (ends + CS_EPISODE_STEP_MS - 1) / CS_EPISODE_STEP_MS * CS_EPISODE_STEP_MS;
    return CS_OK;
}

static int make_terms(cs_episode *episode, const cs_hup_input *input, int64_t ends, cs_error *error)
{
    const cs_terms terms = {.suite = episode->me->cloud->suite,
        .credential_h = cs_credential_view(episode->me->credential),
        .credential_p = input->credential_p,
        .credential_d = input->credential_d,
        .credential_c = input->credential_c,
        .url = cs_view_str(input->url),
        .ends = (uint64_t)ends,
        .places = {episode->places[0], sizeof episode->places}};
    cs_buf bytes = {0};
    int rc = cs_encode(&bytes, &cs_terms_schema, &terms, error);

    if (rc == CS_OK)
        rc = cs_episode_set_terms(episode, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

/* Who is not in order is not invited. */
static int check_guests(const cs_episode *episode, const cs_env *env, cs_error *error)
{
    const cs_cloud *cloud = episode->me->cloud;
    int rc = cs_credential_check(&episode->patient, cloud, env, CS_ROLE_PATIENT, error);

    if (rc == CS_OK)
        rc = cs_credential_check(&episode->doctor, cloud, env, CS_ROLE_DOCTOR, error);
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(
            &episode->doctor, env, cs_view_buf(&episode->cert_d), NULL, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&episode->cloud, cloud, env, CS_ROLE_CLOUD, error);
    return rc;
}

int cs_hup_new(cs_episode **out, cs_writing **report, const cs_party *hospital, const cs_env *env,
    const cs_hup_input *input, const cs_content *content, cs_error *error)
{
    cs_episode_part part = {0};
    cs_episode *episode = NULL;
    int64_t ends = 0;
    int rc = round_end(env, input->ends, &ends, error);

    *out = NULL;
    *report = NULL;
    if (rc == CS_OK && hospital->credential->role != CS_ROLE_HOSPITAL)
        rc = CS_FAIL(error, CS_E_USAGE, "a hospital opens an episode, nobody else");
    if (rc == CS_OK)
        rc = cs_episode_alloc(&episode, hospital, error);
    if (rc == CS_OK)
        rc = draw_places(episode, error);
    if (rc == CS_OK)
        rc = make_terms(episode, input, ends, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&episode->cert_d, input->cert_d, error);
    if (rc == CS_OK)
        rc = check_guests(episode, env, error);
    if (rc == CS_OK)
        rc = cs_statement_sign(&part, episode, env, CS_SLOT_REPORT, content, error);
    if (rc == CS_OK)
        rc = cs_writing_new(report, episode, CS_SLOT_REPORT, &part, error);
    if (rc != CS_OK)
        cs_episode_free(&episode);
    cs_episode_part_free(&part);
    *out = episode;
    return rc;
}

int cs_hup_letter(const cs_episode *episode, cs_role to, cs_buf *letter, cs_error *error)
{
    const bool patient = to == CS_ROLE_PATIENT;
    const cs_credential *reader = cs_episode_party(episode, to);
    cs_buf tokens = {.guarded = true};
    cs_invitation invitation = {.terms = cs_view_buf(&episode->terms),
        .report_key = CS_VIEW_ARRAY(episode->secrets->report_key),
        .cert_d = patient ? cs_view_buf(&episode->cert_d) : (cs_view){0}};
    int rc = CS_OK;

    if (episode->role != CS_ROLE_HOSPITAL || (!patient && to != CS_ROLE_DOCTOR))
        return CS_FAIL(error, CS_E_USAGE, "the hospital invites the patient and the doctor");
    if (!episode->parts[CS_SLOT_REPORT - 1].known)
        return CS_FAIL(error, CS_E_ORDER, "invite after the report is stored, not before");
    for (uint64_t slot = 1; rc == CS_OK && slot <= CS_SLOTS; slot++) {
        if (cs_slot_rule_of(slot)->author == to)
            rc = cs_buf_append(&tokens, CS_VIEW_ARRAY(episode->secrets->tokens[slot - 1]), error);
    }
    invitation.tokens = cs_view_buf(&tokens);
    if (rc == CS_OK)
        rc = cs_letter_seal(
            letter, episode->me->cloud->suite, reader->puk_decrypt, &invitation, error);
    cs_buf_free(&tokens);
    return rc;
}
