/* Peers: all members of a pipeline's group run the same file, checked.
 *
 * librdkafka has no assignor of ours and so no user data in the group; the plan's fingerprint
 * stands in each member's client id, "weir~<fingerprint>~<process id>~<thread>", which the broker
 * shows to whoever describes the group. Chosen before a topic of fingerprints because it ends with
 * the member and needs no cleaning. */
#ifndef WEIR_RUNTIME_WORKER_PEERS_H
#define WEIR_RUNTIME_WORKER_PEERS_H

#include "runtime/worker/client.h"

enum { RT_PEERS_CLIENT_ID_CAP = 80 };

void rt_peers_client_id(uint64_t fingerprint, const char *process_id, int thread,
                        char out[RT_PEERS_CLIENT_ID_CAP]);
/* BS_ECONFLICT: another process of the group runs another version of the file; says where. */
int rt_peers_check(rd_kafka_t *client, const struct rt_plan *plan, const char *process_id,
                   struct bs_error *err);

#endif
