#include "crypt/record.h"
