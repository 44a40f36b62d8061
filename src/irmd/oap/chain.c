#include "oap/chain.h"
