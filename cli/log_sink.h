/* Log sink: one line per event on stderr, "time level id text". */
#ifndef WEIR_CLI_LOG_SINK_H
#define WEIR_CLI_LOG_SINK_H

/* Sets the sink and takes WEIR_LOG_LEVEL. */
void cl_log_open(void);
/* "error" | "warn" | "info" | "debug"; BS_EINVAL for any other. */
int cl_log_level_set(const char *name);

#endif
