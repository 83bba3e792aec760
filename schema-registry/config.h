/* Config: the options of the registry, with Confluent's names where they mean the same. */
#ifndef WEIR_SR_CONFIG_H
#define WEIR_SR_CONFIG_H

#include "lib/base/buf.h"
#include "lib/base/option.h"
#include "schema-registry/level.h"

extern const struct bs_option_table sr_options;

struct sr_settings {
    char listen[256];
    const char *listen_source; /* "--listen", "default", …; owned by the bs_config */
    const char *bootstrap, *topic, *properties; /* owned by the bs_config */
    enum sr_level level;
    int replication, threads;
    int64_t timeout_ms, init_ms, wait_ms;
    const char *group, *host; /* host NULL: from the listener, or the machine's name */
    bool eligible;
    int64_t body_max;
    const char *users, *realm, *open_paths; /* users NULL: nobody has to sign in */
    int connections;
    unsigned slow_ms;
    int64_t bodies_max;
    bool reject_empty; /* subjects "" and "*" */
};

/* {"name":value,…} of the options that all registries on one topic should have alike. */
void sr_settings_put_shared(const struct sr_settings *settings, struct bs_buf *out);
int sr_settings_read(const struct bs_config *config, struct sr_settings *ret, struct bs_error *err);

#endif
