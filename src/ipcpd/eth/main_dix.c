#include "ipcpd/shim/shim.h"
#include "ipcpd/eth/eth.h"

int main(int argc, char *argv[])
{
        return shim_main(&eth_dix_link, argc, argv);
}
