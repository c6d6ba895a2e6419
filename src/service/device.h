/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_DEVICE_H
#define CHARTSEAL_SERVICE_DEVICE_H

/*
 * The patient's device in one consultation: connects to the station, shows which doctor that is,
 * agrees (M1, M2), sends consent and signal (M3), and takes the diagnosis (M4). The diagnosis is
 * written only after the doctor's signature over it was verified.
 */

#include "service/home.h"
#include "service/wire_log.h"

typedef struct cs_doctor_shown {
    const char *id;
    const char *name; /* from Cert_D */
    const char *department;
    /* The consent that goes on from here, which is signed if the person agrees. */
    bool consents;
    const char *consent_department; /* "": of any */
    const char *purpose;
    int64_t consent_until; /* milliseconds since 1970 */
} cs_doctor_shown;

typedef struct cs_device_input {
    const char *host; /* of the station */
    uint16_t port;
    const char *cloud_url;
    const char *signal_path; /* NULL: none */
    const char *signal_type;
    bool consents;
    const char *consent_department; /* NULL: the station's; "": any */
    const char *purpose;
    const char *diagnosis_path;
    int patience_ms; /* how long the doctor may take for the diagnosis */
    int stop_fd;     /* -1, or readable when it is time to give up */
    /* Is this the doctor to see? An error (CS_E_CANCELLED, CS_E_RECIPIENT) ends the visit before
     * anything about the patient is sent. */
    int (*accept)(void *context, const cs_doctor_shown *doctor, cs_error *error);
    void *context;
} cs_device_input;

typedef struct cs_device_report {
    char doctor[CS_ID_MAX + 1];
    char doctor_name[65];
    char department[CS_DEPARTMENT_MAX + 1];
    bool consented;
    uint64_t signal_size; /* 0: no signal, and no hash */
    uint8_t signal_hash[CS_HASH_SIZE];
    uint64_t diagnosis_size;
    uint8_t diagnosis_hash[CS_HASH_SIZE];
    char diagnosis_type[CS_MEDIA_TYPE_MAX + 1];
    cs_op_counts consultation_ops; /* M1, M2 */
    cs_op_counts consent_ops;      /* M3 */
    cs_op_counts ops;              /* of the whole visit */
} cs_device_report;

CS_MUST_CHECK int cs_device_visit(cs_device_report *out, cs_home *home, cs_actor *actor,
    cs_wire_log *log, const cs_device_input *input, cs_error *error);

#endif
