// Searches that are over, with their memory, for the next ones: fresh memory is faulted in page by page,
// which can take longer than a search.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "search/beam_search.h"

namespace unrolled::search {

// Of searches with the same settings and fusion.
template <class Real>
class IdleStreams {
 public:
  typedef std::unique_ptr<BeamStream<Real>> Stream;

  Stream take(const BeamSettings& settings, const Fusion* fusion) {
    if (Stream stream = take_idle()) {
      stream->reset();
      return stream;
    }
    return std::make_unique<BeamStream<Real>>(settings, fusion);
  }
  void give(Stream stream) {
    if (stream->frames() > kMostFrames || stream->prefixes() > kMostPrefixes) return;
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(stream));
  }

 private:
  // What longer or wider ones need is too much to be kept.
  static constexpr int64_t kMostFrames = 1 << 14, kMostPrefixes = 1 << 20;

  Stream take_idle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return nullptr;
    Stream stream = std::move(idle_.back());
    idle_.pop_back();
    return stream;
  }

  std::mutex mutex_;
  std::vector<Stream> idle_;  // no more than ever ran at a time
};

}  // namespace unrolled::search
