#include "crypt/kex.h"
