/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include "cli/cli.h"
#include "direct.h"
#include "tree.h"

#include <chartseal/certificate.h>
#include <chartseal/crypto.h>
#include <chartseal/group.h>

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32
#define FILE_MAX 65536

desk the_desk;
static char directory[64];

/* -- files */

static size_t read_file(const char *path, char out[FILE_MAX])
{
    FILE *file = fopen(path, "r");
    size_t n;

    out[0] = '\0';
    if (file == NULL)
        return 0;
    n = fread(out, 1, FILE_MAX - 1, file);
    out[n] = '\0';
    (void)fclose(file);
    return n;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

void desk_write(const char *file, const char *text)
{
    write_bytes(file, text, strlen(text));
}

static void copy(const char *from, const char *to)
{
    static char bytes[FILE_MAX];
    size_t n = read_file(from, bytes);

    assert_in_range(n, 1, FILE_MAX - 2);
    write_bytes(to, bytes, n);
}

/* A directory without others in it. */
static void copy_directory(const char *from, const char *to)
{
    DIR *files = opendir(from);

    assert_non_null(files);
    assert_int_equal(mkdir(to, 0700), 0);
    for (const struct dirent *entry = readdir(files); entry != NULL; entry = readdir(files)) {
        char source[300], target[300];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        copy(source, target);
    }
    (void)closedir(files);
}

void desk_keep(const char *name)
{
    char card[32], dir[32];

    (void)snprintf(card, sizeof card, "%s.card", name);
    (void)snprintf(dir, sizeof dir, "%s.dir", name);
    copy("card", card);
    copy_directory("dir", dir);
}

void desk_begin(const char *name)
{
    char card[32], dir[32];

    (void)snprintf(card, sizeof card, "%s.card", name);
    (void)snprintf(dir, sizeof dir, "%s.dir", name);
    (void)remove_tree("dir");
    if (strcmp(name, "blank") == 0) {
        (void)unlink("card");
        return;
    }
    copy(card, "card");
    copy_directory(dir, "dir");
}

bool desk_has(const char *file, const char *line)
{
    static char text[FILE_MAX];
    size_t n = strlen(line);
    bool begins = n > 0 && line[n - 1] == '*';

    (void)read_file(file, text);
    if (begins)
        n--;
    for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
        if (*p == '\n')
            p++;
        if (strncmp(p, line, n) == 0 && (begins || p[n] == '\n'))
            return true;
    }
    return false;
}

const char *desk_record(const char *name)
{
    static char text[FILE_MAX];
    char *line, *rest;
    size_t n = strlen(name);

    (void)read_file("dir/record", text);
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return line + n + 1;
    }
    return "";
}

/* -- calls */

int desk_setup(void **state)
{
    (void)state;
    /* in memory, where there is such a place: the desk waits for the disk at each step */
    (void)snprintf(directory, sizeof directory, "%s", "/dev/shm/chartseal-test-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        (void)snprintf(directory, sizeof directory, "%s", "/tmp/chartseal-test-XXXXXX");
        assert_non_null(mkdtemp(directory));
    }
    assert_int_equal(chdir(directory), 0);
    return 0;
}

int desk_teardown(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    return remove_tree(directory);
}

/* What was there before is to be put back with it. */
static int redirect(const char *path, int from)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), kept = dup(from);

    assert_true(fd >= 0 && kept >= 0);
    assert_int_equal(dup2(fd, from), from);
    (void)close(fd);
    return kept;
}

static void put_back(int kept, int from)
{
    (void)dup2(kept, from);
    (void)close(kept);
}

static int call(char *line)
{
    static const uint8_t serial[4] = {0x00, 0xc0, 0xff, 0xee};
    piv_options options = {.state_path = "card",
        .log_path = "log",
        .blank = true,
        .aes = the_desk.aes,
        .impostor = the_desk.impostor,
        .has_serial = true,
        .fault = the_desk.fault,
        .fault_at = the_desk.fault_at,
        .fault_status = SW_INTERNAL};
    char name[] = "chartseal", *words[WORDS_MAX + 1] = {name}, *rest;
    int n = 1, status;

    memcpy(options.serial, serial, sizeof serial);
    for (char *word = strtok_r(line, " ", &rest); word != NULL && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    assert_true(direct_insert(&options));
    status = cs_cli_main(n, words);
    direct_eject();
    return status;
}

/* _exit: what the test has allocated is not the child's to free. */
static int call_as_child(char *line)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(call(line));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return DESK_KILLED;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int desk_call(const char *words)
{
    bool killed = the_desk.fault == PIV_FAULT_KILL_BEFORE || the_desk.fault == PIV_FAULT_KILL_AFTER;
    char line[512];
    int status, out, err;

    assert_true(snprintf(line, sizeof line, "card %s", words) < (int)sizeof line);
    (void)fflush(NULL);
    out = redirect("out", STDOUT_FILENO);
    err = redirect("err", STDERR_FILENO);
    status = killed ? call_as_child(line) : call(line);
    (void)fflush(NULL);
    put_back(out, STDOUT_FILENO);
    put_back(err, STDERR_FILENO);
    return status;
}

void desk_must(const char *words)
{
    static char text[FILE_MAX];
    int status = desk_call(words);

    if (status == 0)
        return;
    (void)read_file("err", text);
    fail_msg("card %s: %d: %s", words, status, text);
}

int desk_call_with_fault(const char *words, piv_fault_kind fault, unsigned long at)
{
    int status;

    the_desk.fault = fault;
    the_desk.fault_at = at;
    status = desk_call(words);
    the_desk.fault = PIV_FAULT_NONE;
    return status;
}

/* A line of the log: a number, the header in hex, size and status word. */
unsigned long desk_commands(const char *instruction)
{
    static char text[FILE_MAX];
    unsigned long n = 0;
    char *rest;

    (void)read_file("log", text);
    for (const char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *header = strchr(line, ' ');

        n += header != NULL &&
             (instruction == NULL || strncmp(header + 3, instruction, strlen(instruction)) == 0);
    }
    return n;
}

/* -- what the card has */

bool desk_card_has_pin(const char *name, const char *pin)
{
    uint8_t padded[PIV_PIN_SIZE];
    char hex[2 * PIV_PIN_SIZE + 1], line[64];

    memset(padded, 0xff, sizeof padded);
    memcpy(padded, pin, strnlen(pin, sizeof padded));
    cs_hex(CS_VIEW_ARRAY(padded), hex);
    (void)snprintf(line, sizeof line, "%s %s 3 3", name, hex);
    return desk_has("card", line);
}

bool desk_card_has_admin(const char *hex)
{
    char line[128];

    (void)snprintf(line, sizeof line, "admin %s %s", the_desk.aes ? "a" : "3", hex);
    return desk_has("card", line);
}

bool desk_card_has_key(uint8_t reference, const char *name)
{
    static char text[FILE_MAX];
    uint8_t public_key[65], puk[33];
    cs_buf private_key = {0};
    char begin[32], hex[2 * 33 + 1];
    const char *found;
    bool is = false;

    (void)snprintf(begin, sizeof begin, "\nkey %x 1 0 0 ", reference);
    (void)read_file("card", text);
    found = strstr(text, begin);
    if (found == NULL)
        return false;
    found += strlen(begin);
    text[(size_t)(found - text) + 64] = '\0';
    if (cs_unhex(&private_key, found, NULL) == CS_OK && private_key.n == 32 &&
        cs_p256_public(public_key, private_key.p, NULL) == CS_OK &&
        cs_p256_compress(puk, CS_VIEW_ARRAY(public_key), NULL) == CS_OK) {
        cs_hex(CS_VIEW_ARRAY(puk), hex);
        is = strcmp(desk_record(name), hex) == 0;
    }
    cs_buf_free(&private_key);
    return is;
}

bool desk_card_has_certificate(const char *tag, const char *file)
{
    static char pem[FILE_MAX], text[FILE_MAX], hex[FILE_MAX], begin[32];
    cs_buf der = {0};
    const char *line, *end, *at;

    (void)read_file(file, pem);
    assert_ok(cs_pem_decode(&der, "CERTIFICATE", cs_view_str(pem), error));
    cs_hex(cs_view_buf(&der), hex);
    cs_buf_free(&der);
    (void)read_file("card", text);
    (void)snprintf(begin, sizeof begin, "\nobject %s ", tag);
    line = strstr(text, begin);
    end = line == NULL ? NULL : strchr(line + 1, '\n');
    at = line == NULL ? NULL : strstr(line, hex);
    return at != NULL && end != NULL && at < end;
}

/* -- an authority */

static void extend(X509 *certificate, const char *usage)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static EVP_PKEY *public_key_of_record(const char *name)
{
    cs_buf puk = {0}, der = {0};
    const uint8_t *p;
    EVP_PKEY *key;

    assert_ok(cs_unhex(&puk, desk_record(name), error));
    assert_int_equal(puk.n, 33);
    assert_ok(cs_public_key_encode(&der, cs_view_buf(&puk), error));
    p = der.p;
    key = d2i_PUBKEY(NULL, &p, (long)der.n);
    assert_non_null(key);
    cs_buf_free(&puk);
    cs_buf_free(&der);
    return key;
}

void desk_certify(const char *name, bool signs, const char *file)
{
    static int serial;
    EVP_PKEY *ca = EVP_EC_gen("P-256"), *key = public_key_of_record(name);
    X509 *certificate = X509_new();
    X509_NAME *holder = X509_NAME_new();
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_int_equal(X509_NAME_add_entry_by_txt(
                         holder, "CN", MBSTRING_ASC, (const unsigned char *)"Dr. Ada", -1, -1, 0),
        1);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial), 1);
    assert_int_equal(X509_set_subject_name(certificate, holder), 1);
    assert_int_equal(X509_set_issuer_name(certificate, holder), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    extend(certificate, signs ? "critical,digitalSignature" : "critical,keyAgreement");
    assert_true(X509_sign(certificate, ca, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(out, certificate), 1);
    assert_int_equal(fclose(out), 0);
    X509_NAME_free(holder);
    X509_free(certificate);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca);
}
