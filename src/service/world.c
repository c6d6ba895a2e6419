/* SPDX-License-Identifier: Apache-2.0 */
#include "service/home.h"

#include <time.h>

#define REVOCATIONS_NAME "revocations.cbor"
#define REVOCATIONS_MAX (8 * (size_t)CS_REVOKED_MAX + 1024)

int64_t cs_clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int ask_seen(
    void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh, cs_error *error)
{
    cs_world *world = context;

    return cs_store_seen(world->store, hash, world->env.now, until, fresh, error);
}

bool cs_world_knows_revoked(const cs_world *world)
{
    return world->is_cloud ||
           (world->revocations_bytes.n > 0 && (int64_t)world->revocations.next > world->env.now);
}

/* Without a list that is in its dates nobody is believed not to be revoked. */
static int ask_revoked(void *context, uint64_t serial, bool *revoked, cs_error *error)
{
    const cs_world *world = context;

    *revoked = true;
    if (world->is_cloud)
        return cs_store_is_revoked(world->store, serial, revoked, error);
    if (!cs_world_knows_revoked(world))
        return CS_FAIL(error, CS_E_LISTS,
            "this side's list of revoked credentials is missing or too old; see that the cloud can "
            "be reached for a new one");
    *revoked = cs_revocations_have(&world->revocations, serial);
    return CS_OK;
}

/* A list past its dates is as good as none. */
static int load_revocations(cs_world *world, const cs_actor *actor, cs_error *error)
{
    cs_buf *bytes = &world->revocations_bytes;
    int rc = cs_home_read(actor->home, REVOCATIONS_NAME, REVOCATIONS_MAX, bytes, error);

    if (rc == CS_OK)
        rc = cs_revocations_open(
            &world->revocations, &actor->cloud, cs_view_buf(bytes), world->env.now, error);
    if (rc == CS_E_LISTS || rc == CS_E_NO_FILE) {
        cs_buf_free(bytes);
        return CS_OK;
    }
    return rc;
}

int cs_world_open(cs_world *out, const cs_actor *actor, cs_store *store, cs_error *error)
{
    int rc = CS_OK;

    *out = (cs_world){
        .env = {.delta_t = CS_DELTA_T_DEFAULT,
            .trust = actor->trust,
            .tpm_makers = actor->tpm_makers,
            .seen = ask_seen,
            .revoked = ask_revoked,
            .context = out},
        .store = store,
        .is_cloud = actor->home->kind == CS_HOME_CLOUD,
    };
    cs_world_tick(out);
    if (!out->is_cloud)
        rc = load_revocations(out, actor, error);
    if (rc != CS_OK)
        cs_world_close(out);
    return rc;
}

void cs_world_close(cs_world *world)
{
    cs_buf_free(&world->revocations_bytes);
    world->revocations = (cs_revocations){0};
}

void cs_world_tick(cs_world *world)
{
    world->env.now = cs_clock_ms();
}

int cs_world_revocations(cs_world *world, const cs_actor *actor, cs_view bytes, cs_error *error)
{
    cs_buf copy = {0};
    cs_revocations list;
    int rc;

    cs_world_tick(world);
    rc = cs_buf_append(&copy, bytes, error);
    if (rc == CS_OK)
        rc = cs_revocations_open(&list, &actor->cloud, cs_view_buf(&copy), world->env.now, error);
    /* Somebody may hold back the newer list and show an older one: ours stays. */
    if (rc == CS_OK && (world->revocations_bytes.n == 0 || list.time > world->revocations.time)) {
        rc = cs_home_write(actor->home, REVOCATIONS_NAME, bytes, error);
        if (rc == CS_OK) {
            cs_buf_free(&world->revocations_bytes);
            world->revocations_bytes = copy;
            world->revocations = list;
            copy = (cs_buf){0};
        }
    }
    cs_buf_free(&copy);
    return rc;
}
