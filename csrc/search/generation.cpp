#include "search/generation.h"
