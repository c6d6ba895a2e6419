/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <chartseal/bytes.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN 28 /* where the help of an option begins */

static size_t find_option(const cs_option *options, const char *name)
{
    size_t i = 0;

    while (options[i].name != NULL && strcmp(options[i].name, name) != 0)
        i++;
    if (options[i].name == NULL)
        abort();
    return i;
}

/* The option called by the first n bytes of a word, exactly; NULL if there is none. */
static const cs_option *named(const cs_option *options, const char *name, size_t n)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == n && memcmp(options->name, name, n) == 0)
            return options;
    }
    return NULL;
}

/* value NULL: there was none. */
static int keep(cs_arguments *out, const cs_option *option, const char *value, const char *call,
    cs_error *error)
{
    size_t which = (size_t)(option - out->options);

    if (which >= CS_OPTIONS_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "%s has more options than CS_OPTIONS_MAX", call);
    if (out->values[which] != NULL)
        return CS_FAIL(error, CS_E_USAGE, "--%s is given twice; see `chartseal %s --help`",
            option->name, call);
    if (option->argument == NULL && value != NULL)
        return CS_FAIL(error, CS_E_USAGE, "--%s takes no value; see `chartseal %s --help`",
            option->name, call);
    if (option->argument != NULL && value == NULL)
        return CS_FAIL(error, CS_E_USAGE, "--%s lacks its value; see `chartseal %s --help`",
            option->name, call);
    if (option->argument != NULL && value[0] == '\0')
        return CS_FAIL(error, CS_E_USAGE, "--%s has an empty value; it wants %s", option->name,
            option->argument);
    out->values[which] = option->argument == NULL ? "" : value;
    return CS_OK;
}

/* One option: `--name`, `--name=value`, or `--name` and the next word, and then *used is 2. */
static int take(
    cs_arguments *out, int *used, const char *call, char *const *words, int left, cs_error *error)
{
    const char *name = words[0] + 2;
    const char *equals = strchr(name, '=');
    const cs_option *option =
        named(out->options, name, equals == NULL ? strlen(name) : (size_t)(equals - name));
    const char *value = equals == NULL ? NULL : equals + 1;

    *used = 1;
    if (option == NULL)
        return CS_FAIL(error, CS_E_USAGE, "'%s' is no option of this; see `chartseal %s --help`",
            words[0], call);
    if (option->argument != NULL && value == NULL && left > 1) {
        value = words[1];
        *used = 2;
    }
    return keep(out, option, value, call, error);
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
    *out = (cs_arguments){.options = options};
    *help = false;
    for (int i = 0, used = 0; i < argc; i += used) {
        const char *word = argv[i];
        int rc;

        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *help = true;
            return CS_OK;
        }
        if (strncmp(word, "--", 2) == 0 && word[2] != '\0')
            rc = take(out, &used, call, &argv[i], argc - i, error);
        else
            rc = CS_FAIL(error, CS_E_USAGE, "'%s' %s; see `chartseal %s --help`", word,
                word[0] == '-' && strcmp(word, "-") != 0 ? "is no option of this"
                                                         : "belongs to no option",
                call);
        if (rc != CS_OK)
            return rc;
    }
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

/* Digits and nothing else: strtoll would take spaces and signs too. */
static bool whole_number(int64_t *out, const char *text)
{
    int64_t value = 0;

    if (text[0] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10)
            return false;
        value = 10 * value + (*text - '0');
    }
    *out = value;
    return true;
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

    if (colon == NULL || !whole_number(&number, colon + 1) || number > UINT16_MAX)
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
