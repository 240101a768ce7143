#include "ops/decode.h"

#include <algorithm>
#include <exception>
#include <type_traits>

#include "parallel.h"

namespace unrolled {
namespace {

// Each thread copies the items that it decodes, which then lie in its cache.
template <class Score>
search::EmissionRows<Score> item_rows(const DecodeBatch<Score>& batch, int64_t classes, int64_t n) {
  const int64_t at = n * batch.T * classes;
  const Score* scores = batch.scores + at;
  if (batch.copy) {
    std::copy_n(scores, batch.lengths[n] * classes, batch.copy + at);
    scores = batch.copy + at;
  }
  return {batch.lengths[n],
          classes,
          scores,
          batch.allowed ? batch.allowed + n * batch.allowed_item_stride : nullptr,
          batch.allowed_frame_stride,
          n};
}

template <class Real, class Score>
std::vector<std::vector<search::Hypothesis>> decode_in(const search::BeamSettings& settings,
                                                       const search::Fusion* fusion,
                                                       const DecodeBatch<Score>& batch, int64_t count,
                                                       search::IdleStreams<Real>& idle,
                                                       Interrupt& interrupt) {
  std::vector<std::vector<search::Hypothesis>> found(static_cast<std::size_t>(batch.N));
  std::vector<std::exception_ptr> errors(found.size());
  const bool serial = fusion && fusion->needs_python();
  const auto decode_item = [&](int64_t n) {
    const auto i = static_cast<std::size_t>(n);
    try {
      if (interrupt.requested()) return;
      auto stream = idle.take(settings, fusion);
      stream->push(item_rows(batch, settings.classes, n), interrupt);
      found[i] = stream->best(count, true);
      if (!serial) idle.give(std::move(stream));  // else it holds objects of Python
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  const int64_t work = serial ? 0 : batch.N * batch.T * settings.classes;
  parallel_for(batch.N, work, decode_item);
  for (const std::exception_ptr& error : errors) {  // that of the first item, on any number of threads
    if (error) std::rethrow_exception(error);
  }
  return found;
}

}  // namespace

bool decodes_in_float(const search::BeamSettings& settings, const search::Fusion* fusion) {
  return !fusion && settings.beam_width > 0;
}

template <class Score>
std::vector<std::vector<search::Hypothesis>> decode(const search::BeamSettings& settings,
                                                    const search::Fusion* fusion,
                                                    const DecodeBatch<Score>& batch, int64_t count,
                                                    IdleDecodeStreams& idle, Interrupt& interrupt) {
  if constexpr (std::is_same_v<Score, float>) {
    if (decodes_in_float(settings, fusion)) {
      return decode_in<float>(settings, fusion, batch, count, idle.singles, interrupt);
    }
  }
  return decode_in<double>(settings, fusion, batch, count, idle.doubles, interrupt);
}

template std::vector<std::vector<search::Hypothesis>> decode(const search::BeamSettings&,
                                                             const search::Fusion*, const DecodeBatch<float>&,
                                                             int64_t, IdleDecodeStreams&, Interrupt&);
template std::vector<std::vector<search::Hypothesis>> decode(const search::BeamSettings&,
                                                             const search::Fusion*,
                                                             const DecodeBatch<double>&, int64_t,
                                                             IdleDecodeStreams&, Interrupt&);

}  // namespace unrolled
