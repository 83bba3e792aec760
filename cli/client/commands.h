/* Commands: what module client carries; one file per command. */
#ifndef WEIR_CLI_CLIENT_COMMANDS_H
#define WEIR_CLI_CLIENT_COMMANDS_H

#include "cli/client/kafka.h"

int cl_topic_main(int argc, char **argv);
int cl_produce_main(int argc, char **argv);
int cl_consume_main(int argc, char **argv);
int cl_schema_main(int argc, char **argv);
int cl_connector_main(int argc, char **argv);

/* topic_describe.c: to stdout. */
int cl_topic_describe(struct cl_kafka *kafka, const struct rd_kafka_metadata_topic *topic,
                      struct bs_error *err);

#endif
