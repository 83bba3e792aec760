/* Describe: `weir pipeline FILE.lua`: what a pipeline is made of, without a broker. */
#ifndef WEIR_RUNTIME_WORKER_DESCRIBE_H
#define WEIR_RUNTIME_WORKER_DESCRIBE_H

int rt_describe_main(int argc, char **argv);

#endif
