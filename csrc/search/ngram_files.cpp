#include "search/ngram_files.h"

#include <stdexcept>

#include "search/kenlm_file.h"

namespace unrolled::search {

namespace {

std::shared_ptr<const NGramImage> load_any(const std::string& path, bool check) {
  const MappedMemory file(path);
  if (is_ngram_image(file.bytes())) return std::make_shared<const NGramImage>(path, check);
  if (is_kenlm(file.bytes())) return read_kenlm(file.bytes(), path);
  throw std::invalid_argument(path + ": neither a model in the format of this package nor one of KenLM's");
}

}  // namespace

std::shared_ptr<const NGramImage> load_binary(const std::string& path, bool check, const std::string& unit) {
  const auto image = load_any(path, check);
  if (unit.empty() || unit == image->header().unit) return image;
  return std::make_shared<const NGramImage>(*image, unit);
}

}  // namespace unrolled::search
