#include "search/prefix_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "dispatch.h"

namespace unrolled::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kLn2 = 0.693147180559945309417;

// The exponent that the best mass is brought to: in float, room is scarce and mostly needed below.
template <class Real>
inline constexpr int kTopExponent = std::is_same_v<Real, float> ? 100 : 0;
constexpr int kMostShift = 120;  // at a frame

// Of a normal number above 0.
inline int exponent_of(float x) { return static_cast<int>(std::bit_cast<uint32_t>(x) >> 23) - 127; }
inline int exponent_of(double x) { return static_cast<int>(std::bit_cast<uint64_t>(x) >> 52) - 1023; }
template <class Real>
Real power_of_two(int n) {
  if constexpr (std::is_same_v<Real, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
  } else {
    return std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52);
  }
}

// Trees that are not worth looking for what can be forgotten.
constexpr int64_t kSmallTree = 1 << 17;
// Chosen candidates ahead whose parents, and whose siblings, are fetched.
constexpr std::size_t kParentsAhead = 8, kSiblingsAhead = 4;

}  // namespace

template <class Real>
PrefixSearch<Real>::PrefixSearch(const BeamSettings& settings, const Fusion* fusion)
    : settings_(settings),
      fusion_(fusion),
      kernel_(kernels<Real>().decode),
      prune_(static_cast<Real>(std::exp(settings.beam_prune_logp))),
      symbols_(settings.classes, settings.blank),
      excluded_(settings.classes),
      weighted_(kernels<double>().decode) {
  reset();
}

template <class Real>
void PrefixSearch<Real>::reset() {
  tree_.clear();
  beam_.set_size(0);
  beam_.make_room(1);
  beam_.add(1, -1, PrefixTree::kNone, PrefixTree::kRoot);
  std::swap(beam_.blank[0], beam_.label[0]);
  beam_.pad();
  has_labels_ = false;
  most_ = 1;
  log_scale_ = 0;
  exponent_ = 0;
  collect_at_ = kSmallTree;
  if (!fusion_) return;
  run_ = fusion_->run();
  weights_.start(*run_);
  weighted_.start(*run_);
  credit_ = run_->gives_credit();
}

template <class Real>
double PrefixSearch<Real>::log_scale() const {
  return log_scale_ + static_cast<double>(exponent_) * kLn2;
}

// Where the cuts leave only symbols that fusion forbids, the frame is taken again with all that is allowed.
template <class Real>
void PrefixSearch<Real>::step(const FrameScores<Real>& frame) {
  if (beam_.size() == 0) return;
  if (frame.alive == 1 && frame.scores[settings_.blank] == frame.best) {
    log_scale_ += static_cast<double>(frame.best);
    return advance_blank();
  }
  const int shift = std::min(kTopExponent<Real> - exponent_of(most_), kMostShift);
  const Real factor = power_of_two<Real>(shift);
  symbols_.read(frame, {settings_.token_min_logp, settings_.token_top_k}, factor);
  log_scale_ += static_cast<double>(frame.best);
  if (symbols_.only_blank()) return advance_blank();
  exponent_ -= shift;
  if (!advance()) {
    symbols_.read(frame, {-kInf, 0}, factor);
    if (!advance()) beam_.set_size(0);  // no text is possible
  }
  if (tree_.size() > collect_at_) collect();
}

// All paths go on to the blank, whose probability is 1 relative to the best symbol's.
template <class Real>
void PrefixSearch<Real>::advance_blank() {
  if (!has_labels_) return;
  std::copy_n(beam_.total.begin(), beam_.size(), beam_.blank.begin());
  std::fill_n(beam_.label.begin(), beam_.size(), Real(0));
  has_labels_ = false;
}

// False where no prefix is left; the beam is then as it was.
template <class Real>
bool PrefixSearch<Real>::advance() {
  const Range stays = stay();
  const bool full = is_bounded() && beam_.size() >= settings_.beam_width;
  Real least =
      std::max(full ? stays.least : Real(0), credit_ ? floor_of(stays_.total.data()) : stays.most * prune_);
  least = std::max(least, std::numeric_limits<Real>::min());
  find_candidates(least);
  excluded_.clear(stays.excluded);
  const Real most = std::max(stays.most, kernel_.largest(candidate_count_, candidates_.mass.data()));
  if (most < least) return false;
  if (!credit_) least = std::max(least, most * prune_);
  most_ = most;
  has_labels_ = true;
  choose(stays, least);
  return true;
}

// What each prefix keeps if no symbol is added to it, in stays_.
template <class Real>
typename PrefixSearch<Real>::Range PrefixSearch<Real>::stay() {
  const int64_t n = beam_.size();
  stays_.make_room(n);
  excluded_.make_room(n);
  if (run_) {
    reserve(steps_, n);
    for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k) {
      steps_[k] = static_cast<Real>(weights_.of(beam_.node[k]).step);
    }
  }
  const Real* steps = run_ ? steps_.data() : nullptr;
  return kernel_.stay[settings_.merge_max](beam_.view(), symbols_.view(), steps, excluded_.view(),
                                           stays_.view());
}

template <class Real>
void PrefixSearch<Real>::find_candidates(Real least) {
  if constexpr (std::is_same_v<Real, double>) {
    if (run_) {
      candidate_count_ =
          weighted_.find(beam_, symbols_, excluded_, weights_, *run_, least, most_, candidates_);
      return;
    }
  }
  candidates_.make_room(symbols_.count() * beam_.size());
  candidate_count_ =
      kernel_.extend(beam_.view(), symbols_.view(), excluded_.view(), least, most_, candidates_.view());
}

// The next beam: the best of those that stay and of the candidates.
template <class Real>
void PrefixSearch<Real>::choose(Range stays, Real least) {
  if (is_bounded()) {
    const Cut cut = kernel_.cut(beam_.size(), stays_.total.data(), candidate_count_, candidates_.mass.data(),
                                settings_.beam_width, least, most_);
    if (cut.ties >= 0) stays.least = drop_later_ties(cut, stays.least);
    least = cut.mass;
  }
  reserve(chosen_mass_, candidate_count_), reserve(chosen_place_, candidate_count_);
  reserve(chosen_number_, candidate_count_);
  const int64_t count =
      kernel_.choose(candidate_count_, candidates_.mass.data(), candidates_.place.data(), least,
                     chosen_mass_.data(), chosen_place_.data(), chosen_number_.data());
  if (stays.least >= least) {
    beam_.swap_masses(stays_);
    beam_.make_room(beam_.size() + count);
    add_chosen(count, beam_, nullptr);
  } else {
    keep_stays(least, count);
    add_chosen(count, next_, places_.data() + 1);
    std::swap(beam_, next_);
  }
  beam_.pad();
  if (credit_) prune_by_credit();
}

// Of the masses that equal the cut the first are kept; the others become 0. Returns the least mass of those
// that stay.
template <class Real>
Real PrefixSearch<Real>::drop_later_ties(Cut cut, Real least_stay) {
  const auto drop = [&](std::vector<Real>& masses, int64_t count) {
    for (auto m = masses.begin(); m != masses.begin() + count; ++m) {
      if (*m == cut.mass && cut.ties-- <= 0) *m = 0;
    }
    return cut.ties < 0;
  };
  if (drop(stays_.total, beam_.size())) least_stay = 0;
  drop(candidates_.mass, candidate_count_);
  return least_stay;
}

// Those that stay go to next_, which gets room for `more`.
template <class Real>
void PrefixSearch<Real>::keep_stays(Real least, int64_t more) {
  const int64_t n = beam_.size();
  const DecodeBeam<Real> stays{n,
                               stays_.blank.data(),
                               stays_.label.data(),
                               stays_.total.data(),
                               beam_.last.data(),
                               beam_.parent.data(),
                               beam_.node.data()};
  next_.make_room(n + more);
  reserve(places_, 1 + n);
  places_[0] = -1;
  next_.set_size(kernel_.keep(stays, least, next_.view(), places_.data() + 1));
}

// places: where the prefixes of the beam before went; null where all stayed.
template <class Real>
void PrefixSearch<Real>::add_chosen(int64_t count, Beam<Real>& to, const int32_t* places) {
  revived_.clear();
  const auto parent_of = [&](std::size_t i) {
    return beam_.node[static_cast<std::size_t>(chosen_place_[i])];
  };
  const auto n = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < n; ++i) {
    if (i + kParentsAhead < n) tree_.prefetch(parent_of(i + kParentsAhead));
    if (i + kSiblingsAhead < n) tree_.prefetch_child(parent_of(i + kSiblingsAhead));
    const int32_t place = chosen_place_[i], number = chosen_number_[i];
    const int32_t symbol = candidates_.symbol[static_cast<std::size_t>(number)];
    const int32_t node = enter(parent_of(i), symbol, number);
    if (tree_.has_children(node)) revived_.push_back({node, static_cast<int32_t>(to.size())});
    to.add(chosen_mass_[i], symbol, places ? places[place] : place, node);
  }
  if (!revived_.empty()) adopt_orphans(to);
}

// The node of a candidate; it may have been in the beam before.
template <class Real>
int32_t PrefixSearch<Real>::enter(int32_t parent, int32_t symbol, int32_t candidate) {
  const int32_t node = tree_.find_child(parent, symbol);
  if (node != PrefixTree::kNone) return node;
  if (run_) weights_.add(*run_, parent, symbol, candidates_.log_weight[static_cast<std::size_t>(candidate)]);
  return tree_.add_child(parent, symbol);
}

// A prefix may come back to longer ones that have stayed.
template <class Real>
void PrefixSearch<Real>::adopt_orphans(Beam<Real>& beam) {
  std::sort(revived_.begin(), revived_.end());
  uint64_t hashes = 0;  // most prefixes are none of them
  for (const Revived& r : revived_) hashes |= uint64_t{1} << (r.node % 64);
  for (std::size_t k = 0; k < static_cast<std::size_t>(beam.size()); ++k) {
    if (beam.parent[k] >= 0 || beam.node[k] == PrefixTree::kRoot) continue;
    const int32_t parent = tree_.parent(beam.node[k]);
    if (!((hashes >> (parent % 64)) & 1)) continue;
    const auto at = std::lower_bound(revived_.begin(), revived_.end(), Revived{parent, 0});
    if (at != revived_.end() && at->node == parent) beam.parent[k] = at->place;
  }
}

// The mass below which prefixes are too far from the best; credit that may be taken back does not count.
template <class Real>
Real PrefixSearch<Real>::floor_of(const Real* totals) const {
  Real best = 0;
  for (int64_t k = 0; k < beam_.size(); ++k) {
    const double uncredited = weights_.of(beam_.node[static_cast<std::size_t>(k)]).uncredited;
    best = std::max(best, totals[k] * static_cast<Real>(uncredited));
  }
  return best * prune_;
}

// The credit of new prefixes is known only once they are made.
template <class Real>
void PrefixSearch<Real>::prune_by_credit() {
  const Real least = std::max(floor_of(beam_.total.data()), std::numeric_limits<Real>::min());
  if (*std::min_element(beam_.total.begin(), beam_.total.begin() + beam_.size()) >= least) return;
  beam_.swap_masses(stays_);
  keep_stays(least, 0);
  std::swap(beam_, next_);
  beam_.pad();
}

template <class Real>
void PrefixSearch<Real>::collect() {
  const std::vector<int32_t> kept = tree_.collect(beam_.nodes());
  if (run_) weights_.retain(*run_, kept);
  collect_at_ = std::max(kSmallTree, 2 * tree_.size());
}

template class PrefixSearch<float>;
template class PrefixSearch<double>;

}  // namespace unrolled::search
