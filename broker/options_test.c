/* Options: no name twice over all tables, addresses in every form, what is refused and why. */
#include "broker/broker.h"
#include "broker/options.h"
#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct bs_config *config_with(const char *const *pairs)
{
    struct bs_config *config = bs_config_new(bk_role.tables, bk_role.table_count);
    struct bs_error err = {0};
    for (; *pairs; pairs += 2)
        if (bs_config_set(config, pairs[0], pairs[1], "test", &err))
            fail_msg("%s", err.text);
    return config;
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (size_t t = 0; t < bk_role.table_count; t++)
        for (size_t i = 0; i < bk_role.tables[t]->count; i++)
            for (size_t u = t; u < bk_role.table_count; u++)
                for (size_t k = u == t ? i + 1 : 0; k < bk_role.tables[u]->count; k++)
                    assert_string_not_equal(bk_role.tables[t]->rows[i].name,
                                            bk_role.tables[u]->rows[k].name);
}

static void check_address(const char *text, const char *host, uint16_t port)
{
    char *found = NULL;
    uint16_t found_port = 0;
    int rc = bk_address_parse(text, strlen(text), &found, &found_port);
    if (!host) {
        assert_int_not_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, 0);
    assert_string_equal(found, host);
    assert_int_equal(found_port, port);
    bs_free(found);
}

static void test_addresses(void **state)
{
    (void)state;
    check_address("127.0.0.1:9092", "127.0.0.1", 9092);
    check_address(":9092", "", 9092);
    check_address("[::1]:0", "::1", 0);
    check_address("host.example:65535", "host.example", 65535);
    check_address("::1:9092", NULL, 0);
    check_address("host", NULL, 0);
    check_address("host:", NULL, 0);
    check_address("host:65536", NULL, 0);
    check_address("host:-1", NULL, 0);
    check_address("host:9092x", NULL, 0);
}

static void test_listeners(void **state)
{
    const char *const kraft[] = {"listeners",
                                 "PLAINTEXT://:9092, CONTROLLER://:9093,LOCAL://127.0.0.1:9094",
                                 "controller.listener.names",
                                 "CONTROLLER",
                                 "listener.security.protocol.map",
                                 "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOCAL:PLAINTEXT",
                                 "advertised.listeners",
                                 "PLAINTEXT://kafka.example:19092",
                                 "controller.quorum.voters",
                                 "1@localhost:9093",
                                 NULL};
    struct bs_config *config = config_with(kraft);
    struct bk_addresses addresses;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(bk_options_check(config, &err), 0);
    assert_int_equal(bk_addresses_read(config, &addresses, &err), 0);
    assert_int_equal(addresses.listen_count, 2);
    assert_string_equal(addresses.listen[0].host, "");
    assert_int_equal(addresses.listen[1].port, 9094);
    assert_string_equal(addresses.advertised.host, "kafka.example");
    assert_int_equal(addresses.advertised.port, 19092);
    bk_addresses_deinit(&addresses);
    bs_config_free(config);
}

static void refuse(const char *name, const char *value, const char *says)
{
    const char *const pair[] = {name, value, NULL};
    struct bs_config *config = config_with(pair);
    struct bk_addresses addresses;
    struct bs_error err = {0};
    char *dir = NULL;
    int rc = bk_options_check(config, &err);
    if (!rc)
        rc = bk_addresses_read(config, &addresses, &err);
    if (!rc) {
        bk_addresses_deinit(&addresses);
        rc = bk_data_dir(config, &dir, &err);
    }
    assert_int_not_equal(rc, 0);
    assert_non_null(strstr(err.text, name));
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    bs_config_free(config);
}

static void test_refused(void **state)
{
    struct bs_config *config = bs_config_new(bk_role.tables, bk_role.table_count);
    struct bs_error err = {0};
    (void)state;
    refuse("listeners", "SSL://:9093", "TLS");
    refuse("listeners", "SASL_PLAINTEXT://:9093", "SASL");
    refuse("listeners", "nonsense", "HOST:PORT");
    refuse("advertised.listeners", "PLAINTEXT://:9092", "host");
    refuse("controller.quorum.voters", "1@a:1,2@b:1,3@c:1", "one node");
    refuse("log.dirs", "/a,/b", "one folder");
    refuse("group.min.session.timeout.ms", "3600000", "group.max.session.timeout.ms");
    /* By name alone. */
    assert_int_not_equal(bs_config_set(config, "authorizer.class.name", "org.Acl", "test", &err),
                         0);
    assert_int_not_equal(bs_config_set(config, "ssl.keystore.location", "/k", "test", &err), 0);
    assert_int_not_equal(bs_config_set(config, "sasl.enabled.mechanisms", "PLAIN", "test", &err),
                         0);
    /* Harmless: taken, with a warning. */
    assert_int_equal(bs_config_set(config, "num.network.threads", "3", "test", &err), 0);
    assert_non_null(strstr(bs_config_warning(config, 0), "num.network.threads"));
    bs_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
