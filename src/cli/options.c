/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <chartseal/bytes.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_VALUE CS_OPTIONS_MAX
#define COLUMN 28 /* where the help of an option begins */

static size_t count_options(const cs_option *options)
{
    size_t n = 0;

    while (options[n].name != NULL)
        n++;
    return n;
}

static size_t find_option(const cs_option *options, const char *name)
{
    size_t i = 0;

    while (options[i].name != NULL && strcmp(options[i].name, name) != 0)
        i++;
    if (options[i].name == NULL)
        abort();
    return i;
}

static void to_getopt(struct option *out, const cs_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (struct option){options[i].name,
            options[i].argument == NULL ? no_argument : required_argument, NULL, (int)i};
    out[n] = (struct option){"help", no_argument, NULL, HELP_VALUE};
    out[n + 1] = (struct option){0};
}

static int take(cs_arguments *out, int which, const char *call, cs_error *error)
{
    const cs_option *option = &out->options[which];

    if (out->values[which] != NULL)
        return CS_FAIL(error, CS_E_USAGE, "--%s is given twice; see `chartseal %s --help`",
            option->name, call);
    if (option->argument != NULL && optarg[0] == '\0')
        return CS_FAIL(error, CS_E_USAGE, "--%s has an empty value; it wants %s", option->name,
            option->argument);
    out->values[which] = option->argument == NULL ? "" : optarg;
    return CS_OK;
}

static int find_missing(const cs_arguments *arguments, const char *call, cs_error *error)
{
    for (size_t i = 0; arguments->options[i].name != NULL; i++) {
        const cs_option *option = &arguments->options[i];

        if (option->required && arguments->values[i] == NULL)
            return CS_FAIL(error, CS_E_USAGE, "--%s %s is missing; see `chartseal %s --help`",
                option->name, option->argument, call);
    }
    return CS_OK;
}

int cs_options_parse(cs_arguments *out, const cs_option *options, const char *call, int argc,
    char **argv, bool *help, cs_error *error)
{
    struct option table[CS_OPTIONS_MAX + 2];
    size_t n = count_options(options);
    int which;
    int rc;

    *out = (cs_arguments){.options = options};
    *help = false;
    if (n > CS_OPTIONS_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "%s has more options than CS_OPTIONS_MAX", call);
    to_getopt(table, options, n);
    /* getopt takes element 0 for the name of the program: the verb stands there. */
    optind = 0;
    opterr = 0;
    while ((which = getopt_long(argc + 1, argv - 1, "+:h", table, NULL)) != -1) {
        if (which == 'h' || which == HELP_VALUE) {
            *help = true;
            return CS_OK;
        }
        if (which == ':')
            return CS_FAIL(error, CS_E_USAGE, "%s lacks its value; see `chartseal %s --help`",
                argv[optind - 2], call);
        if (which == '?')
            return CS_FAIL(error, CS_E_USAGE,
                "'%s' is no option of this; see `chartseal %s --help`", argv[optind - 2], call);
        rc = take(out, which, call, error);
        if (rc != CS_OK)
            return rc;
    }
    if (optind < argc + 1)
        return CS_FAIL(error, CS_E_USAGE, "'%s' belongs to no option; see `chartseal %s --help`",
            argv[optind - 1], call);
    return find_missing(out, call, error);
}

static void print_synopsis(const cs_option *options, const char *call)
{
    size_t column = strlen("usage: chartseal ") + strlen(call);
    size_t indent = column < 24 ? column + 1 : 8;

    for (size_t i = 0; options[i].name != NULL; i++) {
        const char *argument = options[i].argument == NULL ? "" : options[i].argument;
        char word[96];
        int n = snprintf(word, sizeof word, "%s--%s%s%s%s", options[i].required ? "" : "[",
            options[i].name, argument[0] == '\0' ? "" : " ", argument,
            options[i].required ? "" : "]");

        if (column + 1 + (size_t)n > 96) {
            printf("\n%*s", (int)indent - 1, "");
            column = indent - 1;
        }
        printf(" %s", word);
        column += 1 + (size_t)n;
    }
    putchar('\n');
}

void cs_options_print(const cs_option *options, const char *call)
{
    print_synopsis(options, call);
    putchar('\n');
    for (size_t i = 0; options[i].name != NULL; i++) {
        const char *argument = options[i].argument == NULL ? "" : options[i].argument;
        int n = printf("  --%s %s", options[i].name, argument);

        printf("%*s%s\n", n < COLUMN ? COLUMN - n : 1, "", options[i].help);
    }
}

const char *cs_arg(const cs_arguments *arguments, const char *name)
{
    return arguments->values[find_option(arguments->options, name)];
}

const char *cs_arg_or(const cs_arguments *arguments, const char *name, const char *otherwise)
{
    const char *value = cs_arg(arguments, name);

    return value == NULL ? otherwise : value;
}

bool cs_arg_flag(const cs_arguments *arguments, const char *name)
{
    return cs_arg(arguments, name) != NULL;
}

int cs_arg_text(const cs_arguments *arguments, const char *name, size_t most, cs_error *error)
{
    const char *text = cs_arg(arguments, name);

    if (text == NULL)
        return CS_OK;
    if (strlen(text) > most)
        return CS_FAIL(
            error, CS_E_USAGE, "--%s has %zu bytes; at most %zu go", name, strlen(text), most);
    if (!cs_text_is_clean(cs_view_str(text)))
        return CS_FAIL(error, CS_E_USAGE,
            "--%s has control characters, marks of direction, or is no UTF-8; leave those out",
            name);
    return CS_OK;
}

static bool whole_number(int64_t *out, const char *text)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    *out = value;
    return errno == 0 && end != text && *end == '\0';
}

int cs_arg_number(int64_t *out, const cs_arguments *arguments, const char *name, int64_t otherwise,
    int64_t least, int64_t most, cs_error *error)
{
    const char *text = cs_arg(arguments, name);
    int64_t value = otherwise;

    if (text != NULL && (!whole_number(&value, text) || value < least || value > most))
        return CS_FAIL(error, CS_E_USAGE, "--%s '%s' is no whole number from %lld to %lld", name,
            text, (long long)least, (long long)most);
    *out = value;
    return CS_OK;
}

int cs_arg_address(const cs_arguments *arguments, const char *name, char *host, size_t host_size,
    uint16_t *port, cs_error *error)
{
    const char *text = cs_arg(arguments, name);
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    int64_t number = 0;
    size_t n;

    if (colon == NULL || !whole_number(&number, colon + 1) || number < 0 || number > UINT16_MAX)
        return CS_FAIL(error, CS_E_USAGE, "--%s '%s' is no HOST:PORT, such as 127.0.0.1:8440", name,
            text == NULL ? "" : text);
    n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= host_size)
        return CS_FAIL(error, CS_E_USAGE, "--%s names no host; it is HOST:PORT", name);
    memcpy(host, text, n);
    host[n] = '\0';
    *port = (uint16_t)number;
    return CS_OK;
}
