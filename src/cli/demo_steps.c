/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include "cli/output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define URL_MAX 64
#define DOCTOR_NAME "Dr. Demo Doctor"

/* -- founding ------------------------------------------------------------------------------------
 */

cs_home_kind demo_last_party(const demo *me)
{
    return me->telecare ? CS_HOME_TELECARE : CS_HOME_PATIENT;
}

/* argv[0] is "cloud", behind which the verbs of one kind of party stand, argv[1] that kind. */
static const char *const *call_of(cs_home_kind kind, const char *const argv[])
{
    return kind == CS_HOME_TELECARE ? argv : argv + 1;
}

static int make_soft_token(demo *me, cs_home_kind kind, cs_error *error)
{
    char label[CS_LABEL_MAX];
    char so_pin[CS_PATH_MAX];
    char pin[CS_PATH_MAX];
    const char *argv[] = {"token", "init", "--module", me->module, "--label", label,
        "--so-pin-file", so_pin, "--pin-file", pin, "--json", NULL};

    (void)snprintf(label, sizeof label, "demo-%s", cs_home_kind_name(kind));
    demo_path(me, kind, "so-pin", so_pin);
    demo_path(me, kind, "pin", pin);
    return demo_run(me, "token init", argv, DEMO_STEP_MS, NULL, error);
}

static int make_token(demo *me, cs_home_kind kind, cs_error *error)
{
    if (demo_has_card(me, kind))
        return demo_start_card(me, error);
    return demo_has_tpm(me, kind) ? demo_start_tpm(me, kind, error)
                                  : make_soft_token(me, kind, error);
}

static int make_tokens(demo *me, cs_error *error)
{
    const char *tpms = demo_has_tpm(me, CS_HOME_CLOUD) ? "the cloud and the patient a TPM each, "
                       : demo_has_tpm(me, CS_HOME_PATIENT) ? "the patient a TPM, "
                                                           : "";
    const char *card = demo_has_card(me, CS_HOME_DOCTOR) ? "the doctor a blank card, " : "";
    char what[160] = "gets a fresh token of SoftHSM, with a PIN of its own";
    int rc = CS_OK;

    if (tpms[0] != '\0' || card[0] != '\0')
        (void)snprintf(what, sizeof what,
            "gets a fresh token, %s%sthe others one of SoftHSM with a PIN of its own", tpms, card);
    for (int kind = CS_HOME_AUTHORITY; rc == CS_OK && kind <= (int)demo_last_party(me); kind++)
        rc = make_token(me, (cs_home_kind)kind, error);
    if (rc == CS_OK)
        demo_tell(me, "everybody", what, NULL);
    if (rc == CS_OK && !me->quiet)
        cs_say("    token of each: initialised, no key yet");
    return rc;
}

static int found_authority(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char uri[CS_URI_MAX];
    char pin[CS_PATH_MAX];
    const char *const argv[] = {"authority", "init", "--dir", dir, "--name", "Demo Medical Board",
        "--token", uri, "--pin-file", pin, "--json", NULL};
    json_t *answer = NULL;
    int rc;

    demo_path(me, CS_HOME_AUTHORITY, "", dir);
    demo_path(me, CS_HOME_AUTHORITY, "pin", pin);
    demo_token_uri(me, CS_HOME_AUTHORITY, uri);
    rc = demo_run(me, "authority init", argv, DEMO_STEP_MS, &answer, error);
    if (rc == CS_OK) {
        demo_tell(me, "medical authority",
            "makes its key in its token, its certificate and a revocation list", NULL);
        demo_tell_made(me, "authority", answer);
    }
    json_decref(answer);
    return rc;
}

static int found_cloud(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char uri[CS_URI_MAX];
    char pin[CS_PATH_MAX];
    char ca[CS_PATH_MAX];
    char crl[CS_PATH_MAX];
    char port_file[CS_PATH_MAX];
    const char *const init[] = {"cloud", "init", "--dir", dir, "--id", DEMO_CLOUD_ID, "--token",
        uri, "--pin-file", pin, "--suite", me->suite, "--authority", ca, "--crl", crl, "--json",
        NULL};
    const char *const serve[] = {
        "cloud", "serve", "--dir", dir, "--listen", "127.0.0.1:0", "--port-file", port_file, NULL};
    json_t *answer = NULL;
    int rc;

    demo_path(me, CS_HOME_CLOUD, "", dir);
    demo_path(me, CS_HOME_CLOUD, "pin", pin);
    demo_path(me, CS_HOME_CLOUD, "port", port_file);
    demo_path(me, CS_HOME_AUTHORITY, "certificate.pem", ca);
    demo_path(me, CS_HOME_AUTHORITY, "crl.pem", crl);
    demo_token_uri(me, CS_HOME_CLOUD, uri);
    rc = demo_run(me, "cloud init", init, DEMO_STEP_MS, &answer, error);
    if (rc == CS_OK)
        rc = demo_start(me, &me->cloud, "cloud serve", serve, error);
    if (rc == CS_OK)
        rc = demo_wait_port(me, &me->cloud, port_file, &me->cloud_port, error);
    if (rc == CS_OK)
        rc = demo_wait_healthy(me, &me->cloud, me->cloud_port, error);
    if (rc == CS_OK) {
        demo_tell(me, "public cloud",
            "makes the master key s and its other keys in its token, and serves", NULL);
        demo_tell_made(me, "cloud", answer);
    }
    json_decref(answer);
    return rc;
}

/* A hospital tells its address when it is founded, so its port is taken here and held until it
 * serves itself. */
static int reserve_port(demo *me, cs_error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1;

    me->reserved = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (me->reserved < 0 ||
        setsockopt(me->reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(me->reserved, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(me->reserved, (struct sockaddr *)&address, &size) != 0)
        return CS_FAIL(error, CS_E_NETWORK, "no port for the hospital: %s", strerror(errno));
    me->hospital_port = ntohs(address.sin_port);
    return CS_OK;
}

/* `init` of a party that takes part in the cloud; `more`: two further options, ended by NULL. In a
 * TPM the patient's keys are under the passphrase. */
static int init_member(demo *me, cs_home_kind kind, const char *id, const char *const more[4],
    json_t **answer, cs_error *error)
{
    char name[48];
    char dir[CS_PATH_MAX];
    char uri[CS_URI_MAX];
    char pin[CS_PATH_MAX];
    char cloud[CS_PATH_MAX];
    char ca[CS_PATH_MAX];
    char crl[CS_PATH_MAX];
    bool biometric = kind == CS_HOME_PATIENT && demo_has_tpm(me, kind);
    const char *argv[] = {"cloud", cs_home_kind_name(kind), "init", "--dir", dir, "--id", id,
        "--token", uri, biometric ? "--passphrase-file" : "--pin-file", pin, "--cloud-file", cloud,
        "--authority", ca, "--crl", crl, "--json", more[0], more[1], more[2], more[3], NULL};

    (void)snprintf(name, sizeof name, "%s init", cs_home_kind_name(kind));
    demo_path(me, kind, "", dir);
    demo_path(me, kind, biometric ? DEMO_PASSPHRASE : "pin", pin);
    demo_path(me, CS_HOME_CLOUD, "cloud.cbor", cloud);
    demo_path(me, CS_HOME_AUTHORITY, "certificate.pem", ca);
    demo_path(me, CS_HOME_AUTHORITY, "crl.pem", crl);
    demo_token_uri(me, kind, uri);
    return demo_run(me, name, call_of(kind, argv), DEMO_STEP_MS, answer, error);
}

static int found_members(demo *me, cs_error *error)
{
    char listen[URL_MAX];
    char url[URL_MAX];
    const char *const hospital[] = {"--listen", listen, "--url", url};
    const char *const doctor[] = {
        "--name", DOCTOR_NAME, demo_has_card(me, CS_HOME_DOCTOR) ? "--adopt-keys" : NULL, NULL};
    const char *const patient[] = {NULL, NULL, NULL, NULL};
    json_t *answers[4] = {NULL, NULL, NULL, NULL};
    int rc = reserve_port(me, error);

    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)me->hospital_port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)me->hospital_port);
    if (rc == CS_OK)
        rc = init_member(me, CS_HOME_HOSPITAL, DEMO_HOSPITAL_ID, hospital, &answers[0], error);
    if (rc == CS_OK && demo_has_card(me, CS_HOME_DOCTOR))
        rc = demo_make_card(me, DOCTOR_NAME, error);
    if (rc == CS_OK)
        rc = init_member(me, CS_HOME_DOCTOR, me->doctor_id, doctor, &answers[1], error);
    if (rc == CS_OK)
        rc = init_member(me, CS_HOME_PATIENT, me->patient_id, patient, &answers[2], error);
    if (rc == CS_OK && me->telecare)
        rc = init_member(me, CS_HOME_TELECARE, DEMO_TELECARE_ID, patient, &answers[3], error);
    if (rc == CS_OK) {
        demo_tell(me,
            me->telecare ? "hospital, doctor, patient, telecare" : "hospital, doctor, patient",
            "make their keys in their tokens and take in the cloud's parameters",
            "the parameters are signed by the cloud");
        demo_tell_made(me, "hospital", answers[0]);
        demo_tell_made(me, "doctor", answers[1]);
        demo_tell_made(me, "patient", answers[2]);
        if (me->telecare)
            demo_tell_made(me, "telecare cloud", answers[3]);
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        json_decref(answers[i]);
    return rc;
}

int demo_found(demo *me, cs_error *error)
{
    int rc = make_tokens(me, error);

    if (rc == CS_OK)
        rc = found_authority(me, error);
    if (rc == CS_OK)
        rc = found_cloud(me, error);
    if (rc == CS_OK)
        rc = found_members(me, error);
    return rc;
}

/* -- certificates and registration ---------------------------------------------------------------
 */

static int certify(demo *me, cs_home_kind kind, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char board[CS_PATH_MAX];
    char request[CS_PATH_MAX];
    char certificate[CS_PATH_MAX];
    const char *const csr[] = {
        cs_home_kind_name(kind), "csr", "--dir", dir, "--out", request, "--json", NULL};
    const char *const issue[] = {"authority", "issue", "--dir", board, "--request", request,
        "--out", certificate, "--json", NULL};
    json_t *requested = NULL;
    json_t *issued = NULL;
    int rc = CS_OK;

    demo_path(me, kind, "", dir);
    demo_path(me, kind, "request.pem", request);
    demo_path(me, CS_HOME_AUTHORITY, "", board);
    (void)snprintf(
        certificate, sizeof certificate, "%s/authority/%s.pem", me->dir, cs_home_kind_name(kind));
    if (kind == CS_HOME_DOCTOR) /* a hospital's init has made its request */
        rc = demo_run(me, "doctor csr", csr, DEMO_STEP_MS, &requested, error);
    if (rc == CS_OK)
        rc = demo_run(me, "authority issue", issue, DEMO_STEP_MS, &issued, error);
    if (rc == CS_OK) {
        char parties[48];

        (void)snprintf(parties, sizeof parties, "%s, authority", cs_home_kind_name(kind));
        demo_tell(me, parties,
            "a certificate request, signed in the token, and the certificate for it",
            "the request is signed by the key that is in it");
        demo_tell_ops(me, "doctor", json_object_get(requested, "token_ops"));
        demo_tell_ops(me, "authority", json_object_get(issued, "token_ops"));
    }
    json_decref(requested);
    json_decref(issued);
    return rc;
}

static int enrol(
    demo *me, cs_home_kind kind, const char *id, char code[CS_PATH_MAX], cs_error *error)
{
    char dir[CS_PATH_MAX];
    const char *role = cs_role_name(cs_home_role(kind));
    const char *const argv[] = {"cloud", "enrol", "--dir", dir, "--role", role, "--id", id,
        "--code-file", code, "--json", NULL};
    json_t *answer = NULL;
    char text[96];
    int rc;

    demo_path(me, CS_HOME_CLOUD, "", dir);
    demo_path(me, kind, "enrolment-code", code);
    rc = demo_run(me, "cloud enrol", argv, DEMO_STEP_MS, &answer, error);
    (void)snprintf(text, sizeof text, "makes a code that admits this %s, once", role);
    if (rc == CS_OK) {
        demo_tell(me, "public cloud", text, NULL);
        demo_tell_ops(me, "cloud", json_object_get(answer, "token_ops"));
    }
    json_decref(answer);
    return rc;
}

/* Keep what a registration took, of the party and of the cloud's procedure since `before`. */
static int count_registration(
    demo *me, const char *party, const json_t *answer, cs_op_counts before, cs_error *error)
{
    json_t *ops = json_object_get(answer, "token_ops");
    cs_op_counts after;
    json_t *cloud;
    int rc = demo_service_ops(&after, me->cloud_port, "register", error);

    if (rc != CS_OK)
        return rc;
    cloud = cs_ops_json(cs_ops_between(before, after));
    demo_count_wire(me, answer);
    demo_tell_ops(me, party, ops);
    demo_tell_ops(me, "cloud", cloud);
    json_decref(cloud);
    cloud = cs_ops_json(after);
    if (json_object_set(me->registration, party, ops) != 0 ||
        json_object_set_new(me->registration, "cloud", cloud) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    return CS_OK;
}

static int register_member(
    demo *me, cs_home_kind kind, const char *const more[4], const char *proved, cs_error *error)
{
    const char *party = cs_home_kind_name(kind);
    char name[48];
    char parties[48];
    char dir[CS_PATH_MAX];
    char url[URL_MAX];
    const char *argv[] = {"cloud", party, "register", "--dir", dir, "--cloud-url", url, "--json",
        more[0], more[1], more[2], more[3], NULL, NULL, NULL};
    cs_op_counts before;
    json_t *answer = NULL;
    size_t n = 8;
    int rc = demo_service_ops(&before, me->cloud_port, "register", error);

    while (argv[n] != NULL)
        n++;
    if (me->wire_log != NULL) {
        argv[n] = "--wire-log";
        argv[n + 1] = me->wire_log;
    }
    (void)snprintf(name, sizeof name, "%s register", party);
    (void)snprintf(parties, sizeof parties, "%s, cloud", party);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)me->cloud_port);
    demo_path(me, kind, "", dir);
    if (rc == CS_OK)
        rc = demo_run(me, name, call_of(kind, argv), DEMO_STEP_MS, &answer, error);
    if (rc == CS_OK) {
        demo_tell(me, parties,
            "registration (R1, R2): the cloud's token issues S_X, the party's token takes it in",
            proved);
        rc = count_registration(me, party, answer, before, error);
    }
    json_decref(answer);
    return rc;
}

static int register_hospital(demo *me, cs_error *error)
{
    char code[CS_PATH_MAX];
    char certificate[CS_PATH_MAX];
    const char *const more[] = {"--code-file", code, "--certificate", certificate};
    int rc = certify(me, CS_HOME_HOSPITAL, error);

    demo_path(me, CS_HOME_AUTHORITY, "hospital.pem", certificate);
    if (rc == CS_OK)
        rc = enrol(me, CS_HOME_HOSPITAL, DEMO_HOSPITAL_ID, code, error);
    if (rc == CS_OK)
        rc = register_member(me, CS_HOME_HOSPITAL, more,
            "enrolment code, certificate, possession of the keys; S_HPC·P = Y_HPC (Eq. 7)", error);
    return rc;
}

static int register_doctor(demo *me, cs_error *error)
{
    char certificate[CS_PATH_MAX];
    const char *const more[] = {"--certificate", certificate, NULL, NULL};
    int rc = demo_has_card(me, CS_HOME_DOCTOR) ? CS_OK /* it has one */
                                               : certify(me, CS_HOME_DOCTOR, error);

    demo_path(me, CS_HOME_AUTHORITY, "doctor.pem", certificate);
    if (rc == CS_OK)
        rc = register_member(me, CS_HOME_DOCTOR, more,
            "Cert_D of a trusted authority, possession of the keys; S_D·P = Y_D (Eq. 10)", error);
    if (rc == CS_OK && demo_has_card(me, CS_HOME_DOCTOR))
        rc = demo_load_card(me, error);
    return rc;
}

static int register_patient(demo *me, cs_error *error)
{
    char code[CS_PATH_MAX];
    char passphrase[CS_PATH_MAX];
    const char *const more[] = {"--code-file", code, "--passphrase-file", passphrase};
    int rc = enrol(me, CS_HOME_PATIENT, me->patient_id, code, error);

    demo_path(me, CS_HOME_PATIENT, DEMO_PASSPHRASE, passphrase);
    if (rc == CS_OK)
        rc = register_member(me, CS_HOME_PATIENT, more,
            "enrolment code, possession of the keys; S_P·P = Y_P (Eq. 4)", error);
    return rc;
}

static int register_telecare(demo *me, cs_error *error)
{
    char code[CS_PATH_MAX];
    char certificate[CS_PATH_MAX];
    const char *const more[] = {"--code-file", code, "--certificate", certificate};
    int rc = certify(me, CS_HOME_TELECARE, error);

    demo_path(me, CS_HOME_AUTHORITY, "telecare.pem", certificate);
    if (rc == CS_OK)
        rc = enrol(me, CS_HOME_TELECARE, DEMO_TELECARE_ID, code, error);
    if (rc == CS_OK)
        rc = register_member(me, CS_HOME_TELECARE, more,
            "enrolment code, certificate, possession of the keys; S_C·P = Y_C", error);
    return rc;
}

int demo_register(demo *me, cs_error *error)
{
    int rc = register_hospital(me, error);

    if (rc == CS_OK)
        rc = register_doctor(me, error);
    if (rc == CS_OK)
        rc = register_patient(me, error);
    if (rc == CS_OK && me->telecare)
        rc = register_telecare(me, error);
    return rc;
}
