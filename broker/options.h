/* Options: the rows of the broker that are not about logs (broker/log) or topics (broker/cluster),
 * and what they come to: addresses to listen on, addresses to tell clients, the data folder. */
#ifndef WEIR_BROKER_OPTIONS_H
#define WEIR_BROKER_OPTIONS_H

#include "lib/base/option.h"

#include <stddef.h>

extern const struct bs_option_table bk_broker_options;
/* Names of Kafka's that are accepted without effect or refused (options_known.c). */
extern const struct bs_option_table bk_known_options;

struct bk_address {
    char *host; /* "" is every address of the machine */
    uint16_t port;
    char *name; /* of the listener, "PLAINTEXT" */
};

struct bk_addresses {
    struct bk_address *listen;
    size_t listen_count;
    struct bk_address advertised; /* host NULL: tell each client the address it reached us at */
};

/* Reads listeners, advertised.listeners and the listener names. The sentence names the option and
 * the part that is wrong. */
int bk_addresses_read(const struct bs_config *config, struct bk_addresses *ret,
                      struct bs_error *err);
void bk_addresses_deinit(struct bk_addresses *addresses); /* accepts a zeroed one */
/* "HOST:PORT", "[::1]:9092", ":9092"; *ret_host is the caller's. */
int bk_address_parse(const char *text, size_t len, char **ret_host, uint16_t *ret_port);
/* log.dirs, else log.dir; more than one folder is refused. */
int bk_data_dir(const struct bs_config *config, char **ret_dir, struct bs_error *err);
/* What single rows cannot check: a quorum of several nodes, security protocols. */
int bk_options_check(const struct bs_config *config, struct bs_error *err);

#endif
