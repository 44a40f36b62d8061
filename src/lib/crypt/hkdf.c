#include "crypt/hkdf.h"
