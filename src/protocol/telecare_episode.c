/* SPDX-License-Identifier: Apache-2.0 */
/* What an episode is to who takes part in it: its terms, and what is known of it so far. */
#include "protocol/telecare.h"

#include <stdlib.h>
#include <string.h>

int cs_episode_alloc(cs_episode **out, const cs_party *me, cs_error *error)
{
    cs_episode *episode = calloc(1, sizeof *episode);

    *out = NULL;
    if (episode == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for an episode");
    episode->me = me;
    episode->role = me->credential->role;
    episode->secrets = cs_secret_new(sizeof *episode->secrets);
    if (episode->secrets == NULL) {
        cs_episode_free(&episode);
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an episode");
    }
    *out = episode;
    return CS_OK;
}

void cs_episode_part_free(cs_episode_part *part)
{
    cs_buf_free(&part->statement);
    cs_buf_free(&part->certificate);
    memset(part, 0, sizeof *part);
}

void cs_episode_part_move(cs_episode_part *to, cs_episode_part *from)
{
    cs_episode_part_free(to);
    *to = *from;
    memset(from, 0, sizeof *from);
}

void cs_episode_free(cs_episode **episode)
{
    if (episode == NULL || *episode == NULL)
        return;
    for (size_t i = 0; i < CS_SIGNED_SLOTS; i++)
        cs_episode_part_free(&(*episode)->parts[i]);
    cs_buf_free(&(*episode)->terms);
    cs_buf_free(&(*episode)->cert_d);
    cs_secret_free(&(*episode)->secrets);
    free(*episode);
    *episode = NULL;
}

int cs_episode_set_terms(cs_episode *episode, cs_view bytes, cs_error *error)
{
    const cs_cloud *cloud = episode->me->cloud;
    cs_terms terms;
    int rc = cs_buf_set(&episode->terms, bytes, error);

    if (rc == CS_OK)
        rc = cs_hash(episode->id, bytes, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_terms_schema, &terms, cs_view_buf(&episode->terms), error);
    if (rc != CS_OK)
        return rc;
    if (terms.suite != (uint64_t)cloud->suite)
        return CS_FAIL(error, CS_E_VERSION, "an episode of another suite than %s",
            cs_suite_name(cloud->suite));
    rc = cs_credential_parse(&episode->hospital, cloud, terms.credential_h, error);
    if (rc == CS_OK)
        rc = cs_credential_parse(&episode->patient, cloud, terms.credential_p, error);
    if (rc == CS_OK)
        rc = cs_credential_parse(&episode->doctor, cloud, terms.credential_d, error);
    if (rc == CS_OK)
        rc = cs_credential_parse(&episode->cloud, cloud, terms.credential_c, error);
    cs_text_copy(episode->url, sizeof episode->url, terms.url);
    episode->ends = (int64_t)terms.ends;
    memcpy(episode->places, terms.places.p, sizeof episode->places);
    return rc;
}

int cs_episode_check_end(const cs_episode *episode, const cs_env *env, cs_error *error)
{
    if (env->now > episode->ends)
        return CS_FAIL(
            error, CS_E_EXPIRED, "the episode has ended; ask the hospital for a new one");
    return CS_OK;
}

/* The letter is for who opens it, by name and by keys: a credential renewed since then will do. */
static int check_own(const cs_episode *episode, cs_error *error)
{
    const cs_credential *own = episode->me->credential;
    const cs_credential *named =
        episode->role == CS_ROLE_PATIENT ? &episode->patient : &episode->doctor;

    if (strcmp(named->id, own->id) != 0 ||
        memcmp(named->puk_sign, own->puk_sign, CS_PUK_SIZE) != 0 ||
        memcmp(named->puk_decrypt, own->puk_decrypt, CS_PUK_SIZE) != 0)
        return CS_FAIL(error, CS_E_RECIPIENT,
            "the invitation names another %s, or keys that were replaced; ask the hospital for a "
            "new one",
            cs_role_name(episode->role));
    return CS_OK;
}

static int check_others(const cs_episode *episode, const cs_env *env, cs_error *error)
{
    const cs_cloud *cloud = episode->me->cloud;
    int rc = cs_credential_check(&episode->hospital, cloud, env, CS_ROLE_HOSPITAL, error);

    if (rc == CS_OK)
        rc = cs_credential_check(&episode->patient, cloud, env, CS_ROLE_PATIENT, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&episode->doctor, cloud, env, CS_ROLE_DOCTOR, error);
    if (rc == CS_OK && episode->role == CS_ROLE_PATIENT)
        rc = cs_credential_check_certificate(
            &episode->doctor, env, cs_view_buf(&episode->cert_d), NULL, error);
    return rc;
}

/* The tokens are those of the places that one writes to, so that what is uploaded lands where the
 * others look. */
static int take_tokens(cs_episode *episode, cs_view tokens, cs_error *error)
{
    size_t at = 0;
    int rc = CS_OK;

    for (uint64_t slot = 1; rc == CS_OK && slot <= CS_SLOTS; slot++) {
        uint8_t *token = episode->secrets->tokens[slot - 1];
        uint8_t place[CS_PLACE_SIZE];

        if (cs_slot_rule_of(slot)->author != episode->role)
            continue;
        if (at + CS_PLACE_TOKEN_SIZE > tokens.n)
            return CS_FAIL(error, CS_E_MALFORMED, "the invitation lacks a token");
        memcpy(token, tokens.p + at, CS_PLACE_TOKEN_SIZE);
        at += CS_PLACE_TOKEN_SIZE;
        rc = cs_place_of(place, slot, token, error);
        if (rc == CS_OK && memcmp(place, episode->places[slot - 1], CS_PLACE_SIZE) != 0)
            rc = CS_FAIL(error, CS_E_RECIPIENT,
                "the invitation's tokens are of another episode; ask the hospital for a new one");
    }
    if (rc == CS_OK && at != tokens.n)
        rc = CS_FAIL(error, CS_E_MALFORMED, "the invitation has a token too many");
    return rc;
}

static int take_letter(
    cs_episode *episode, const cs_env *env, const cs_invitation *invitation, cs_error *error)
{
    int rc = cs_episode_set_terms(episode, invitation->terms, error);

    if (rc == CS_OK)
        rc = cs_buf_set(&episode->cert_d, invitation->cert_d, error);
    if (rc == CS_OK)
        rc = check_own(episode, error);
    if (rc == CS_OK)
        rc = check_others(episode, env, error);
    if (rc == CS_OK)
        rc = cs_episode_check_end(episode, env, error);
    if (rc == CS_OK)
        rc = take_tokens(episode, invitation->tokens, error);
    if (rc == CS_OK)
        memcpy(episode->secrets->report_key, invitation->report_key.p, CS_RECORD_KEY_SIZE);
    return rc;
}

int cs_episode_open(
    cs_episode **out, const cs_party *me, const cs_env *env, cs_view letter, cs_error *error)
{
    cs_buf plain = {.guarded = true};
    cs_episode *episode = NULL;
    cs_invitation invitation;
    int rc;

    *out = NULL;
    if (me->credential->role != CS_ROLE_PATIENT && me->credential->role != CS_ROLE_DOCTOR)
        return CS_FAIL(error, CS_E_USAGE, "patients and doctors are invited, nobody else");
    rc = cs_episode_alloc(&episode, me, error);
    if (rc == CS_OK)
        rc = cs_letter_open(&invitation, &plain, me, letter, error);
    if (rc == CS_OK)
        rc = take_letter(episode, env, &invitation, error);
    if (rc != CS_OK)
        cs_episode_free(&episode);
    cs_buf_free(&plain);
    *out = episode;
    return rc;
}

cs_episode_part *cs_episode_part_of(cs_episode *episode, uint64_t slot)
{
    return &episode->parts[slot - 1];
}

cs_view cs_episode_previous(const cs_episode *episode, uint64_t slot)
{
    if (slot == CS_SLOT_REPORT)
        return (cs_view){0};
    return CS_VIEW_ARRAY(episode->parts[slot - 2].h_statement);
}

const cs_credential *cs_episode_party(const cs_episode *episode, cs_role role)
{
    switch (role) {
    case CS_ROLE_PATIENT:
        return &episode->patient;
    case CS_ROLE_DOCTOR:
        return &episode->doctor;
    case CS_ROLE_HOSPITAL:
        return &episode->hospital;
    case CS_ROLE_CLOUD:
        return &episode->cloud;
    }
    return NULL;
}

const char *cs_episode_url(const cs_episode *episode)
{
    return episode->url;
}

int64_t cs_episode_ends(const cs_episode *episode)
{
    return episode->ends;
}

const uint8_t *cs_episode_place(const cs_episode *episode, cs_slot slot)
{
    return episode->places[slot - 1];
}

int64_t cs_episode_time(const cs_episode *episode, cs_slot slot)
{
    if (slot > CS_SLOT_DIAGNOSIS || !episode->parts[slot - 1].known)
        return 0;
    return episode->parts[slot - 1].part.time;
}
