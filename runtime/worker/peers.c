/* The check of a group's members. A member that just died still counts until its session ends: the
 * caller asks again for that long. Pure but for one question to the broker. */
#include "runtime/worker/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 5000 };

void rt_peers_client_id(uint64_t fingerprint, const char *process_id, int thread,
                        char out[RT_PEERS_CLIENT_ID_CAP])
{
    snprintf(out, RT_PEERS_CLIENT_ID_CAP, "weir~%016" PRIx64 "~%s~%d", fingerprint, process_id,
             thread);
}

static int check_member(const struct rd_kafka_group_member_info *member, const struct rt_plan *plan,
                        const char *process_id, struct bs_error *err)
{
    uint64_t fingerprint;
    char process[20];
    int thread;
    if (!member->client_id)
        return 0;
    if (sscanf(member->client_id, "weir~%16" SCNx64 "~%19[0-9a-f]~%d", &fingerprint, process,
               &thread) != 3)
        return bs_error_set(err, BS_ECONFLICT,
                            "group '%s' has a member that is no worker: client id '%s' at %s\n"
                            "  hint: stop it, or give the pipeline another id: weir.app{ id = … }",
                            plan->app_id, member->client_id, member->client_host);
    if (strcmp(process, process_id) == 0 || fingerprint == plan->fingerprint)
        return 0;
    return bs_error_set(err, BS_ECONFLICT,
                        "%s: group '%s' runs another version of this file at %s\n"
                        "  hint: stop that worker first, or start it with the same file",
                        plan->file, plan->app_id, member->client_host);
}

int rt_peers_check(rd_kafka_t *client, const struct rt_plan *plan, const char *process_id,
                   struct bs_error *err)
{
    const struct rd_kafka_group_list *groups = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(client, plan->app_id, &groups, ASK_TIMEOUT_MS);
    int rc = 0;
    /* An answer that does not come is no refusal: the next assignment asks again. */
    for (int g = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && g < groups->group_cnt; g++)
        for (int m = 0; m < groups->groups[g].member_cnt && rc == 0; m++)
            rc = check_member(&groups->groups[g].members[m], plan, process_id, err);
    if (groups)
        rd_kafka_group_list_destroy(groups);
    return rc;
}
