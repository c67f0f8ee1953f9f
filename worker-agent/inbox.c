/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - epochs, sequence numbers, and a ring of settled ids. */
#include "inbox.h"

#include "base/own.h"

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){ .settled = MAP_INIT };
}

void inbox_fini(struct inbox *inbox)
{
    map_fini(&inbox->settled);
    free(inbox->ring);
}

bool inbox_epoch(struct inbox *inbox, const char *epoch)
{
    if (strcmp(inbox->epoch, epoch) == 0)
        return false;
    snprintf(inbox->epoch, sizeof inbox->epoch, "%s", epoch);
    inbox->ack = 0; /* each life of the broker counts from the start */
    inbox->held_told = false;
    return true;
}

bool inbox_take(struct inbox *inbox, int64_t seq)
{
    if (seq <= inbox->ack)
        return false;
    inbox->ack = seq;
    return true;
}

void inbox_settle(struct inbox *inbox, int64_t attempt)
{
    size_t at;

    if (attempt <= 0 || inbox_was_settled(inbox, attempt))
        return;
    if (!inbox->ring)
        inbox->ring = xcalloc(INBOX_SETTLED, sizeof *inbox->ring);
    at = inbox->ring_at++ % INBOX_SETTLED;
    if (inbox->ring[at])
        map_del(&inbox->settled, (uint64_t)inbox->ring[at]);
    inbox->ring[at] = attempt;
    map_put(&inbox->settled, (uint64_t)attempt, inbox);
}

bool inbox_was_settled(const struct inbox *inbox, int64_t attempt)
{
    return map_get(&inbox->settled, (uint64_t)attempt) != NULL;
}
