// Models in binary files, told apart by their first bytes.
#pragma once

#include <memory>
#include <string>

#include "search/ngram_image.h"

namespace unrolled::search {

// Our own format, which is mapped, and KenLM's, which are converted. `check` is whether to compare the
// checksum of our own; the unit is the file's, where none is given. Throws std::invalid_argument, with path
// and reason.
std::shared_ptr<const NGramImage> load_binary(const std::string& path, bool check, const std::string& unit);

}  // namespace unrolled::search
