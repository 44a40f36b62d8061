#include "crypt/secret.h"
