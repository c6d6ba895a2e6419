/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "service/files.h"
#include <chartseal/group.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cs_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
    (void)fflush(stdout);
}

void cs_warn(const char *format, ...)
{
    va_list arguments;

    (void)fputs("chartseal: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int cs_print_json(json_t *value, cs_error *error)
{
    int rc;

    if (value == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the answer; free some and retry");
    rc = json_dumpf(value, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF &&
                 fflush(stdout) == 0
             ? CS_OK
             : CS_FAIL(error, CS_E_STORAGE, "standard output cannot be written");
    json_decref(value);
    return rc;
}

bool cs_is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

int cs_check_output(
    const cs_arguments *arguments, const char *name, bool takes_stdout, cs_error *error)
{
    const char *path = cs_arg(arguments, name);

    if (path == NULL)
        return CS_OK;
    if (!cs_is_stdout(path)) {
        int rc = cs_file_may_write(path, error);

        return rc == CS_OK ? CS_OK : cs_error_context(error, "--%s", name);
    }
    if (!takes_stdout)
        return CS_FAIL(error, CS_E_USAGE,
            "--%s - is not possible here; name a file (./- if it is called that)", name);
    if (cs_arg_flag(arguments, "json"))
        return CS_FAIL(error, CS_E_USAGE, "give --%s - or --json, not both", name);
    return CS_OK;
}

int cs_write_output(const char *path, cs_view bytes, mode_t mode, cs_error *error)
{
    if (!cs_is_stdout(path))
        return cs_file_write(path, bytes, mode, error);
    if (fwrite(bytes.p, 1, bytes.n, stdout) != bytes.n || fflush(stdout) != 0)
        return CS_FAIL(error, CS_E_STORAGE, "standard output cannot be written");
    return CS_OK;
}

const char *cs_printable(char *out, size_t size, const char *text)
{
    cs_view rest = cs_view_str(text);
    size_t n = 0;

    while (rest.n > 0) {
        bool clean = false;
        size_t length = cs_text_character(rest, &clean);
        size_t room = clean ? length : 1;

        if (n + room + 1 > size)
            break;
        if (clean)
            memcpy(out + n, rest.p, length);
        else
            out[n] = '?';
        n += room;
        rest.p += length;
        rest.n -= length;
    }
    out[n] = '\0';
    return out;
}

json_t *cs_ops_json(cs_op_counts ops)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "sign", (json_int_t)ops.sign, "agree",
        (json_int_t)ops.agree, "scalar_mul", (json_int_t)ops.scalar_mul, "issue",
        (json_int_t)ops.issue, "prf", (json_int_t)ops.prf, "attest", (json_int_t)ops.attest);
}

json_t *cs_hex_json(cs_view bytes)
{
    char *text = malloc(2 * bytes.n + 1);
    json_t *value;

    if (text == NULL)
        return NULL;
    cs_hex(bytes, text);
    value = json_string(text);
    free(text);
    return value;
}

/* The two groups tell by the size of their points; nothing else that is in a token is an S_X. */
const char *cs_key_delivery(const cs_key_info *info)
{
    if (info->custody == CS_CUSTODY_SEALED)
        return "sealed";
    if (info->local)
        return "generated";
    if (info->use != CS_USE_SCALAR || info->public_key_size == 0)
        return "imported";
    if (info->public_key_size != CS_POINT_MAX)
        return "lifted";
    return cs_uri_is_tpm(info->uri) ? "duplicated" : "wrapped";
}

int cs_report(int rc, const cs_error *error, bool json)
{
    char message[CS_ERROR_MESSAGE_MAX];
    cs_error ignored;

    if (rc == CS_OK)
        return 0;
    if (error->message[0] == '\0')
        return (int)cs_category_of(rc);
    (void)cs_printable(message, sizeof message, error->message);
    if (!json || cs_print_json(
                     json_pack("{s:b, s:{s:s, s:i, s:s}}", "ok", 0, "error", "code",
                         cs_code_name(rc), "category", (int)cs_category_of(rc), "message", message),
                     &ignored) != CS_OK)
        (void)fprintf(stderr, "chartseal: %s\n", message);
    return (int)cs_category_of(rc);
}
