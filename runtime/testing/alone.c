/* `weir test` as a program of its own, so that the driver can be tested without modules. */
#include "runtime/testing/command.h"

int main(int argc, char **argv)
{
    return rt_test_main(argc, argv);
}
