/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of PC/SC as libykpiv asks for, with one reader and the virtual card in the process
 * itself: linked before libpcsclite, it is found instead of it. What a card does and how it fails
 * is the same; there is no daemon to wait for, so that every command of every verb can fail in
 * turn.
 */
#include "direct.h"

#include <signal.h>
#include <string.h>
#include <winscard.h>

#define PUBLIC __attribute__((visibility("default")))
#define HANDLE 1

static const char names[] = "Virtual PCD 00 00\0"; /* and the end of the list */
static piv_card card;
static bool inserted;

PUBLIC bool direct_insert(const piv_options *options)
{
    direct_eject();
    card.options = *options;
    inserted = piv_state_open(&card, NULL) == CS_OK;
    if (inserted && options->log_path != NULL)
        card.log = fopen(options->log_path, "w");
    return inserted;
}

PUBLIC void direct_eject(void)
{
    if (card.log != NULL)
        (void)fclose(card.log);
    piv_power_down(&card);
    piv_objects_clear(&card.state);
    cs_wipe(&card, sizeof card);
    card = (piv_card){0};
    inserted = false;
}

static bool present(void)
{
    return inserted && !card.pulled;
}

static LONG removed_or(LONG otherwise)
{
    return present() ? otherwise : SCARD_W_REMOVED_CARD;
}

/* -- contexts and readers */

PUBLIC LONG SCardEstablishContext(
    DWORD scope, LPCVOID reserved1, LPCVOID reserved2, LPSCARDCONTEXT context)
{
    (void)scope;
    (void)reserved1;
    (void)reserved2;
    *context = HANDLE;
    return SCARD_S_SUCCESS;
}

PUBLIC LONG SCardReleaseContext(SCARDCONTEXT context)
{
    (void)context;
    return SCARD_S_SUCCESS;
}

PUBLIC LONG SCardIsValidContext(SCARDCONTEXT context)
{
    return context == HANDLE ? SCARD_S_SUCCESS : SCARD_E_INVALID_HANDLE;
}

PUBLIC LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR readers, LPDWORD size)
{
    (void)context;
    (void)groups;
    if (readers != NULL && *size < sizeof names)
        return SCARD_E_INSUFFICIENT_BUFFER;
    if (readers != NULL)
        memcpy(readers, names, sizeof names);
    *size = sizeof names;
    return SCARD_S_SUCCESS;
}

/* -- a card */

PUBLIC LONG SCardConnect(SCARDCONTEXT context, LPCSTR reader, DWORD mode, DWORD protocols,
    LPSCARDHANDLE handle, LPDWORD protocol)
{
    (void)context;
    (void)mode;
    (void)protocols;
    if (strcmp(reader, names) != 0)
        return SCARD_E_UNKNOWN_READER;
    if (!present())
        return SCARD_E_NO_SMARTCARD;
    *handle = HANDLE;
    *protocol = SCARD_PROTOCOL_T1;
    return SCARD_S_SUCCESS;
}

static void leave(DWORD disposition)
{
    if (disposition != SCARD_LEAVE_CARD)
        piv_power_down(&card);
}

PUBLIC LONG SCardReconnect(
    SCARDHANDLE handle, DWORD mode, DWORD protocols, DWORD disposition, LPDWORD protocol)
{
    (void)handle;
    (void)mode;
    (void)protocols;
    if (!present())
        return SCARD_E_NO_SMARTCARD;
    leave(disposition);
    *protocol = SCARD_PROTOCOL_T1;
    return SCARD_S_SUCCESS;
}

PUBLIC LONG SCardDisconnect(SCARDHANDLE handle, DWORD disposition)
{
    (void)handle;
    leave(disposition);
    return SCARD_S_SUCCESS;
}

PUBLIC LONG SCardBeginTransaction(SCARDHANDLE handle)
{
    (void)handle;
    return removed_or(SCARD_S_SUCCESS);
}

PUBLIC LONG SCardEndTransaction(SCARDHANDLE handle, DWORD disposition)
{
    (void)handle;
    leave(disposition);
    return removed_or(SCARD_S_SUCCESS);
}

PUBLIC LONG SCardStatus(SCARDHANDLE handle, LPSTR reader, LPDWORD reader_size, LPDWORD state,
    LPDWORD protocol, LPBYTE atr, LPDWORD atr_size)
{
    (void)handle;
    if (reader_size != NULL) {
        if (reader != NULL && *reader_size >= sizeof names)
            memcpy(reader, names, sizeof names);
        *reader_size = sizeof names;
    }
    if (state != NULL)
        *state = SCARD_PRESENT | SCARD_POWERED | SCARD_SPECIFIC;
    if (protocol != NULL)
        *protocol = SCARD_PROTOCOL_T1;
    if (atr_size != NULL) {
        if (atr != NULL && *atr_size >= sizeof piv_atr)
            memcpy(atr, piv_atr, sizeof piv_atr);
        *atr_size = sizeof piv_atr;
    }
    return removed_or(SCARD_S_SUCCESS);
}

PUBLIC LONG SCardTransmit(SCARDHANDLE handle, const SCARD_IO_REQUEST *send_header, LPCBYTE command,
    DWORD size, SCARD_IO_REQUEST *receive_header, LPBYTE answer, LPDWORD answer_size)
{
    cs_buf response = {0};
    LONG rc = SCARD_S_SUCCESS;

    (void)handle;
    (void)send_header;
    (void)receive_header;
    if (!present())
        return SCARD_W_REMOVED_CARD;
    if (card.options.fault == PIV_FAULT_KILL_BEFORE && card.commands + 1 == card.options.fault_at)
        (void)raise(SIGKILL);
    if (!piv_transact(&card, (cs_view){command, size}, &response))
        rc = SCARD_E_NOT_TRANSACTED;
    else if (piv_fault_now(&card, PIV_FAULT_KILL_AFTER))
        (void)raise(SIGKILL);
    else if (response.n > *answer_size)
        rc = SCARD_E_INSUFFICIENT_BUFFER;
    else
        memcpy(answer, response.p, response.n);
    *answer_size = response.n;
    cs_buf_free(&response);
    return rc;
}
