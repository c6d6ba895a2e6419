/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_hospital_recover.h"

#include "cli/cmd_hospital_records.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/hospital_recover.h"

static int print_recovered(const cs_recovered *r, const cs_arguments *arguments, cs_error *error)
{
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:I, s:I, s:I, s:s, s:o}", "ok", 1, "records", (json_int_t)r->records,
                "there", (json_int_t)r->there, "notices", (json_int_t)r->notices, "old_head",
                r->old_head, "token_ops", cs_ops_json(cs_ops_of_thread())),
            error);
    cs_say("%llu records taken over and signed anew, %llu were there; `hospital serve` publishes "
           "them",
        (unsigned long long)r->records, (unsigned long long)r->there);
    cs_say("notices to patients taken over: %llu", (unsigned long long)r->notices);
    cs_say("the audit log of before ends at %s; keep it", r->old_head);
    return CS_OK;
}

int cs_run_hospital_recover(const cs_arguments *arguments, cs_error *error)
{
    cs_opened_hospital opened = {0};
    cs_recovered recovered;
    int rc = cs_open_hospital(&opened, arguments, error);

    if (rc == CS_OK)
        rc = cs_actor_wants_registration(opened.hospital->server->actor, error);
    if (rc == CS_OK)
        rc = cs_hpc_recover(
            opened.hospital, opened.worker, cs_arg(arguments, "database"), &recovered, error);
    if (rc == CS_OK) {
        cs_server_seal(opened.hospital->server, opened.worker);
        rc = print_recovered(&recovered, arguments, error);
    }
    cs_close_hospital(&opened);
    return rc;
}

const cs_option cs_recover_options[] = {
    CS_DIR_OPTION,
    {"database", "FILE", true, "chartseal.db of the home whose token was lost, or a copy of it"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
