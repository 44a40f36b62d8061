#include "ipcpd/shim/shim.h"
#include "ipcpd/udp/udp.h"

int main(int argc, char *argv[])
{
        return shim_main(&udp6_link, argc, argv);
}
