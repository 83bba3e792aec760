/* Errors of the Kafka protocol: number, name, whether the same request may succeed later, a
 * sentence. Facts (numbers, names, retriable) of Apache Kafka 4.3.1; the sentences are Weir's. */
#ifndef WEIR_KAFKA_ERRORS_H
#define WEIR_KAFKA_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/* X(name, code, retriable, text) */
#define KP_ERRORS(X) \
    X(UNKNOWN_SERVER_ERROR, -1, false, "The server failed in a way it has no code for.") \
    X(NONE, 0, false, "No error.") \
    X(OFFSET_OUT_OF_RANGE, 1, false, "The offset is outside the range the partition holds.") \
    X(CORRUPT_MESSAGE, 2, true, "The message does not pass its CRC or is malformed.") \
    X(UNKNOWN_TOPIC_OR_PARTITION, 3, true, "This server does not host this topic-partition.") \
    X(INVALID_FETCH_SIZE, 4, false, "The fetch size is not valid.") \
    X(LEADER_NOT_AVAILABLE, 5, true, "The partition has no leader at the moment.") \
    X(NOT_LEADER_OR_FOLLOWER, 6, true, \
      "This broker is not the leader or a follower of the partition.") \
    X(REQUEST_TIMED_OUT, 7, true, "The request timed out.") \
    X(BROKER_NOT_AVAILABLE, 8, false, "The broker is not available.") \
    X(REPLICA_NOT_AVAILABLE, 9, true, "The replica is not available for this topic-partition.") \
    X(MESSAGE_TOO_LARGE, 10, false, "The message is larger than the server accepts.") \
    X(STALE_CONTROLLER_EPOCH, 11, false, "The controller moved to another broker.") \
    X(OFFSET_METADATA_TOO_LARGE, 12, false, "The metadata of the offset commit is too long.") \
    X(NETWORK_EXCEPTION, 13, true, "The connection ended before a response came.") \
    X(COORDINATOR_LOAD_IN_PROGRESS, 14, true, \
      "The coordinator is loading and cannot answer yet.") \
    X(COORDINATOR_NOT_AVAILABLE, 15, true, "The coordinator is not available.") \
    X(NOT_COORDINATOR, 16, true, "This is not the right coordinator.") \
    X(INVALID_TOPIC_EXCEPTION, 17, false, \
      "The topic name is not valid or the topic may not be used so.") \
    X(RECORD_LIST_TOO_LARGE, 18, false, "The batch is larger than a segment of the partition.") \
    X(NOT_ENOUGH_REPLICAS, 19, true, "Fewer replicas are in sync than required.") \
    X(NOT_ENOUGH_REPLICAS_AFTER_APPEND, 20, true, \
      "The records were written, to fewer in-sync replicas than required.") \
    X(INVALID_REQUIRED_ACKS, 21, false, "The value of acks is not valid.") \
    X(ILLEGAL_GENERATION, 22, false, "The generation is not the group's current one.") \
    X(INCONSISTENT_GROUP_PROTOCOL, 23, false, \
      "The member's protocol type or protocols do not fit the group's.") \
    X(INVALID_GROUP_ID, 24, false, "The group id is not valid.") \
    X(UNKNOWN_MEMBER_ID, 25, false, "The coordinator does not know this member.") \
    X(INVALID_SESSION_TIMEOUT, 26, false, \
      "The session timeout is outside the range the broker allows.") \
    X(REBALANCE_IN_PROGRESS, 27, false, "The group is rebalancing; join again.") \
    X(INVALID_COMMIT_OFFSET_SIZE, 28, false, "The offsets to commit are too many bytes.") \
    X(TOPIC_AUTHORIZATION_FAILED, 29, false, "Not allowed on this topic.") \
    X(GROUP_AUTHORIZATION_FAILED, 30, false, "Not allowed on this group.") \
    X(CLUSTER_AUTHORIZATION_FAILED, 31, false, "Not allowed on the cluster.") \
    X(INVALID_TIMESTAMP, 32, false, "The timestamp of the message is out of the allowed range.") \
    X(UNSUPPORTED_SASL_MECHANISM, 33, false, "The broker does not support this SASL mechanism.") \
    X(ILLEGAL_SASL_STATE, 34, false, \
      "The request does not fit the state of the SASL handshake.") \
    X(UNSUPPORTED_VERSION, 35, false, "The broker does not support this version of the API.") \
    X(TOPIC_ALREADY_EXISTS, 36, false, "A topic of this name exists.") \
    X(INVALID_PARTITIONS, 37, false, \
      "The number of partitions is below 1 or not larger than before.") \
    X(INVALID_REPLICATION_FACTOR, 38, false, \
      "The replication factor is below 1 or above the number of brokers.") \
    X(INVALID_REPLICA_ASSIGNMENT, 39, false, "The replica assignment is not valid.") \
    X(INVALID_CONFIG, 40, false, "A configuration value is not valid.") \
    X(NOT_CONTROLLER, 41, true, "This is not the controller.") \
    X(INVALID_REQUEST, 42, false, \
      "The request is malformed or contradicts itself; see the broker's log.") \
    X(UNSUPPORTED_FOR_MESSAGE_FORMAT, 43, false, \
      "The message format of the broker does not support the request.") \
    X(POLICY_VIOLATION, 44, false, "A policy refuses the parameters.") \
    X(OUT_OF_ORDER_SEQUENCE_NUMBER, 45, false, \
      "The sequence number is not the one that follows.") \
    X(DUPLICATE_SEQUENCE_NUMBER, 46, false, "The sequence number was seen before.") \
    X(INVALID_PRODUCER_EPOCH, 47, false, "The producer's epoch is older than the newest known.") \
    X(INVALID_TXN_STATE, 48, false, "The transaction's state does not allow this.") \
    X(INVALID_PRODUCER_ID_MAPPING, 49, false, \
      "The producer id is not the one of the transactional id.") \
    X(INVALID_TRANSACTION_TIMEOUT, 50, false, \
      "The transaction timeout is above the broker's maximum.") \
    X(CONCURRENT_TRANSACTIONS, 51, true, "Another operation on this transaction is under way.") \
    X(TRANSACTION_COORDINATOR_FENCED, 52, false, \
      "A newer coordinator has taken over the transaction.") \
    X(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 53, false, \
      "Not allowed with this transactional id.") \
    X(SECURITY_DISABLED, 54, false, "Security features are off.") \
    X(OPERATION_NOT_ATTEMPTED, 55, false, \
      "Not tried, since another part of the request failed.") \
    X(KAFKA_STORAGE_ERROR, 56, true, "The broker could not read or write its log.") \
    X(LOG_DIR_NOT_FOUND, 57, false, "The log directory is not there.") \
    X(SASL_AUTHENTICATION_FAILED, 58, false, "SASL authentication failed.") \
    X(UNKNOWN_PRODUCER_ID, 59, false, "The broker does not know the producer id.") \
    X(REASSIGNMENT_IN_PROGRESS, 60, false, "A reassignment of the partition is under way.") \
    X(DELEGATION_TOKEN_AUTH_DISABLED, 61, false, "Delegation tokens are off.") \
    X(DELEGATION_TOKEN_NOT_FOUND, 62, false, "No such delegation token.") \
    X(DELEGATION_TOKEN_OWNER_MISMATCH, 63, false, \
      "Only the owner or a renewer may change the delegation token.") \
    X(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 64, false, \
      "Delegation tokens cannot be asked for on this connection.") \
    X(DELEGATION_TOKEN_AUTHORIZATION_FAILED, 65, false, "Not allowed with delegation tokens.") \
    X(DELEGATION_TOKEN_EXPIRED, 66, false, "The delegation token is no longer valid.") \
    X(INVALID_PRINCIPAL_TYPE, 67, false, "The principal type is not valid.") \
    X(NON_EMPTY_GROUP, 68, false, "The group has members.") \
    X(GROUP_ID_NOT_FOUND, 69, false, "No such group.") \
    X(FETCH_SESSION_ID_NOT_FOUND, 70, true, "No such fetch session.") \
    X(INVALID_FETCH_SESSION_EPOCH, 71, true, \
      "The epoch of the fetch session is not the expected one.") \
    X(LISTENER_NOT_FOUND, 72, true, "The leader has no listener of this name.") \
    X(TOPIC_DELETION_DISABLED, 73, false, "Deleting topics is switched off.") \
    X(FENCED_LEADER_EPOCH, 74, true, \
      "The leader epoch in the request is older than the broker's.") \
    X(UNKNOWN_LEADER_EPOCH, 75, true, \
      "The leader epoch in the request is newer than the broker's.") \
    X(UNSUPPORTED_COMPRESSION_TYPE, 76, false, \
      "The client's version does not support this compression.") \
    X(STALE_BROKER_EPOCH, 77, false, "The broker epoch has changed.") \
    X(OFFSET_NOT_AVAILABLE, 78, true, "The new leader's high watermark has not caught up yet.") \
    X(MEMBER_ID_REQUIRED, 79, false, "The member must join again with the id given here.") \
    X(PREFERRED_LEADER_NOT_AVAILABLE, 80, true, "The preferred leader is not available.") \
    X(GROUP_MAX_SIZE_REACHED, 81, false, "The group has as many members as it may have.") \
    X(FENCED_INSTANCE_ID, 82, false, "Another member with the same instance id took over.") \
    X(ELIGIBLE_LEADERS_NOT_AVAILABLE, 83, true, "No eligible leader is available.") \
    X(ELECTION_NOT_NEEDED, 84, true, "The partition needs no election.") \
    X(NO_REASSIGNMENT_IN_PROGRESS, 85, false, "No reassignment is under way.") \
    X(GROUP_SUBSCRIBED_TO_TOPIC, 86, false, "The group is subscribed to this topic.") \
    X(INVALID_RECORD, 87, false, "A record failed the broker's validation.") \
    X(UNSTABLE_OFFSET_COMMIT, 88, true, "There are offsets of a transaction not decided yet.") \
    X(THROTTLING_QUOTA_EXCEEDED, 89, true, "The quota is used up.") \
    X(PRODUCER_FENCED, 90, false, "A newer producer with this transactional id took over.") \
    X(RESOURCE_NOT_FOUND, 91, false, "The request names something that is not there.") \
    X(DUPLICATE_RESOURCE, 92, false, "The request names the same thing twice.") \
    X(UNACCEPTABLE_CREDENTIAL, 93, false, "The credential does not meet the requirements.") \
    X(INCONSISTENT_VOTER_SET, 94, false, "The set of voters is not the expected one.") \
    X(INVALID_UPDATE_VERSION, 95, false, "The update version is not valid.") \
    X(FEATURE_UPDATE_FAILED, 96, false, "The features could not be updated.") \
    X(PRINCIPAL_DESERIALIZATION_FAILURE, 97, false, \
      "The principal of the forwarded request cannot be read.") \
    X(SNAPSHOT_NOT_FOUND, 98, false, "No such snapshot.") \
    X(POSITION_OUT_OF_RANGE, 99, false, "The position is outside the snapshot.") \
    X(UNKNOWN_TOPIC_ID, 100, true, "This server does not host a topic of this id.") \
    X(DUPLICATE_BROKER_REGISTRATION, 101, false, "The broker id is in use.") \
    X(BROKER_ID_NOT_REGISTERED, 102, false, "The broker id is not registered.") \
    X(INCONSISTENT_TOPIC_ID, 103, true, \
      "The topic id in the log is not the one of the request.") \
    X(INCONSISTENT_CLUSTER_ID, 104, false, "The cluster id is not this cluster's.") \
    X(TRANSACTIONAL_ID_NOT_FOUND, 105, false, "No such transactional id.") \
    X(FETCH_SESSION_TOPIC_ID_ERROR, 106, true, "The fetch session mixes topic names and ids.") \
    X(INELIGIBLE_REPLICA, 107, false, "The replica may not be in the in-sync set.") \
    X(NEW_LEADER_ELECTED, 108, false, "The change took effect and a new leader was elected.") \
    X(OFFSET_MOVED_TO_TIERED_STORAGE, 109, false, "The offset was moved to tiered storage.") \
    X(FENCED_MEMBER_EPOCH, 110, false, "A newer epoch of the member took over.") \
    X(UNRELEASED_INSTANCE_ID, 111, false, "The instance id is in use by another member.") \
    X(UNSUPPORTED_ASSIGNOR, 112, false, \
      "None of the member's assignors is supported by all members.") \
    X(STALE_MEMBER_EPOCH, 113, false, \
      "The member epoch is old; ask again after the next heartbeat.") \
    X(MISMATCHED_ENDPOINT_TYPE, 114, false, \
      "The request was sent to the wrong kind of endpoint.") \
    X(UNSUPPORTED_ENDPOINT_TYPE, 115, false, "This kind of endpoint is not known.") \
    X(UNKNOWN_CONTROLLER_ID, 116, false, "The controller id is not known.") \
    X(UNKNOWN_SUBSCRIPTION_ID, 117, false, "The telemetry subscription is not the current one.") \
    X(TELEMETRY_TOO_LARGE, 118, false, "The telemetry is larger than the broker accepts.") \
    X(INVALID_REGISTRATION, 119, false, "The controller refused the registration.") \
    X(TRANSACTION_ABORTABLE, 120, false, "The transaction met an error and must be aborted.") \
    X(INVALID_RECORD_STATE, 121, false, "The state of the record does not allow this.") \
    X(SHARE_SESSION_NOT_FOUND, 122, true, "No such share session.") \
    X(INVALID_SHARE_SESSION_EPOCH, 123, true, \
      "The epoch of the share session is not the expected one.") \
    X(FENCED_STATE_EPOCH, 124, false, "The state epoch is older than the newest known.") \
    X(INVALID_VOTER_KEY, 125, false, "The voter key does not match the server's.") \
    X(DUPLICATE_VOTER, 126, false, "The voter is in the set already.") \
    X(VOTER_NOT_FOUND, 127, false, "The voter is not in the set.") \
    X(INVALID_REGULAR_EXPRESSION, 128, false, "The regular expression is not valid.") \
    X(REBOOTSTRAP_REQUIRED, 129, false, \
      "The client's metadata is too old; it must bootstrap again.") \
    X(STREAMS_INVALID_TOPOLOGY, 130, false, "The topology is not valid.") \
    X(STREAMS_INVALID_TOPOLOGY_EPOCH, 131, false, "The topology's epoch is not valid.") \
    X(STREAMS_TOPOLOGY_FENCED, 132, false, "The topology's epoch is outdated.") \
    X(SHARE_SESSION_LIMIT_REACHED, 133, true, "The limit of share sessions is reached.")
/* clang-format on */

enum kp_error {
#define KP_ERROR_ENUM(name, code, retriable, text) KP_ERR_##name = (code),
    KP_ERRORS(KP_ERROR_ENUM)
#undef KP_ERROR_ENUM
};

/* "OFFSET_OUT_OF_RANGE"; "UNKNOWN_CODE" for a number that is not in the list. Static, never NULL.
 */
const char *kp_error_name(int16_t code);
/* A sentence for a person, or for a response's error message. Static, never NULL. */
const char *kp_error_text(int16_t code);
bool kp_error_retriable(int16_t code);

#endif
