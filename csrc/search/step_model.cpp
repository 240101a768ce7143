#include "search/step_model.h"
