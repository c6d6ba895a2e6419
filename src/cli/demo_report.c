/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include "cli/output.h"
#include "service/http_client.h"
#include "service/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define METRIC "chartseal_token_operations_total{procedure=\"%63[^\"]\",operation=\"%31[^\"]\"} %n"
#define LOOK_MS 20
#define READ_SIZE 65536

void demo_tell(demo *me, const char *parties, const char *what, const char *proved)
{
    if (me->quiet)
        return;
    cs_say("%2u  %s: %s", ++me->steps, parties, what);
    if (proved != NULL)
        cs_say("    proved: %s", proved);
}

/* "sign 2, agree 1", after `used` bytes of something else. */
static void print_ops(char *text, size_t size, size_t used, json_t *ops)
{
    const char *name;
    json_t *value;

    json_object_foreach(ops, name, value)
    {
        if (json_integer_value(value) > 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s %lld", used == 0 ? "" : ", ",
                name, (long long)json_integer_value(value));
    }
}

void demo_tell_ops(const demo *me, const char *party, json_t *ops)
{
    char text[256] = "";

    if (me->quiet || ops == NULL)
        return;
    print_ops(text, sizeof text, 0, ops);
    cs_say("    token of the %s: %s", party, text[0] == '\0' ? "not used" : text);
}

void demo_tell_made(const demo *me, const char *party, const json_t *answer)
{
    char text[256];
    size_t keys = json_object_size(json_object_get(answer, "keys"));
    int n = snprintf(text, sizeof text, "%zu key%s made", keys, keys == 1 ? "" : "s");

    if (me->quiet)
        return;
    print_ops(text, sizeof text, (size_t)n, json_object_get(answer, "token_ops"));
    cs_say("    token of the %s: %s", party, text);
}

/* -- services ------------------------------------------------------------------------------------
 */

static int get(uint16_t port, const char *path, cs_http_reply *reply, cs_error *error)
{
    cs_http_client *client = NULL;
    char url[64];
    int rc;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)port);
    rc = cs_http_client_new(&client, url, NULL, error);
    if (rc == CS_OK)
        rc = cs_http_get(client, reply, path, error);
    cs_http_client_free(&client);
    return rc;
}

static void add_sample(cs_op_counts *out, const char *operation, double value)
{
    const struct {
        const char *name;
        uint64_t *count;
    } members[] = {{"sign", &out->sign}, {"agree", &out->agree}, {"scalar_mul", &out->scalar_mul},
        {"issue", &out->issue}, {"prf", &out->prf}};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(members[i].name, operation) == 0)
            *members[i].count += (uint64_t)value;
    }
}

int demo_service_ops(cs_op_counts *out, uint16_t port, const char *procedure, cs_error *error)
{
    cs_http_reply reply = {0};
    char *rest = NULL;
    char *line;
    int rc = get(port, "/metrics", &reply, error);

    *out = (cs_op_counts){0};
    if (rc == CS_OK)
        rc = cs_buf_append(&reply.body, (cs_view){(const uint8_t *)"", 1}, error);
    if (rc != CS_OK)
        goto out;
    for (line = strtok_r((char *)reply.body.p, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[64];
        char operation[32];
        int n = 0;

        if (sscanf(line, METRIC, name, operation, &n) == 2 && n > 0 && strcmp(name, procedure) == 0)
            add_sample(out, operation, strtod(line + n, NULL));
    }
out:
    cs_http_reply_free(&reply);
    return rc;
}

int demo_wait_healthy(demo *me, const demo_child *child, uint16_t port, cs_error *error)
{
    int64_t deadline = cs_deadline_in(DEMO_STEP_MS);

    for (;;) {
        cs_http_reply reply = {0};
        int rc = get(port, "/healthz", &reply, error);
        bool healthy = rc == CS_OK && reply.status == 200;

        cs_http_reply_free(&reply);
        if (healthy)
            return CS_OK;
        if (cs_monotonic_ms() > deadline)
            return CS_FAIL(error, CS_E_TIMEOUT, "%s does not become healthy", child->name);
        rc = cs_wait_fd(me->stop_fd, 0, cs_deadline_in(LOOK_MS), me->stop_fd, error);
        if (rc != CS_E_TIMEOUT)
            return rc;
    }
}

/* -- files ---------------------------------------------------------------------------------------
 */

static int hash_file(const char *path, uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    static uint8_t room[READ_SIZE];
    cs_hasher *hasher = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    int rc;

    if (fd < 0)
        return CS_FAIL(error, CS_E_NO_FILE, "%s cannot be opened: %s", path, strerror(errno));
    rc = cs_hasher_new(&hasher, error);
    while (rc == CS_OK && n > 0) {
        n = read(fd, room, sizeof room);
        if (n > 0)
            rc = cs_hasher_add(hasher, (cs_view){room, (size_t)n}, error);
        else if (n < 0)
            rc = CS_FAIL(error, CS_E_STORAGE, "%s: %s", path, strerror(errno));
    }
    if (rc == CS_OK)
        rc = cs_hasher_finish(hasher, hash, error);
    cs_hasher_free(&hasher);
    (void)close(fd);
    return rc;
}

int demo_compare(
    json_t **out, const char *what, const char *sent, const char *received, cs_error *error)
{
    uint8_t before[CS_HASH_SIZE];
    uint8_t after[CS_HASH_SIZE];
    int rc = hash_file(sent, before, error);

    if (rc == CS_OK)
        rc = hash_file(received, after, error);
    if (rc != CS_OK)
        return rc;
    if (memcmp(before, after, sizeof before) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "the %s did not arrive as it was sent", what);
    *out = json_pack("{s:o, s:o}", "sent_sha256", cs_hex_json(CS_VIEW_ARRAY(before)),
        "received_sha256", cs_hex_json(CS_VIEW_ARRAY(after)));
    return *out == NULL ? CS_FAIL(error, CS_E_MEMORY, "no memory for a report") : CS_OK;
}

/* -- the end -------------------------------------------------------------------------------------
 */

void demo_count_wire(demo *me, const json_t *answer)
{
    const json_t *wire = json_object_get(answer, "wire");

    me->messages += (uint64_t)json_integer_value(json_object_get(wire, "messages"));
    me->bytes += (uint64_t)json_integer_value(json_object_get(wire, "bytes"));
}

/* Only what the audit has seen is claimed: s and every PRK were made in their tokens. An S_X comes
 * from outside by its nature, so how each is held is said. */
static void say_custody(const demo *me)
{
    size_t others = 0;
    size_t inside = 0;
    size_t lifted = 0;
    size_t sealed = 0;
    size_t loaded = 0;
    size_t i;
    const json_t *key;

    json_array_foreach(me->keys, i, key)
    {
        const char *delivery = json_string_value(json_object_get(key, "delivery"));
        const char *use = json_string_value(json_object_get(key, "use"));
        bool is_loaded =
            strcmp(delivery, "imported") == 0 && strcmp(use, cs_use_name(CS_USE_SCALAR)) == 0;

        loaded += is_loaded;
        inside += strcmp(delivery, "wrapped") == 0 || strcmp(delivery, "duplicated") == 0;
        lifted += strcmp(delivery, "lifted") == 0;
        sealed += strcmp(delivery, "sealed") == 0;
        others += (strcmp(delivery, "imported") == 0 && !is_loaded) ||
                  (strcmp(delivery, "generated") == 0 &&
                      !json_is_true(json_object_get(key, "never_extractable")));
    }
    if (others == 0)
        cs_say("The cloud's s and every PRK were made in their tokens and have never left them.");
    if (inside > 0)
        cs_say("%zu S_X wrapped or duplicated: opened in the token, never in the memory of its "
               "party.",
            inside);
    if (lifted > 0)
        cs_say("%zu S_X lifted: in the token now, and once, at the registration, in the memory of "
               "its party.",
            lifted);
    if (loaded > 0)
        cs_say("%zu S_X imported: in a retired slot of the card now, and once in the memory of its "
               "desk.",
            loaded);
    if (sealed > 0)
        cs_say("%zu S_X sealed to a key in the token: in the memory of its party for each use.",
            sealed);
}

int demo_print(demo *me, double seconds, cs_error *error)
{
    if (me->quiet)
        return cs_print_json(
            json_pack("{s:b, s:s, s:O, s:O?, s:O, s:O, s:O, s:O, s:O, s:{s:I, s:I}, s:f}", "ok", 1,
                "suite", me->suite, "record", me->record_report, "signal", me->signal_report,
                "diagnosis", me->diagnosis_report, "keys", me->keys, "token_ops", me->visit,
                "registration_ops", me->registration, "filing_ops", me->filing, "wire", "messages",
                (json_int_t)me->messages, "bytes", (json_int_t)me->bytes, "seconds", seconds),
            error);
    demo_tell_end(me, seconds);
    return CS_OK;
}

void demo_tell_end(const demo *me, double seconds)
{
    cs_say("\nDone in %.1f seconds: %llu messages, %llu bytes on the wire.", seconds,
        (unsigned long long)me->messages, (unsigned long long)me->bytes);
    say_custody(me);
    if (!me->temporary)
        cs_say("Everything is in %s.", me->dir);
}
