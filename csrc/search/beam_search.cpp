#include "search/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "denormals.h"

namespace unrolled::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// Pairs of a symbol and a prefix between two looks whether to go on, and what a frame counts for besides.
constexpr int64_t kPairsBetweenChecks = 1 << 18, kPairsOfFrame = 64;

}  // namespace

template <class Real>
template <class Score>
void BeamStream<Real>::push(const EmissionRows<Score>& rows, Interrupt& interrupt) {
  rows_.read(rows, blank_, frames_, least_);
  std::optional<FlushDenormals> flush;
  if (!runs_python_) flush.emplace();
  int64_t pairs = 0;
  for (int64_t t = 0; t < rows.frames; ++t) {
    if (pairs > kPairsBetweenChecks) {
      pairs = 0;
      if (interrupt.requested()) return;
    }
    search_.step(rows_.frame(t));
    ++frames_;
    pairs += kPairsOfFrame + rows.classes + search_.pairs();
  }
}

template <class Real>
void BeamStream<Real>::reset() {
  search_.reset();
  frames_ = 0;
}

template <class Real>
std::vector<double> BeamStream<Real>::scores(const std::vector<double>& ends) const {
  std::vector<double> found(ends);
  for (std::size_t k = 0; k < found.size(); ++k) {
    found[k] += std::log(static_cast<double>(search_.beam().total[k])) + search_.log_scale();
  }
  return found;
}

template <class Real>
std::vector<Hypothesis> BeamStream<Real>::best(int64_t count, bool finish) const {
  const std::span<const int32_t> nodes = search_.beam().nodes();
  std::vector<double> ends(nodes.size());
  if (finish && search_.run() && !nodes.empty()) {
    std::vector<uint32_t> states;
    for (const int32_t node : nodes) states.push_back(search_.weights().of(node).state);
    search_.run()->finish(states, ends.data());
  }
  const std::vector<double> score = scores(ends);
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t k) { return score[k] == -kInf; });
  const auto wanted = std::min(order.size(), static_cast<std::size_t>(count));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(),
      [&](std::size_t a, std::size_t b) { return score[a] != score[b] ? score[a] > score[b] : a < b; });
  order.resize(wanted);
  std::vector<Hypothesis> found;
  for (const std::size_t k : order) found.push_back(hypothesis(k, score[k], ends[k], finish));
  return found;
}

template <class Real>
Hypothesis BeamStream<Real>::hypothesis(std::size_t place, double score, double end, bool finish) const {
  const int32_t node = search_.beam().node[place];
  Hypothesis h{std::vector<int32_t>(static_cast<std::size_t>(search_.tree().depth(node))), score, score, {}};
  search_.tree().read(node, h.tokens);
  if (!search_.run()) return h;
  const NodeWeight& weight = search_.weights().of(node);
  h.acoustic = score - weight.log_total - end;
  h.fusion = search_.run()->scores(weight.state, finish);
  return h;
}

template class BeamStream<float>;
template class BeamStream<double>;
template void BeamStream<float>::push(const EmissionRows<float>&, Interrupt&);
template void BeamStream<double>::push(const EmissionRows<float>&, Interrupt&);
template void BeamStream<double>::push(const EmissionRows<double>&, Interrupt&);

}  // namespace unrolled::search
