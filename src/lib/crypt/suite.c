#include "crypt/suite.h"
