/* SPDX-License-Identifier: Apache-2.0 */
#include "service/register_client.h"

#include "service/actor.h"
#include "service/own_scalar.h"
#include "service/visit_exchange.h"

/* What came back, until it is kept. */
typedef struct issued {
    cs_credential credential;
    cs_key *scalar;
    cs_buf sealed;
} issued;

static void hand_over(cs_actor *actor, issued *got)
{
    cs_key_close(&actor->scalar);
    actor->scalar = got->scalar;
    got->scalar = NULL;
    actor->credential = got->credential;
    actor->party.scalar = actor->scalar;
    actor->party.credential = &actor->credential;
}

static int exchange(cs_actor *actor, cs_peer *cloud, cs_world *world,
    const cs_registering_input *input, issued *got, cs_error *error)
{
    cs_registering *registering = NULL;
    cs_buf r1 = {0};
    cs_buf r2 = {0};
    int rc;

    cs_world_tick(world);
    rc = cs_registering_begin(&registering, &actor->party, &world->env, input, &r1, error);
    if (rc == CS_OK)
        rc = cs_peer_ask(cloud, "/v1/register", "R1", cs_view_buf(&r1), "R2", &r2, error);
    cs_world_tick(world);
    if (rc == CS_OK)
        rc = cs_registering_finish(registering, &world->env, cs_view_buf(&r2), &got->credential,
            &got->scalar, &got->sealed, error);
    cs_registering_free(&registering);
    cs_buf_free(&r1);
    cs_buf_free(&r2);
    return rc;
}

int cs_register_client(cs_home *home, cs_actor *actor, const char *cloud_url, cs_role role,
    cs_view binding, cs_view code, cs_wire_log *log, cs_error *error)
{
    char label[CS_LABEL_MAX + 1];
    char path[CS_PATH_MAX];
    const cs_registering_input input = {.role = role,
        .id = home->id,
        .binding = binding,
        .code = code,
        .token = actor->token,
        .label = label};
    cs_store *store = NULL;
    cs_world world = {0};
    cs_peer cloud = {0};
    issued got = {0};
    int rc;

    cs_home_key_label(home, "scalar", label);
    cs_home_path(home, "chartseal.db", path);
    rc = cs_store_open(&store, path, error);
    if (rc == CS_OK)
        rc = cs_world_open(&world, actor, store, error);
    if (rc == CS_OK)
        rc = cs_peer_open(&cloud, cloud_url, cs_home_kind_name(home->kind), "cloud", log, error);
    if (rc == CS_OK)
        rc = cs_fetch_revocations(&cloud, &world, actor, error);
    if (rc == CS_OK && actor->party.credential != NULL)
        rc = cs_own_scalar_settle(home, actor->token, actor->scalar, &actor->credential.y, error);
    if (rc == CS_OK)
        rc = exchange(actor, &cloud, &world, &input, &got, error);
    if (rc == CS_OK)
        rc = cs_own_scalar_keep(home, &got.credential, got.scalar, cs_view_buf(&got.sealed), error);
    if (rc == CS_OK)
        rc = cs_own_scalar_settle(home, actor->token, got.scalar, &got.credential.y, error);
    if (rc == CS_OK)
        hand_over(actor, &got);
    cs_key_close(&got.scalar);
    cs_buf_free(&got.sealed);
    cs_peer_close(&cloud);
    cs_world_close(&world);
    cs_store_close(&store);
    return rc;
}
