#include "search/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "search/candidates.h"
#include "search/node_weights.h"
#include "search/prefix_tree.h"
#include "search/selection.h"
#include "search/weighted_candidates.h"

namespace unrolled::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kLn2 = 0.693147180559945309417;

// The exponent that the best mass is brought to: float has more room below than above.
template <class Real>
inline constexpr int kTopExponent = std::is_same_v<Real, float> ? 100 : 0;

// Nodes of a tree that are not worth looking for those that can be forgotten.
constexpr int64_t kSmallTree = 1 << 14;
// Pairs of a symbol and a place between two looks whether to go on.
constexpr int64_t kPairsBetweenChecks = 1 << 18;

}  // namespace

template <class Real>
class BeamStream<Real>::Search {
 public:
  Search(const BeamSettings& settings, const Fusion* fusion)
      : settings_(settings), fusion_(fusion), symbols_(settings.classes, settings.blank) {
    reset();
  }

  void reset();
  template <class Score>
  void push(const EmissionRows<Score>& rows, Interrupt& interrupt);
  std::vector<Hypothesis> best(int64_t count, bool finish);

  int64_t stable() const { return tree_.depth(tree_.common(beam_.node)); }
  int64_t frames() const { return frames_; }

 private:
  template <class Score>
  void step(const Score* row, const bool* allowed);
  bool advance();
  void keep_stays();
  void merge_into_children();
  void find_candidates_above(Real least);
  void select(Real best_stay);
  void add_new(const Candidates<Real>& found, std::size_t i);
  Real floor_of(const Beam<Real>& beam) const;
  void prune_by_credit();
  void enter_places();
  void rescale();
  void collect();
  Hypothesis hypothesis(std::size_t place, double score, double end, bool finish) const;

  Real merge(Real a, Real b) const { return merged(a, b, settings_.merge_max); }
  int32_t blank() const { return static_cast<int32_t>(settings_.blank); }
  bool is_full() const { return settings_.beam_width > 0 && stays_.size() >= settings_.beam_width; }

  BeamSettings settings_;
  const Fusion* fusion_;
  std::unique_ptr<FusionRun> run_;  // null without fusion
  PrefixTree tree_;
  NodeWeights weights_;
  FrameSymbols<Real> symbols_;
  ExcludedPairs excluded_;
  Beam<Real> beam_, stays_, next_;
  Candidates<Real> found_;
  WeightedCandidates weighted_;
  Selection<Real> selection_;
  double log_scale_ = 0;  // true mass = mass exp(log_scale_) 2^exponent_
  int64_t exponent_ = 0, frames_ = 0, collect_at_ = kSmallTree, pairs_ = 0;
};

template <class Real>
void BeamStream<Real>::Search::reset() {
  tree_.clear();
  beam_.clear();
  beam_.add(1, 0, 1, -1, PrefixTree::kRoot);
  tree_.set_place(PrefixTree::kRoot, 0);
  log_scale_ = 0;
  exponent_ = frames_ = 0;
  collect_at_ = kSmallTree;
  if (!fusion_) return;
  run_ = fusion_->run();
  weights_.start(*run_);
}

template <class Real>
template <class Score>
void BeamStream<Real>::Search::push(const EmissionRows<Score>& rows, Interrupt& interrupt) {
  check_emissions(rows, settings_.blank, frames_);
  for (int64_t t = 0; t < rows.frames; ++t) {
    if (pairs_ > kPairsBetweenChecks) {
      pairs_ = 0;
      if (interrupt.requested()) return;
    }
    step(rows.row(t), rows.allowed_row(t));
    pairs_ += 64 + rows.classes + symbols_.count() * beam_.size();
  }
}

// Where the cuts leave only symbols that fusion forbids, the frame is taken again with all that is allowed.
template <class Real>
template <class Score>
void BeamStream<Real>::Search::step(const Score* row, const bool* allowed) {
  ++frames_;
  double best = symbols_.read(row, allowed, {settings_.token_min_logp, settings_.token_top_k});
  if (!advance()) {
    best = symbols_.read(row, allowed, {-kInf, 0});
    if (!advance()) beam_.clear();  // no text is possible
  }
  log_scale_ += best;
  rescale();
  if (tree_.size() > collect_at_) collect();
}

// False where no prefix is left; the beam is then as it was.
template <class Real>
bool BeamStream<Real>::Search::advance() {
  if (beam_.size() == 0) return true;
  keep_stays();
  merge_into_children();
  Real best = 0, least = std::numeric_limits<Real>::infinity();
  for (std::size_t k = 0; k < stays_.node.size(); ++k) {
    stays_.total[k] = merge(stays_.blank[k], stays_.label[k]);
    best = std::max(best, stays_.total[k]);
    least = std::min(least, stays_.total[k]);
  }
  find_candidates_above(std::max(is_full() ? least : Real(0), floor_of(stays_)));
  select(best);
  if (next_.size() == 0) return false;
  std::swap(beam_, next_);
  if (run_) prune_by_credit();
  enter_places();
  return true;
}

// What each prefix keeps if no symbol is added to it.
template <class Real>
void BeamStream<Real>::Search::keep_stays() {
  const Real blank_probability = symbols_.probability(blank());
  stays_.clear();
  for (std::size_t k = 0; k < beam_.node.size(); ++k) {
    const int32_t last = beam_.last[k];
    const Real again = last < 0 ? Real(0) : symbols_.probability(last);
    stays_.add(beam_.total[k] * blank_probability, beam_.label[k] * again, 0, last, beam_.node[k]);
  }
}

// A prefix whose parent is in the beam too gets what the parent's paths bring to it.
template <class Real>
void BeamStream<Real>::Search::merge_into_children() {
  excluded_.clear(symbols_.count(), beam_.size());
  for (std::size_t k = 0; k < beam_.node.size(); ++k) {
    const int32_t parent = tree_.parent(beam_.node[k]);
    const int32_t place = parent == PrefixTree::kNone ? PrefixTree::kNone : tree_.place(parent);
    if (place == PrefixTree::kNone) continue;
    const int32_t symbol = beam_.last[k], index = symbols_.index(symbol);
    if (index < 0) continue;
    excluded_.add(index, place);
    Real mass = mass_before(beam_, static_cast<std::size_t>(place), symbol) * symbols_.probability(symbol);
    if (run_) mass *= static_cast<Real>(std::exp(weights_.of(beam_.node[k]).log_step));
    stays_.label[k] = merge(stays_.label[k], mass);
  }
}

template <class Real>
void BeamStream<Real>::Search::find_candidates_above(Real least) {
  found_.clear();
  if constexpr (std::is_same_v<Real, double>) {
    if (run_) {
      return weighted_.find(beam_, symbols_, excluded_, tree_, weights_, *run_, blank(), least, found_);
    }
  }
  find_candidates(beam_, symbols_, excluded_, blank(), least, found_);
}

// The mass below which prefixes are too far from the best; credit that may be taken back does not count.
template <class Real>
Real BeamStream<Real>::Search::floor_of(const Beam<Real>& beam) const {
  Real best = 0;
  for (std::size_t k = 0; k < beam.node.size(); ++k) {
    Real mass = beam.total[k];
    if (run_) mass *= static_cast<Real>(std::exp(-weights_.of(beam.node[k]).credit));
    best = std::max(best, mass);
  }
  return best * static_cast<Real>(std::exp(settings_.beam_prune_logp));
}

template <class Real>
void BeamStream<Real>::Search::select(Real best_stay) {
  Real best = best_stay;
  for (const Real m : found_.mass) best = std::max(best, m);
  const Real least = run_ ? Real(0) : best * static_cast<Real>(std::exp(settings_.beam_prune_logp));
  Cut<Real> cut = selection_.cut(stays_.total, found_.mass, settings_.beam_width, least);
  next_.clear();
  for (std::size_t k = 0; k < stays_.node.size(); ++k) {
    if (!cut.keeps(stays_.total[k])) continue;
    next_.add(stays_.blank[k], stays_.label[k], stays_.total[k], stays_.last[k], stays_.node[k]);
  }
  for (std::size_t i = 0; i < found_.mass.size(); ++i) {
    if (cut.keeps(found_.mass[i])) add_new(found_, i);
  }
}

template <class Real>
void BeamStream<Real>::Search::add_new(const Candidates<Real>& found, std::size_t i) {
  const int32_t parent = beam_.node[static_cast<std::size_t>(found.place[i])], symbol = found.symbol[i];
  int32_t node = tree_.find_child(parent, symbol);
  if (node == PrefixTree::kNone) {
    if (run_) weights_.add(*run_, parent, symbol, found.log_weight[i]);
    node = tree_.add_child(parent, symbol);
  }
  next_.add(0, found.mass[i], found.mass[i], symbol, node);
}

// The credit of new prefixes is known only once they are made.
template <class Real>
void BeamStream<Real>::Search::prune_by_credit() {
  const Real least = floor_of(beam_);
  std::size_t kept = 0;
  const auto move = [&](auto& values, std::size_t k) { values[kept] = values[k]; };
  for (std::size_t k = 0; k < beam_.node.size(); ++k) {
    if (beam_.total[k] < least) continue;
    move(beam_.blank, k), move(beam_.label, k), move(beam_.total, k), move(beam_.last, k),
        move(beam_.node, k);
    ++kept;
  }
  beam_.blank.resize(kept), beam_.label.resize(kept), beam_.total.resize(kept), beam_.last.resize(kept),
      beam_.node.resize(kept);
}

// next_ holds the beam of the frame before.
template <class Real>
void BeamStream<Real>::Search::enter_places() {
  for (const int32_t node : next_.node) tree_.set_place(node, PrefixTree::kNone);
  for (std::size_t k = 0; k < beam_.node.size(); ++k) {
    tree_.set_place(beam_.node[k], static_cast<int32_t>(k));
  }
}

template <class Real>
void BeamStream<Real>::Search::rescale() {
  if (beam_.size() == 0) return;
  const int exponent = std::ilogb(*std::max_element(beam_.total.begin(), beam_.total.end()));
  const int shift = kTopExponent<Real> - exponent;
  for (auto* masses : {&beam_.blank, &beam_.label, &beam_.total}) {
    for (Real& m : *masses) m = std::ldexp(m, shift);
  }
  exponent_ -= shift;
}

template <class Real>
void BeamStream<Real>::Search::collect() {
  const std::vector<int32_t> kept = tree_.collect(beam_.node);
  if (run_) weights_.retain(*run_, kept);
  collect_at_ = std::max(kSmallTree, 2 * tree_.size());
}

template <class Real>
std::vector<Hypothesis> BeamStream<Real>::Search::best(int64_t count, bool finish) {
  const std::size_t size = beam_.node.size();
  std::vector<double> ends(size), scores(size);
  if (finish && run_ && size > 0) {
    std::vector<uint32_t> states;
    for (const int32_t node : beam_.node) states.push_back(weights_.of(node).state);
    run_->finish(states, ends.data());
  }
  for (std::size_t k = 0; k < size; ++k) {
    scores[k] = std::log(static_cast<double>(beam_.total[k])) + static_cast<double>(exponent_) * kLn2 +
                log_scale_ + ends[k];
  }
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t k) { return scores[k] == -kInf; });
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  if (count > 0 && static_cast<int64_t>(order.size()) > count) order.resize(static_cast<std::size_t>(count));
  std::vector<Hypothesis> found;
  for (const std::size_t k : order) found.push_back(hypothesis(k, scores[k], ends[k], finish));
  return found;
}

template <class Real>
Hypothesis BeamStream<Real>::Search::hypothesis(std::size_t place, double score, double end,
                                                bool finish) const {
  const int32_t node = beam_.node[place];
  Hypothesis h{std::vector<int32_t>(static_cast<std::size_t>(tree_.depth(node))), score, score, {}};
  tree_.read(node, h.tokens.data());
  if (run_) {
    const NodeWeight& weight = weights_.of(node);
    h.acoustic = score - weight.log_total - end;
    h.fusion = run_->scores(weight.state, finish);
  }
  return h;
}

template <class Real>
BeamStream<Real>::BeamStream(const BeamSettings& settings, const Fusion* fusion)
    : search_(std::make_unique<Search>(settings, fusion)) {}
template <class Real>
BeamStream<Real>::~BeamStream() = default;
template <class Real>
template <class Score>
void BeamStream<Real>::push(const EmissionRows<Score>& rows, Interrupt& interrupt) {
  search_->push(rows, interrupt);
}
template <class Real>
std::vector<Hypothesis> BeamStream<Real>::best(int64_t count, bool finish) {
  return search_->best(count, finish);
}
template <class Real>
int64_t BeamStream<Real>::stable() const {
  return search_->stable();
}
template <class Real>
int64_t BeamStream<Real>::frames() const {
  return search_->frames();
}
template <class Real>
void BeamStream<Real>::reset() {
  search_->reset();
}

template class BeamStream<float>;
template class BeamStream<double>;
template void BeamStream<float>::push(const EmissionRows<float>&, Interrupt&);
template void BeamStream<double>::push(const EmissionRows<float>&, Interrupt&);
template void BeamStream<double>::push(const EmissionRows<double>&, Interrupt&);

}  // namespace unrolled::search
