/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "tree.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

fixture fx;

void fixture_write(const char *path, const char *text, unsigned mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void place(char *out, size_t size, const char *name)
{
    assert_true(snprintf(out, size, "%s/%s", fx.directory, name) < (int)size);
}

void fixture_start(void)
{
    swtpm_start(&fx.tpm);
}

void fixture_stop(void)
{
    swtpm_stop(&fx.tpm);
}

void fixture_freeze(bool frozen)
{
    assert_int_equal(kill(fx.tpm.pid, frozen ? SIGSTOP : SIGCONT), 0);
}

int fixture_setup(void **state)
{
    char state_path[128];

    (void)state;
    (void)snprintf(fx.directory, sizeof fx.directory, "%s", "/tmp/chartseal-tpm-XXXXXX");
    assert_non_null(mkdtemp(fx.directory));
    place(state_path, sizeof state_path, "state");
    place(fx.keys, sizeof fx.keys, "keys");
    place(fx.pin_file, sizeof fx.pin_file, "pin");
    place(fx.wrong_pin_file, sizeof fx.wrong_pin_file, "wrong-pin");
    assert_int_equal(mkdir(state_path, 0700), 0);
    assert_int_equal(mkdir(fx.keys, 0700), 0);
    fixture_write(fx.pin_file, PIN "\n", 0600);
    fixture_write(fx.wrong_pin_file, WRONG_PIN "\n", 0600);
    swtpm_prepare(&fx.tpm, state_path);
    (void)snprintf(fx.tcti, sizeof fx.tcti, "%s", fx.tpm.tcti);
    fixture_start();
    return 0;
}

int fixture_teardown(void **state)
{
    (void)state;
    cs_token_shutdown();
    fixture_stop();
    return remove_tree(fx.directory);
}

/* -- the test's own way to the TPM, past the code under test */

typedef struct direct {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
} direct;

static direct open_direct(void)
{
    direct d = {0};

    assert_int_equal(Tss2_TctiLdr_Initialize(fx.tcti, &d.tcti), 0);
    assert_int_equal(Esys_Initialize(&d.esys, d.tcti, NULL), 0);
    return d;
}

static void close_direct(direct *d)
{
    Esys_Finalize(&d->esys);
    Tss2_TctiLdr_Finalize(&d->tcti);
}

static TPMS_CAPABILITY_DATA *ask(direct *d, TPM2_CAP what, UINT32 first, UINT32 count)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;

    assert_int_equal(Esys_GetCapability(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, what,
                         first, count, &more, &data),
        0);
    return data;
}

unsigned fixture_loaded(void)
{
    static const UINT32 firsts[] = {0x80000000, 0x02000000, 0x03000000};
    direct d = open_direct();
    unsigned count = 0;

    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        TPMS_CAPABILITY_DATA *data = ask(&d, TPM2_CAP_HANDLES, firsts[i], 64);

        count += data->data.handles.count;
        Esys_Free(data);
    }
    close_direct(&d);
    return count;
}

unsigned fixture_failed_tries(void)
{
    direct d = open_direct();
    TPMS_CAPABILITY_DATA *data = ask(&d, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_LOCKOUT_COUNTER, 1);
    unsigned count = data->data.tpmProperties.tpmProperty[0].value;

    Esys_Free(data);
    close_direct(&d);
    return count;
}

void fixture_forgive(void)
{
    direct d = open_direct();

    assert_int_equal(Esys_DictionaryAttackLockReset(
                         d.esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
        0);
    close_direct(&d);
}

/* CMD_INIT on the control channel, and the Startup that firmware would send. */
void fixture_reset(void)
{
    static const uint8_t command[8] = {0, 0, 0, 2, 0, 0, 0, 0};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)(fx.tpm.port + 1))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint8_t answer[4] = {1};
    direct d;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, command, sizeof command), sizeof command);
    assert_int_equal(read(fd, answer, sizeof answer), sizeof answer);
    (void)close(fd);
    assert_int_equal(answer[3], 0);
    d = open_direct();
    assert_int_equal(Esys_Startup(d.esys, TPM2_SU_CLEAR), 0);
    close_direct(&d);
}

/* -- the code under test */

const char *fixture_uri(void)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(uri, sizeof uri, "tpm2:dir=%s?tcti=%s", fx.keys, fx.tcti);
    return uri;
}

const char *fixture_key_uri(const char *label)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(uri, sizeof uri, "tpm2:file=%s/%s.pem", fx.keys, label);
    return uri;
}

cs_token_options fixture_options(void)
{
    cs_token_options options = {.pin = {.kind = CS_PIN_FILE}};

    (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", fx.pin_file);
    return options;
}

cs_token *fixture_open(void)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    return token;
}

int fixture_shell(const char *format, ...)
{
    char command[2048];
    va_list arguments;
    int status, used;

    va_start(arguments, format);
    used = snprintf(command, sizeof command,
        "exec 2>>%s/shell.log; tpm2_flushcontext -t; tpm2_flushcontext -l; ", fx.directory);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is initialised above */
    (void)vsnprintf(command + used, sizeof command - (size_t)used, format, arguments);
    va_end(arguments);
    assert_int_equal(setenv("TPM2TOOLS_TCTI", fx.tcti, 1), 0);
    assert_int_equal(setenv("TPM2OPENSSL_TCTI", fx.tcti, 1), 0);
    for (int i = 0; i < 100 && fixture_loaded() > 0; i++)
        (void)usleep(10000); /* until the code under test has let the TPM go */
    /* NOLINTNEXTLINE(cert-env33-c): a test, of its own text */
    status = system(command);
    assert_int_equal(unsetenv("TPM2TOOLS_TCTI"), 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
