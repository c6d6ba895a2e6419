/* SPDX-License-Identifier: Apache-2.0 */
/* Telecare: what a stranger or a member who lies can send to the cloud, write into a letter, or put
 * into a record of whose key he knows. First byte: which, and whether inside a proper seal. */
#include "fuzz.h"
#include "protocol/envelope.h"
#include "protocol/telecare.h"
#include "soft_token.h"
#include "telecare_play.h"

#include <stdlib.h>
#include <string.h>

enum { T1, T3, LETTER, RECORD, KINDS };
#define SEALED 128

static cast c;
static telecare_play p;

static void prepare(void)
{
    if (c.suite != 0)
        return;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
    telecare_open(&p, &c);
    p.report.n = 100;
    assert_ok(telecare_hup(&p, error));
}

/* The bytes in an envelope or letter of that label, as no schema would encode them. */
static void seal(
    cs_buf *out, const char *info, const uint8_t puk[CS_PUK_SIZE], bool letter, cs_view plain)
{
    const cs_envelope_header fields = {.suite = c.suite, .time = CAST_START};
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf header = {0};
    cs_buf ct = {0};

    if (!letter)
        assert_ok(cs_encode_as(&header, &cs_envelope_header_schema, info, &fields, error));
    assert_ok(cs_hpke_seal(enc, &ct, (cs_view){puk, CS_PUK_SIZE}, cs_view_str(info),
        cs_view_buf(&header), plain, NULL, error));
    if (letter) {
        const cs_letter whole = {
            .suite = c.suite, .enc = CS_VIEW_ARRAY(enc), .ct = cs_view_buf(&ct)};

        assert_ok(cs_encode(out, &cs_letter_schema, &whole, error));
    } else {
        const cs_envelope whole = {.suite = c.suite,
            .time = CAST_START,
            .enc = CS_VIEW_ARRAY(enc),
            .ct = cs_view_buf(&ct)};

        assert_ok(cs_encode_as(out, &cs_envelope_schema, info, &whole, error));
    }
    cs_buf_free(&header);
    cs_buf_free(&ct);
}

static void to_cloud(bool named, cs_view bytes)
{
    cs_guest guest;

    c.telecare.memory.seen_count = 0;
    if (named) {
        if (cs_guest_t1(&guest, &c.telecare.party, &c.telecare.env, bytes, NULL) == CS_OK)
            abort(); /* nobody here can sign */
    } else if (cs_guest_t3(&guest, &c.telecare.party, &c.telecare.env, bytes, NULL) == CS_OK &&
               !guest.nobody) {
        abort();
    }
}

static void to_patient(cs_view bytes)
{
    cs_episode *episode = NULL;

    if (cs_episode_open(&episode, &c.patient.party, &c.patient.env, bytes, NULL) == CS_OK)
        cs_episode_free(&episode);
}

/* As the plain text of the report's one block, under its key. */
static void into_record(cs_view bytes)
{
    static uint8_t plain[CS_BLOCK_PLAIN];
    const uint8_t *place = cs_episode_place(p.at_hospital, CS_SLOT_REPORT);
    telecare_row *row = telecare_row_of(&p, place);
    telecare_line line;
    cs_buf content = {0};

    memset(plain, 0, sizeof plain);
    memcpy(plain, bytes.p, bytes.n < sizeof plain ? bytes.n : sizeof plain);
    cs_buf_clear(&row->blocks);
    assert_ok(cs_chunk_seal(&row->blocks, p.at_hospital->secrets->report_key,
        (cs_view){place, CS_PLACE_SIZE}, 0, true, CS_VIEW_ARRAY(plain), error));
    c.telecare.memory.seen_count = 0;
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    if (telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &content, NULL) == CS_OK &&
        !cs_view_equal(cs_view_buf(&content), p.report))
        abort();
    telecare_hang_up(&line);
    cs_buf_free(&content);
    cs_buf_clear(&p.seen_of_nobody);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const infos[] = {
        "chartseal/1 T1", "chartseal/1 T3", "chartseal/1 invitation"};
    cs_buf sealed = {0};
    cs_view bytes;
    unsigned kind;

    prepare();
    if (size < 2)
        return 0;
    kind = (data[0] % SEALED) % KINDS;
    bytes = (cs_view){data + 1, size - 1};
    if (kind != RECORD && data[0] >= SEALED) {
        seal(&sealed, infos[kind],
            kind == LETTER ? c.patient.credential.puk_decrypt : c.telecare.credential.puk_decrypt,
            kind == LETTER, bytes);
        bytes = cs_view_buf(&sealed);
    }
    if (kind == RECORD)
        into_record(bytes);
    else if (kind == LETTER)
        to_patient(bytes);
    else
        to_cloud(kind == T1, bytes);
    cs_buf_free(&sealed);
    return 0;
}

/* The insides of a real one; a T1 with a signature that is none. */
static void make_inside(unsigned kind, cs_buf *out)
{
    static const uint8_t nothing[CS_SIGNATURE_SIZE] = {1};
    const cs_view point = cs_point_view(&c.cloud.pk);
    const cs_episode_part *part = cs_episode_part_of(p.at_hospital, CS_SLOT_REPORT);
    const cs_front front = {.statements = {{cs_view_buf(&part->statement)}, 1},
        .certificates = {{cs_view_buf(&part->certificate)}, 1}};
    const cs_ct1 ct1 = {.credential_x = cs_credential_view(&c.doctor.credential),
        .cert_x = c.doctor.party.certificate,
        .t_x = CAST_START,
        .r_x = point,
        .sig_t1 = CS_VIEW_ARRAY(nothing)};
    const cs_ct3 ct3 = {.place = {cs_episode_place(p.at_hospital, CS_SLOT_REPORT), CS_PLACE_SIZE},
        .t_x = CAST_START,
        .r_x = point};
    cs_invitation invitation;
    cs_buf bytes = {0};

    switch (kind) {
    case T1:
        assert_ok(cs_encode(out, &cs_ct1_schema, &ct1, error));
        break;
    case T3:
        assert_ok(cs_encode(out, &cs_ct3_schema, &ct3, error));
        break;
    case LETTER:
        assert_ok(
            cs_letter_open(&invitation, out, &c.patient.party, cs_view_buf(&p.letter_p), error));
        break;
    default:
        assert_ok(cs_encode(&bytes, &cs_front_schema, &front, error));
        assert_ok(cs_buf_resize(out, CS_FRONT_LENGTH_SIZE, error));
        out->p[2] = (uint8_t)(bytes.n >> 8);
        out->p[3] = (uint8_t)bytes.n;
        assert_ok(cs_buf_append(out, cs_view_buf(&bytes), error));
        assert_ok(cs_buf_append(out, p.report, error));
        cs_buf_free(&bytes);
        break;
    }
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    cs_buf bytes = {0};
    size_t size;

    prepare();
    if (n >= KINDS) {
        telecare_close(&p);
        cast_close(&c);
        return 0;
    }
    make_inside((unsigned)n, &bytes);
    if (bytes.n + 1 >= room)
        abort();
    out[0] = (uint8_t)(SEALED + n);
    memcpy(out + 1, bytes.p, bytes.n);
    size = bytes.n + 1;
    cs_buf_free(&bytes);
    return size;
}
