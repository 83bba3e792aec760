/* Metric: see metric.h. The list of cells is behind one lock; the cells are atomics. */
#include "lib/base/metric.h"

#include "lib/base/mem.h"

#include <inttypes.h>
#include <pthread.h>

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bs_metric *list;

void bs_metric_init(struct bs_metric *metric, const struct bs_metric_desc *desc, const char *labels)
{
    metric->desc = desc;
    metric->labels = bs_strdup(labels);
    atomic_init(&metric->value, 0);
    pthread_mutex_lock(&list_lock);
    metric->next = list;
    metric->prev = &list;
    if (list)
        list->prev = &metric->next;
    list = metric;
    pthread_mutex_unlock(&list_lock);
}

void bs_metric_deinit(struct bs_metric *metric)
{
    if (metric == NULL || metric->prev == NULL)
        return;
    pthread_mutex_lock(&list_lock);
    *metric->prev = metric->next;
    if (metric->next)
        metric->next->prev = metric->prev;
    pthread_mutex_unlock(&list_lock);
    bs_free(metric->labels);
    metric->prev = NULL;
    metric->next = NULL;
    metric->labels = NULL;
}

static void print_family(struct bs_buf *out, const struct bs_metric *first)
{
    const struct bs_metric_desc *desc = first->desc;
    bs_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", desc->name, desc->doc, desc->name,
                  desc->type == BS_COUNTER ? "counter" : "gauge");
    for (const struct bs_metric *m = first; m; m = m->next) {
        if (strcmp(m->desc->name, desc->name) != 0)
            continue;
        bs_buf_puts(out, desc->name);
        if (m->labels)
            bs_buf_printf(out, "{%s}", m->labels);
        bs_buf_printf(out, " %" PRId64 "\n", bs_metric_get(m));
    }
}

/* The format wants all cells of one name together. Descriptions are few, so a scan per name is
 * enough. */
void bs_metric_print_all(struct bs_buf *out)
{
    pthread_mutex_lock(&list_lock);
    for (const struct bs_metric *m = list; m; m = m->next) {
        const struct bs_metric *first = list;
        while (strcmp(first->desc->name, m->desc->name) != 0)
            first = first->next;
        if (first == m)
            print_family(out, m);
    }
    pthread_mutex_unlock(&list_lock);
}
