/* SPDX-License-Identifier: Apache-2.0 */
/* PUP, TP and CP: patient and doctor answer what they have read. */
#include "protocol/telecare.h"

/* Who writes a slot, and what has to be known before. */
static int check_may_write(
    cs_episode *episode, const cs_env *env, cs_slot slot, uint64_t known, cs_error *error)
{
    const cs_slot_rule *rule = cs_slot_rule_of(slot);

    if (episode->role != rule->author)
        return CS_FAIL(error, CS_E_USAGE, "a %s is written by the %s, not by the %s", rule->name,
            cs_role_name(rule->author), cs_role_name(episode->role));
    for (uint64_t before = 1; before <= known; before++) {
        if (!cs_episode_part_of(episode, before)->known)
            return CS_FAIL(error, CS_E_ORDER, "the %s has to be read before a %s is written",
                cs_slot_rule_of(before)->name, rule->name);
    }
    return cs_episode_check_end(episode, env, error);
}

/* The one signature of the procedure. */
static int sign_and_write(cs_writing **out, cs_episode *episode, const cs_env *env, cs_slot slot,
    const cs_content *content, cs_error *error)
{
    cs_episode_part part = {0};
    int rc = check_may_write(episode, env, slot, slot - 1, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_statement_sign(&part, episode, env, slot, content, error);
    if (rc == CS_OK)
        rc = cs_writing_new(out, episode, slot, &part, error);
    cs_episode_part_free(&part);
    return rc;
}

int cs_pup_new(cs_writing **out, cs_episode *episode, const cs_env *env, const cs_content *content,
    cs_error *error)
{
    return sign_and_write(out, episode, env, CS_SLOT_MEASUREMENT, content, error);
}

int cs_tp_new(cs_writing **out, cs_episode *episode, const cs_env *env, const cs_content *content,
    cs_error *error)
{
    return sign_and_write(out, episode, env, CS_SLOT_DIAGNOSIS, content, error);
}

/* All three have their signatures, so the copy needs none. */
int cs_cp_new(cs_writing **out, cs_episode *episode, const cs_env *env, cs_error *error)
{
    int rc = check_may_write(episode, env, CS_SLOT_COPY, CS_SIGNED_SLOTS, error);

    *out = NULL;
    return rc == CS_OK ? cs_writing_new(out, episode, CS_SLOT_COPY, NULL, error) : rc;
}
