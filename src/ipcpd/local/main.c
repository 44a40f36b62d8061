#include "ipcpd/common/daemon.h"
#include "ipcpd/local/local.h"

int main(int argc, char *argv[])
{
        return daemon_main(&local_ops, argc, argv);
}
