/* weir dev: broker, registry and worker in one process, each on its own port, talking to each other
 * as separate processes would. Options of all three are taken; those that say who listens where and
 * which data is whose are set by dev itself. */
#include "broker/broker.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/health_http.h"
#include "cli/module.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BROKER, REGISTRY, WORKER, ROLES };
enum { KEY_REGISTRY = 0x2000, KEY_WORKER, KEY_HTTP, KEY_UNTIL, KEY_CONNECTOR };

struct dev {
    struct cl_args args;
    const char *data, *listen, *registry, *worker;
    bool until_caught_up;
    const struct bs_role *roles[ROLES];
    const struct bs_option_table **tables; /* of all roles */
    size_t table_count;
    struct bs_config *merged;
    struct cl_service services[ROLES];
    size_t open_count;
    struct cl_health_http *health;
};

static const struct argp_option OPTIONS[] = {
    {.name = "data",
     .key = 'd',
     .arg = "DIR",
     .doc = "Folder of all data; default weir/dev in $XDG_STATE_HOME or ~/.local/state"},
    {.name = "listen", .key = 'l', .arg = "HOST:PORT", .doc = "Broker; default 127.0.0.1:9092"},
    {.name = "registry",
     .key = KEY_REGISTRY,
     .arg = "HOST:PORT",
     .doc = "Schema registry; default 127.0.0.1:8081"},
    {.name = "worker",
     .key = KEY_WORKER,
     .arg = "HOST:PORT",
     .doc = "Worker's REST; default 127.0.0.1:8083"},
    {.name = "http",
     .key = KEY_HTTP,
     .arg = "HOST:PORT",
     .doc = "The broker's /health and /metrics; default 127.0.0.1:9180"},
    {.name = "connector",
     .key = KEY_CONNECTOR,
     .arg = "FILE.json",
     .doc = "Create this connector at start, or update it; may be repeated"},
    {.name = "until-caught-up",
     .key = KEY_UNTIL,
     .doc = "End when bounded sources are complete, nothing is left to read and sinks have "
            "committed"},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct dev *dev = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &dev->args;
        return 0;
    case 'd':
        dev->data = arg;
        return 0;
    case 'l':
        dev->listen = arg;
        return 0;
    case KEY_REGISTRY:
        dev->registry = arg;
        return 0;
    case KEY_WORKER:
        dev->worker = arg;
        return 0;
    case KEY_HTTP:
        cl_args_flag(&dev->args, "http", arg, "--http");
        return 0;
    case KEY_UNTIL:
        dev->until_caught_up = true;
        return 0;
    case KEY_CONNECTOR:
        cl_args_file(&dev->args, "connector:", arg);
        return 0;
    case ARGP_KEY_ARG:
        cl_args_file(&dev->args, "", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int find_roles(struct dev *dev, struct bs_error *err)
{
    static const char *const NAMES[] = {[REGISTRY] = "registry", [WORKER] = "worker"};
    dev->roles[BROKER] = &bk_role;
    for (int i = REGISTRY; i < ROLES; i++) {
        int rc = cl_module_role(NAMES[i], &dev->roles[i], err);
        if (rc != 0)
            return rc;
    }
    for (int i = 0; i < ROLES; i++)
        dev->table_count += dev->roles[i]->table_count;
    dev->table_count++;
    dev->tables = bs_array(dev->table_count, sizeof *dev->tables);
    dev->tables[dev->table_count - 1] = &cl_health_http_options;
    for (size_t i = 0, at = 0; i < ROLES; i++)
        for (size_t j = 0; j < dev->roles[i]->table_count; j++)
            dev->tables[at++] = dev->roles[i]->tables[j];
    return 0;
}

/* What dev sets by its own flags may come from nowhere else: one name would mean several roles. */
static int check_owned(const struct dev *dev, struct bs_error *err)
{
    static const struct {
        const char *option, *flags;
    } OWNED[] = {
        {"listeners", "--listen, --registry and --worker"},
        {"log.dirs", "--data"},
        {"state.dir", "--data"},
        {"bootstrap.servers", "--listen"},
        {"kafkastore.bootstrap.servers", "--listen"},
        {"schema.registry.url", "--registry"},
    };
    for (size_t i = 0; i < sizeof OWNED / sizeof OWNED[0]; i++)
        if (bs_config_is_set(dev->merged, OWNED[i].option))
            return bs_error_set(err, BS_EINVAL, "%s: option '%s' is set by %s here",
                                bs_config_source(dev->merged, OWNED[i].option), OWNED[i].option,
                                OWNED[i].flags);
    return 0;
}

/* The values of `role`'s own rows, from the merged config to one of its own. */
static int split_config(const struct dev *dev, const struct bs_role *role, struct bs_config **ret,
                        struct bs_error *err)
{
    struct bs_config *config = bs_config_new(role->tables, role->table_count);
    int rc = 0;
    for (size_t i = 0; i < role->table_count; i++)
        for (size_t j = 0; j < role->tables[i]->count && rc == 0; j++) {
            const char *name = role->tables[i]->rows[j].name;
            if (bs_config_is_set(dev->merged, name))
                rc = bs_config_set(config, name, bs_config_text(dev->merged, name),
                                   bs_config_source(dev->merged, name), err);
        }
    *ret = config;
    return rc;
}

static int make_folders(char *path, struct bs_error *err)
{
    for (char *at = path + 1;; at++) {
        char saved = *at;
        if (saved != '/' && saved != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return bs_error_sys(err, errno, "cannot make folder %s", path);
        *at = saved;
        if (saved == '\0')
            return 0;
    }
}

static char *default_data(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state)
        return bs_asprintf("%s/weir/dev", state);
    return bs_asprintf("%s/.local/state/weir/dev", home && *home ? home : "/var/tmp");
}

/* An address to connect to: who listens everywhere is reached here. */
static char *reachable(const char *prefix, const char *listen)
{
    if (strncmp(listen, "0.0.0.0:", 8) == 0)
        return bs_asprintf("%s127.0.0.1:%s", prefix, listen + 8);
    if (strncmp(listen, "[::]:", 5) == 0)
        return bs_asprintf("%s[::1]:%s", prefix, listen + 5);
    return bs_asprintf("%s%s", prefix, listen);
}

static int set_owned(struct cl_service *service, const char *name, char *value, const char *source,
                     struct bs_error *err)
{
    int rc = bs_config_set(service->config, name, value, source, err);
    bs_free(value);
    return rc;
}

static int configure(struct dev *dev, int which, const char *data, struct bs_error *err)
{
    struct cl_service *service = &dev->services[which];
    const char *const listen[] = {dev->listen, dev->registry, dev->worker};
    static const char *const FLAGS[] = {"--listen", "--registry", "--worker"};
    int rc = split_config(dev, service->role, &service->config, err);
    char *path;
    if (rc == 0)
        rc = bs_config_set(service->config, "listeners", listen[which], FLAGS[which], err);
    if (rc != 0 || which == REGISTRY)
        goto addresses;
    path = bs_asprintf("%s/%s", data, which == BROKER ? "broker" : "worker");
    rc = make_folders(path, err);
    if (rc != 0)
        bs_free(path);
    else
        rc = set_owned(service, which == BROKER ? "log.dirs" : "state.dir", path, "--data", err);
    if (rc == 0 && which == BROKER &&
        !bs_config_is_set(service->config, "group.initial.rebalance.delay.ms"))
        rc = bs_config_set(service->config, "group.initial.rebalance.delay.ms", "0", "weir dev",
                           err);
addresses:
    if (rc == 0 && which != BROKER)
        rc = set_owned(service,
                       which == REGISTRY ? "kafkastore.bootstrap.servers" : "bootstrap.servers",
                       reachable("", dev->services[BROKER].listen), "--listen", err);
    if (rc == 0 && which == WORKER)
        rc = set_owned(service, "schema.registry.url",
                       reachable("http://", dev->services[REGISTRY].listen), "--registry", err);
    return rc;
}

static int open_health(struct dev *dev, struct bs_error *err)
{
    const char *http = bs_config_text(dev->merged, "http");
    return cl_health_http_open(http ? http : "127.0.0.1:9180", &dev->services[BROKER], &dev->health,
                               err);
}

/* Opens the roles in order; each learns the addresses of those before it. */
static int open_roles(struct dev *dev, const char *data, struct bs_error *err)
{
    for (int i = 0; i < ROLES && !cl_signal_seen(); i++) {
        const char *const *files = i == WORKER ? dev->args.files : NULL;
        int rc;
        dev->services[i].role = dev->roles[i];
        rc = configure(dev, i, data, err);
        if (rc == 0)
            rc = cl_service_open(&dev->services[i], files, err);
        dev->open_count = (size_t)i + 1;
        if (rc == 0 && i != WORKER)
            rc = cl_service_settle(&dev->services[i], err);
        if (rc != 0)
            return bs_error_wrap(err, "%s", dev->roles[i]->name);
        if (i == BROKER)
            rc = open_health(dev, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int run(struct dev *dev)
{
    struct bs_error err = {0};
    char *data = dev->data ? bs_strdup(dev->data) : default_data();
    int status = CL_FAILED;
    if (find_roles(dev, &err) != 0)
        goto done;
    if (dev->args.list_options) {
        cl_args_print_options(dev->tables, dev->table_count);
        status = CL_OK;
        goto done;
    }
    if (cl_args_config(&dev->args, dev->tables, dev->table_count, &dev->merged, &err) != 0 ||
        check_owned(dev, &err) != 0) {
        status = cl_args_status(&err);
        goto done;
    }
    if (make_folders(data, &err) != 0)
        goto done;
    cl_signal_open();
    if (open_roles(dev, data, &err) == 0)
        status = cl_signal_seen()
                     ? CL_OK
                     : cl_service_wait(dev->services, ROLES, dev->until_caught_up, &err);
done:
    if (status != CL_OK)
        cl_fail("dev", &err);
    bs_free(data);
    return status;
}

int cl_dev_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {{.argp = &cl_args_argp}, {0}};
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = "[PIPELINE.lua...]",
        .doc = "Runs broker, registry and worker in one process, for work on pipelines and for "
               "small installations. A port of 0 lets the system choose.",
        .children = CHILDREN};
    struct dev dev = {
        .listen = "127.0.0.1:9092", .registry = "127.0.0.1:8081", .worker = "127.0.0.1:8083"};
    int status;
    cl_args_init(&dev.args, "dev");
    cl_args_parse(&ARGP, argc, argv, &dev, "dev");
    status = run(&dev);
    for (size_t i = dev.open_count; i-- > 0;) {
        if (i == BROKER)
            cl_health_http_close(dev.health);
        cl_service_close(&dev.services[i]);
    }
    bs_config_free(dev.merged);
    bs_free(dev.tables);
    cl_args_deinit(&dev.args);
    return status;
}
