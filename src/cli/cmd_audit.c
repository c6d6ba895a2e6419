/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/audit_fhir.h"
#include "service/server_common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_log(
    cs_home **home, cs_store **store, const cs_arguments *arguments, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = cs_home_open_any(home, cs_arg(arguments, "dir"), error);

    if (rc == CS_OK && (*home)->kind != CS_HOME_CLOUD && (*home)->kind != CS_HOME_HOSPITAL &&
        (*home)->kind != CS_HOME_TELECARE)
        rc = CS_FAIL(error, CS_E_USAGE, "a %s keeps no audit log; name a cloud's or a hospital's",
            cs_home_kind_name((*home)->kind));
    if (rc == CS_OK) {
        cs_home_path(*home, "chartseal.db", path);
        rc = cs_store_open(store, path, error);
    }
    return rc;
}

/* PUK sign of whose log it is: from cloud.cbor, or from the hospital's credential. No token. */
static int owner_key(uint8_t puk[CS_PUK_SIZE], const cs_home *home, cs_error *error)
{
    cs_buf bytes = {0};
    cs_cloud cloud;
    int rc = cs_home_read(home, "cloud.cbor", CS_MESSAGE_MAX, &bytes, error);

    if (rc == CS_OK)
        rc = cs_cloud_parse(&cloud, cs_view_buf(&bytes), error);
    if (rc == CS_OK && home->kind == CS_HOME_CLOUD) {
        memcpy(puk, cloud.puk_sign, CS_PUK_SIZE);
    } else if (rc == CS_OK) {
        cs_credential own;

        cs_buf_clear(&bytes);
        rc = cs_home_read(home, "credential.cbor", CS_CREDENTIAL_MAX, &bytes, error);
        if (rc == CS_OK)
            rc = cs_credential_parse(&own, &cloud, cs_view_buf(&bytes), error);
        if (rc == CS_OK)
            memcpy(puk, own.puk_sign, CS_PUK_SIZE);
    }
    cs_buf_free(&bytes);
    return rc;
}

static int print_report(
    const cs_audit_report *report, const cs_arguments *arguments, cs_error *error)
{
    unsigned long long open = report->entries - report->sealed;
    char head[CS_AUDIT_HEAD_TEXT_SIZE];

    cs_audit_head_print(&report->head, head);
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:I, s:I, s:I, s:s}", "ok", 1, "entries",
                                 (json_int_t)report->entries, "seals", (json_int_t)report->seals,
                                 "sealed", (json_int_t)report->sealed, "head", head),
            error);
    cs_say("%llu entries, each follows the one before it; %llu seals are good",
        (unsigned long long)report->entries, (unsigned long long)report->seals);
    if (open > 0)
        cs_say("the last %llu have no seal yet", open);
    cs_say("head %s", head);
    return CS_OK;
}

/* A log that nobody has written to yet may have no mark. */
static int verify(cs_audit_report *report, const cs_home *home, cs_store *store,
    const cs_audit_head *expected, cs_error *error)
{
    char path[CS_PATH_MAX];
    uint8_t puk[CS_PUK_SIZE];
    cs_audit_head mark = {0};
    bool marked = true;
    int rc = owner_key(puk, home, error);

    cs_home_path(home, CS_AUDIT_MARK_NAME, path);
    if (rc == CS_OK) {
        rc = cs_audit_mark_read(&mark, path, CS_VIEW_ARRAY(puk), error);
        marked = rc != CS_E_NO_FILE;
        rc = marked ? rc : CS_OK;
    }
    if (rc == CS_OK)
        rc = cs_audit_verify(report, store, CS_VIEW_ARRAY(puk), &mark, expected, error);
    if (rc == CS_OK && !marked && report->entries > 0)
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "%s is missing but the audit log has entries; find out who removed it", path);
    return rc;
}

static int run_verify(const cs_arguments *arguments, cs_error *error)
{
    const char *text = cs_arg(arguments, "expect-head");
    cs_audit_head expected;
    cs_home *home = NULL;
    cs_store *store = NULL;
    cs_audit_report report;
    int rc = text == NULL ? CS_OK : cs_audit_head_parse(&expected, text, error);

    if (rc == CS_OK)
        rc = open_log(&home, &store, arguments, error);
    if (rc == CS_OK)
        rc = verify(&report, home, store, text == NULL ? NULL : &expected, error);
    if (rc == CS_OK)
        rc = print_report(&report, arguments, error);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

/* -- adopt ---------------------------------------------------------------------------------------
 */

/* What the log says of it: where the log that was sealed before had come to. */
static void describe_adoption(cs_decision *decision, const cs_server *server)
{
    char path[CS_PATH_MAX];
    char head[CS_AUDIT_HEAD_TEXT_SIZE] = "an unknown head";
    const cs_key_info *info = cs_key_describe(server->actor->sign);
    cs_audit_head mark;

    cs_home_path(server->home, CS_AUDIT_MARK_NAME, path);
    if (cs_audit_mark_read(&mark, path, (cs_view){info->public_key, info->public_key_size}, NULL) ==
        CS_OK)
        cs_audit_head_print(&mark, head);
    *decision = (cs_decision){.action = "audit-adopt"};
    (void)snprintf(decision->who, sizeof decision->who, "%s", server->home->id);
    (void)snprintf(decision->detail, sizeof decision->detail, "sealed before up to %s", head);
}

static int run_adopt(const cs_arguments *arguments, cs_error *error)
{
    cs_home *home = NULL;
    cs_store *store = NULL;
    cs_server *server = NULL;
    cs_worker *worker = NULL;
    cs_decision decision;
    int rc = open_log(&home, &store, arguments, error);

    if (rc == CS_OK)
        rc = cs_server_open(&server, home, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&worker, server, error);
    if (rc == CS_OK) {
        describe_adoption(&decision, server);
        rc = cs_decision_adopt(&decision, worker, error);
    }
    if (rc == CS_OK)
        cs_say("the audit log is sealed as it is; start the service again if it runs");
    cs_worker_close(&worker);
    cs_server_close(&server);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

/* -- export --------------------------------------------------------------------------------------
 */

/* The file is new, or the export does not begin: it holds identities, and is for its owner alone.
 * *out stays NULL unless the file was made here, so that the caller unlinks no other. */
static int make_output(FILE **out, const char *path, cs_error *error)
{
    int fd;

    *out = NULL;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return CS_FAIL(error, errno == EEXIST ? CS_E_EXISTS : CS_E_STORAGE,
            "%s cannot be made: %s; name another --out", path, strerror(errno));
    *out = fdopen(fd, "w");
    if (*out == NULL) {
        (void)close(fd);
        (void)unlink(path);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for %s", path);
    }
    return CS_OK;
}

/* The whole export in a file of that name, or no such file. */
static int export_to_file(const char *path, cs_store *store, const cs_actor *actor,
    cs_audit_exported *exported, cs_error *error)
{
    FILE *out;
    int rc = make_output(&out, path, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_audit_export(out, store, actor->storage, actor->home->id, exported, error);
    if (fclose(out) != 0 && rc == CS_OK)
        rc = CS_FAIL(error, CS_E_DISK_FULL, "%s cannot be written: %s", path, strerror(errno));
    if (rc != CS_OK)
        (void)unlink(path);
    return rc;
}

static int print_exported(const cs_audit_exported *exported, const char *path,
    const cs_arguments *arguments, cs_error *error)
{
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:I, s:I}", "ok", 1, "file", path, "entries",
                (json_int_t)exported->entries, "unreadable", (json_int_t)exported->unreadable),
            error);
    cs_say("%llu entries in %s", (unsigned long long)exported->entries, path);
    return CS_OK;
}

/* The log of a home whose token was lost, after its storage key came back into this one. */
static int open_other(cs_store **store, const char *database, cs_error *error)
{
    cs_store_close(store);
    if (access(database, F_OK) != 0) /* or it would be made */
        return CS_FAIL(error, CS_E_NO_FILE, "%s cannot be read: %s", database, strerror(errno));
    return cs_store_open(store, database, error);
}

static int run_export(const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "out");
    const char *database = cs_arg(arguments, "database");
    cs_home *home = NULL;
    cs_store *store = NULL;
    cs_actor *actor = NULL;
    cs_audit_exported exported;
    int rc = CS_OK;

    if (path != NULL && cs_is_stdout(path))
        path = NULL;
    if (rc == CS_OK && path == NULL && cs_arg_flag(arguments, "json"))
        rc = CS_FAIL(error, CS_E_USAGE, "--json needs --out FILE: the export is JSON by itself");
    if (rc == CS_OK)
        rc = open_log(&home, &store, arguments, error);
    if (rc == CS_OK && database != NULL)
        rc = open_other(&store, database, error);
    if (rc == CS_OK)
        rc = cs_actor_open(&actor, home, true, error);
    if (rc == CS_OK && path == NULL)
        rc = cs_audit_export(stdout, store, actor->storage, home->id, &exported, error);
    else if (rc == CS_OK)
        rc = export_to_file(path, store, actor, &exported, error);
    if (rc == CS_OK && path != NULL)
        rc = print_exported(&exported, path, arguments, error);
    if (rc == CS_OK && exported.unreadable > 0)
        cs_warn("%llu entries cannot be read and are marked \"" CS_AUDIT_UNREADABLE
                "\"; see `chartseal audit verify`",
            (unsigned long long)exported.unreadable);
    cs_actor_free(&actor);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

static const cs_option verify_options[] = {
    CS_DIR_OPTION,
    {"expect-head", "NUMBER:HASH", false, "a head printed before, which the log must lead through"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option adopt_options[] = {CS_DIR_OPTION, CS_OPTIONS_END};

static const cs_option export_options[] = {
    CS_DIR_OPTION,
    {"out", "FILE", false, "a new file (mode 0600); else standard output"},
    {"database", "FILE", false,
        "the log in this chartseal.db: of a home whose token was lost, before `hospital recover`"},
    {"json", NULL, false, "with --out: how many entries there are, as a JSON object"},
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"verify", "recompute the chain of the log and check its seals; needs no token", verify_options,
        "--dir cloud", run_verify},
    {"adopt", "after a backup was restored: seal the log as it is now, and note that in it",
        adopt_options, "--dir cloud", run_adopt},
    {"export", "the log as a FHIR R4 Bundle of AuditEvent; it names people", export_options,
        "--dir cloud --out audit.json", run_export},
    {0},
};

const cs_group cs_audit_group = {"audit", "the audit log of a cloud or a hospital", verbs};
