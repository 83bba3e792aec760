/* Leader: see leader.h. One owner (see gate.h); time comes in. */
#include "schema-registry/leader.h"

#include <stdio.h>
#include <string.h>

void sr_leader_init(struct sr_leader *leader, uint64_t instance, bool eligible)
{
    *leader = (struct sr_leader){.instance = instance, .eligible = eligible, .shortcut = true};
}

static bool leaps(const struct sr_leader *leader, int64_t epoch)
{
    return epoch - leader->epoch > SR_EPOCH_LEAP || epoch > SR_EPOCH_MAX;
}

static void begin_epoch(struct sr_leader *leader, int64_t epoch, int64_t offset, const char *url,
                        uint64_t holder)
{
    if (leader->start_count == SR_EPOCHS_KEPT)
        memmove(leader->starts, leader->starts + 1, --leader->start_count * sizeof *leader->starts);
    leader->starts[leader->start_count].epoch = epoch;
    leader->starts[leader->start_count++].offset = offset;
    leader->epoch = epoch;
    leader->mine = false;
    leader->holder = holder;
    snprintf(leader->url, sizeof leader->url, "%s", url);
}

bool sr_leader_record(struct sr_leader *leader, int64_t epoch, int64_t offset)
{
    leader->records = true;
    if (epoch < 0) {
        leader->others = true;
        return true;
    }
    if (epoch < leader->epoch || leaps(leader, epoch))
        return false;
    if (epoch > leader->epoch) /* compaction has taken its claim, which a later one has followed */
        begin_epoch(leader, epoch, offset, "", 0);
    return true;
}

bool sr_leader_claim(struct sr_leader *leader, const struct sr_claim *claim, int64_t epoch,
                     int64_t offset, int64_t now_ms)
{
    bool was_mine = leader->mine;
    leader->records = true;
    if (epoch >= 0 && epoch == leader->epoch && claim->epoch == epoch) {
        snprintf(leader->url, sizeof leader->url, "%s", claim->url);
        leader->holder = claim->instance;
        leader->others = false;
        if (claim->url[0] == '\0')
            leader->mine = false;
        return true;
    }
    if (claim->epoch <= leader->epoch || (epoch >= 0 && epoch < leader->epoch) ||
        leaps(leader, claim->epoch))
        return false;
    begin_epoch(leader, claim->epoch, offset, claim->url, claim->instance);
    leader->mine = claim->instance == leader->instance && claim->url[0];
    leader->others = false;
    if (claim->instance == leader->gone)
        leader->deaf = leader->gone;
    if (leader->replayed && claim->instance != leader->instance && claim->url[0] &&
        strcmp(claim->url, leader->own_url) == 0)
        leader->twin = true;
    if (leader->replayed && !leader->mine) /* somebody is there */
        leader->shortcut = false;
    if (leader->owner && !leader->mine && (was_mine || leader->replayed))
        leader->wait_ms = now_ms + SR_RECLAIM_MS;
    return true;
}

void sr_leader_replayed(struct sr_leader *leader)
{
    leader->replayed = true;
}

bool sr_leader_gone(struct sr_leader *leader, const char *url)
{
    if (leader->mine || strcmp(leader->url, url) != 0 ||
        (leader->deaf && leader->holder == leader->deaf))
        return false;
    leader->gone = leader->holder;
    leader->shortcut = true;
    leader->url[0] = '\0';
    leader->wait_ms = 0;
    return true;
}

void sr_leader_end(struct sr_leader *leader)
{
    leader->eligible = leader->mine = leader->shortcut = false;
    leader->url[0] = '\0';
}

void sr_leader_twin(struct sr_leader *leader)
{
    leader->twin = true;
}

void sr_leader_foreign(struct sr_leader *leader, bool foreign)
{
    leader->foreign = foreign;
    if (foreign && leader->mine) {
        leader->mine = false;
        leader->url[0] = '\0';
        leader->shortcut = false;
    }
}

void sr_leader_owner(struct sr_leader *leader, bool owner)
{
    if (owner && !leader->owner)
        leader->wait_ms = 0; /* the one before is gone */
    leader->owner = owner;
}

static bool may_claim(const struct sr_leader *leader)
{
    if (leader->foreign)
        return false;
    if (leader->owner)
        return true;
    if (!leader->shortcut || leader->others || leader->twin)
        return false;
    return !leader->records || leader->url[0] == '\0' || strcmp(leader->url, leader->own_url) == 0;
}

int64_t sr_leader_wants(const struct sr_leader *leader, int64_t now_ms, int64_t *ret_wait_ms)
{
    *ret_wait_ms = INT64_MAX;
    if (!leader->eligible || !leader->replayed || leader->own_url[0] == '\0' || leader->claiming ||
        leader->mine || !may_claim(leader))
        return 0;
    if (now_ms < leader->wait_ms) {
        *ret_wait_ms = leader->wait_ms - now_ms;
        return 0;
    }
    return leader->epoch < SR_EPOCH_MAX ? leader->epoch + 1 : 0;
}

void sr_leader_claim_begin(struct sr_leader *leader)
{
    leader->claiming = true;
}

void sr_leader_claim_end(struct sr_leader *leader, int64_t now_ms)
{
    leader->claiming = false;
    if (!leader->mine && leader->wait_ms < now_ms + SR_CLAIM_RETRY_MS)
        leader->wait_ms = now_ms + SR_CLAIM_RETRY_MS;
}

void sr_leader_resign(struct sr_leader *leader, int64_t epoch)
{
    if (!leader->mine || epoch != leader->epoch)
        return;
    leader->mine = false;
    leader->shortcut = true;
    leader->url[0] = '\0';
    leader->wait_ms = 0;
}

int sr_leader_held(const struct sr_leader *leader, int64_t epoch, int64_t offset)
{
    for (size_t i = 0; i < leader->start_count; i++)
        if (leader->starts[i].epoch > epoch) {
            if (leader->starts[i].offset < offset)
                return 0;
            /* the first higher one lies behind: in force, unless an even earlier one is forgotten
             */
            return i > 0 || leader->start_count < SR_EPOCHS_KEPT ? 1 : -1;
        }
    return 1;
}
