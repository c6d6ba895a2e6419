/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/output.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cs_group *const groups[] = {&cs_authority_group, &cs_cloud_group, &cs_hospital_group,
    &cs_doctor_group, &cs_patient_group, &cs_token_group, &cs_card_group, &cs_audit_group,
    &cs_demo_group};
static const size_t group_count = sizeof groups / sizeof groups[0];

#define CALL_MAX 64 /* "GROUP VERB" */

#define VERB_WIDTH 18 /* "telecare register", and a gap */

/* A verb of two words begins with what it is about: "telecare upload". */
static bool is_of_topic(const cs_verb *verb, const char *topic)
{
    size_t n = strlen(topic);

    return strncmp(verb->name, topic, n) == 0 && verb->name[n] == ' ';
}

static void print_groups(void)
{
    fputs("usage: chartseal GROUP VERB [options]\n\n", stdout);
    for (size_t i = 0; i < group_count; i++)
        printf("  %-10s %s\n", groups[i]->name, groups[i]->summary);
    fputs(
        "\n`chartseal GROUP --help` shows the verbs of a group, `chartseal GROUP VERB --help` the\n"
        "options of a verb. `chartseal --version` says which version this is.\n",
        stdout);
}

/* All of a group, or those whose first word is `topic`. */
static void print_verbs(const cs_group *group, const char *topic)
{
    printf("usage: chartseal %s VERB [options]\n\n%s\n\n", group->name, group->summary);
    for (const cs_verb *verb = group->verbs; verb->run != NULL; verb++) {
        if (topic == NULL || is_of_topic(verb, topic))
            printf("  %-*s %s\n", VERB_WIDTH, verb->name, verb->summary);
    }
}

static void print_verb(const cs_verb *verb, const char *call)
{
    printf("usage: chartseal %s", call);
    cs_options_print(verb->options, call);
    printf("\n%s\n\nexample:\n  chartseal %s %s\n", verb->summary, call, verb->example);
}

static const cs_group *find_group(const char *name)
{
    for (size_t i = 0; i < group_count; i++) {
        if (strcmp(groups[i]->name, name) == 0)
            return groups[i];
    }
    return NULL;
}

/* `second` may be NULL: there is no other word. */
static const cs_verb *find_verb(const cs_group *group, const char *first, const char *second)
{
    for (const cs_verb *verb = group->verbs; verb->run != NULL; verb++) {
        if (second == NULL
                ? strcmp(verb->name, first) == 0
                : is_of_topic(verb, first) && strcmp(verb->name + strlen(first) + 1, second) == 0)
            return verb;
    }
    return NULL;
}

static bool is_topic(const cs_group *group, const char *word)
{
    for (const cs_verb *verb = group->verbs; verb->run != NULL; verb++) {
        if (is_of_topic(verb, word))
            return true;
    }
    return false;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int run_verb(
    const cs_group *group, const cs_verb *verb, int argc, char **argv, cs_error *error)
{
    cs_arguments arguments;
    char call[CALL_MAX];
    bool help = false;
    int rc;

    (void)snprintf(
        call, sizeof call, "%s%s%s", group->name, verb->name[0] == '\0' ? "" : " ", verb->name);
    rc = cs_options_parse(&arguments, verb->options, call, argc, argv, &help, error);
    if (rc != CS_OK)
        return rc;
    if (help) {
        print_verb(verb, call);
        return CS_OK;
    }
    return verb->run(&arguments, error);
}

/* What follows "GROUP TOPIC". */
static int run_topic(
    const cs_group *group, const char *topic, int argc, char **argv, cs_error *error)
{
    const cs_verb *verb;

    if (argc < 1)
        return CS_FAIL(error, CS_E_USAGE, "%s %s needs a verb; see `chartseal %s %s --help`",
            group->name, topic, group->name, topic);
    if (asks_for_help(argv[0])) {
        print_verbs(group, topic);
        return CS_OK;
    }
    verb = find_verb(group, topic, argv[0]);
    if (verb == NULL)
        return CS_FAIL(error, CS_E_USAGE, "%s %s has no verb '%s'; see `chartseal %s %s --help`",
            group->name, topic, argv[0], group->name, topic);
    return run_verb(group, verb, argc - 1, argv + 1, error);
}

static int run_group(const cs_group *group, int argc, char **argv, cs_error *error)
{
    const cs_verb *own = find_verb(group, "", NULL);
    const cs_verb *verb = NULL;

    if (argc > 0 && is_topic(group, argv[0]))
        return run_topic(group, argv[0], argc - 1, argv + 1, error);
    if (argc > 0 && argv[0][0] != '\0')
        verb = find_verb(group, argv[0], NULL);
    if (verb != NULL)
        return run_verb(group, verb, argc - 1, argv + 1, error);
    if (own != NULL)
        return run_verb(group, own, argc, argv, error);
    if (argc < 1)
        return CS_FAIL(error, CS_E_USAGE, "%s needs a verb; see `chartseal %s --help`", group->name,
            group->name);
    if (asks_for_help(argv[0])) {
        print_verbs(group, NULL);
        return CS_OK;
    }
    return CS_FAIL(error, CS_E_USAGE, "%s has no verb '%s'; see `chartseal %s --help`", group->name,
        argv[0], group->name);
}

static int run(int argc, char **argv, cs_error *error)
{
    const cs_group *group;

    if (argc < 2)
        return CS_FAIL(error, CS_E_USAGE, "say what to do; see `chartseal --help`");
    if (strcmp(argv[1], "--version") == 0) {
        cs_say("chartseal %s", CHARTSEAL_VERSION);
        return CS_OK;
    }
    if (asks_for_help(argv[1])) {
        print_groups();
        return CS_OK;
    }
    group = find_group(argv[1]);
    if (group == NULL)
        return CS_FAIL(error, CS_E_USAGE, "there is no '%s'; see `chartseal --help`", argv[1]);
    return run_group(group, argc - 2, argv + 2, error);
}

/* Asked of the words themselves, so that also a wrong command answers a machine in its language. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

/* A descriptor that was closed would be taken by the next file, and what is said would go into it.
 * Output that is closed stays what cannot be written: it is an error to lose it. */
static int occupy_standard_descriptors(cs_error *error)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return CS_FAIL(error, CS_E_INTERNAL, "/dev/null cannot be opened: %s", strerror(errno));
    (void)close(fd);
    return CS_OK;
}

/* Lines are printed without a look at how it went: the stream remembers. */
static int check_standard_output(cs_error *error)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return CS_FAIL(error, CS_E_STORAGE,
            "standard output could not be written in full; see where it goes, and repeat");
    return CS_OK;
}

int cs_cli_main(int argc, char **argv)
{
    cs_error error = {0};
    int rc = occupy_standard_descriptors(&error);

    if (rc == CS_OK)
        rc = cs_harden_process(&error);
    if (rc == CS_OK && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        rc = CS_FAIL(&error, CS_E_INTERNAL, "SIGPIPE cannot be ignored");
    if (rc == CS_OK)
        rc = run(argc, argv, &error);
    if (rc == CS_OK)
        rc = check_standard_output(&error);
    cs_token_shutdown();
    return cs_report(rc, &error, wants_json(argc, argv));
}
