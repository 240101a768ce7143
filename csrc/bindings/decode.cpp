#include "ops/decode.h"

#include <mutex>
#include <variant>

#include "bindings/register.h"
#include "bindings/signals.h"

namespace unrolled {
namespace {

using search::BeamSettings;
using search::BeamStream;
using search::EmissionRows;
using search::Fusion;
using search::Hypothesis;

typedef std::shared_ptr<Fusion> MaybeFusion;

// Python may run while the search does, unless fusion needs it.
class Unlocked {
 public:
  explicit Unlocked(const MaybeFusion& fusion) {
    if (!fusion || !fusion->needs_python()) release_.emplace();
  }

 private:
  std::optional<py::gil_scoped_release> release_;
};

py::list fired_of(const Hypothesis& h) {
  py::list fired;
  for (const search::FiredPhrase& f : h.fusion.fired) fired.append(py::make_tuple(f.phrase, f.first, f.end));
  return fired;
}

// (tokens, offsets, score, acoustic, lm, units, hotwords, fired) of all hypotheses of an item.
py::tuple arrays_of(const std::vector<Hypothesis>& found) {
  const auto n = static_cast<int64_t>(found.size());
  Array<int64_t> offsets = make_array<int64_t>({n + 1}), units = make_array<int64_t>({n});
  Array<double> score = make_array<double>({n}), acoustic = make_array<double>({n}),
                lm = make_array<double>({n}), hotwords = make_array<double>({n});
  py::list fired;
  int64_t end = offsets.mutable_data()[0] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Hypothesis& h = found[static_cast<std::size_t>(i)];
    offsets.mutable_data()[i + 1] = end += static_cast<int64_t>(h.tokens.size());
    score.mutable_data()[i] = h.score;
    acoustic.mutable_data()[i] = h.acoustic;
    lm.mutable_data()[i] = h.fusion.lm;
    units.mutable_data()[i] = h.fusion.units;
    hotwords.mutable_data()[i] = h.fusion.hotwords;
    fired.append(fired_of(h));
  }
  Array<int32_t> tokens = make_array<int32_t>({end});
  int32_t* to = tokens.mutable_data();
  for (const Hypothesis& h : found) to = std::copy(h.tokens.begin(), h.tokens.end(), to);
  return py::make_tuple(tokens, offsets, score, acoustic, lm, units, hotwords, fired);
}

class Stream {
 public:
  Stream(const BeamSettings& settings, MaybeFusion fusion)
      : settings_(settings), fusion_(std::move(fusion)) {}

  template <class Score>
  void push(const Array<Score>& chunk, const MaybeArray<bool>& allowed) {
    require(chunk.ndim() == 2 && chunk.shape(1) == settings_.classes, "chunk must be (t, C)");
    const int64_t t = chunk.shape(0), C = settings_.classes;
    if (allowed && allowed->ndim() == 2) {
      require_shape(*allowed, {t, C}, "allowed must be (C) or (t, C)");
    } else if (allowed) {
      require_shape(*allowed, {C}, "allowed must be (C) or (t, C)");
    }
    const EmissionRows<Score> rows{
        t, C, chunk.data(), data_or_null(allowed), allowed && allowed->ndim() == 2 ? C : 0, -1};
    const auto lock = lock_or_throw();
    begin<Score>();
    const Unlocked unlocked(fusion_);
    Interrupt interrupt(check_signals);
    if constexpr (std::is_same_v<Score, float>) {
      std::visit([&](auto& s) { s->push(rows, interrupt); }, stream_);
    } else {
      std::get<Of<double>>(stream_)->push(rows, interrupt);
    }
  }

  py::tuple best(int64_t nbest, bool finish) {
    require(nbest >= 1, "nbest must be at least 1");
    const auto lock = lock_or_throw();
    std::vector<Hypothesis> found;
    {
      const Unlocked unlocked(fusion_);
      found = std::visit([&](auto& s) { return started(s).best(nbest, finish); }, stream_);
    }
    return arrays_of(found);
  }

  int64_t stable() {
    const auto lock = lock_or_throw();
    return std::visit([&](auto& s) { return started(s).stable(); }, stream_);
  }
  int64_t frames() {
    const auto lock = lock_or_throw();
    return std::visit([&](auto& s) { return started(s).frames(); }, stream_);
  }

 private:
  template <class Real>
  using Of = std::unique_ptr<BeamStream<Real>>;

  std::unique_lock<std::mutex> lock_or_throw() {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) throw std::runtime_error("the stream is in use by another thread");
    return lock;
  }
  // The first chunk says in which precision the stream runs.
  template <class Score>
  void begin() {
    const bool single = std::is_same_v<Score, float>;
    if (!has_begun_ && single && decodes_in_float(settings_, fusion_.get())) {
      stream_ = Of<float>();
    } else if (!has_begun_) {
      stream_ = Of<double>();
    } else {
      require(is_single_ == single, "all chunks of a stream must have one dtype");
    }
    has_begun_ = true;
    is_single_ = single;
    std::visit([&](auto& s) { started(s); }, stream_);
  }
  template <class Real>
  BeamStream<Real>& started(Of<Real>& stream) {
    if (!stream) stream = std::make_unique<BeamStream<Real>>(settings_, fusion_.get());
    return *stream;
  }

  BeamSettings settings_;
  MaybeFusion fusion_;
  std::variant<Of<double>, Of<float>> stream_;
  bool has_begun_ = false, is_single_ = false;
  std::mutex mutex_;
};

class Search {
 public:
  Search(const BeamSettings& settings, MaybeFusion fusion) : settings_(settings), fusion_(std::move(fusion)) {
    require(settings.classes >= 1 && settings.classes <= INT32_MAX, "classes must be at least 1");
    require(settings.blank >= 0 && settings.blank < settings.classes, "blank must be one of the classes");
    require(settings.beam_width >= 0, "beam_width must not be negative");
    require(settings.token_top_k >= 0, "token_top_k must not be negative");
    require(settings.token_min_logp <= 0, "token_min_logp must not be above 0");
    require(settings.beam_prune_logp <= 0, "beam_prune_logp must not be above 0");
    require(!fusion_ || fusion_->classes() == settings.classes, "fusion must be made for the same classes");
  }

  template <class Score>
  py::list decode_batch(const Array<Score>& scores, const Array<int64_t>& lengths,
                        const MaybeArray<bool>& allowed, int64_t nbest, MaybeArray<Score> copy) const {
    require(scores.ndim() == 3 && scores.shape(2) == settings_.classes, "scores must be (N, T, C)");
    require(nbest >= 1, "nbest must be at least 1");
    const int64_t N = scores.shape(0), T = scores.shape(1);
    require_shape(lengths, {N}, "lengths must be (N)");
    if (copy) require_shape(*copy, {N, T, settings_.classes}, "copy must be like scores");
    for (int64_t n = 0; n < N; ++n) {
      require(lengths.at(n) >= 0 && lengths.at(n) <= T, "lengths must lie in 0 .. T");
    }
    const DecodeBatch<Score> batch =
        with_allowed(DecodeBatch<Score>{N, T, lengths.data(), scores.data(), data_or_null(allowed), 0, 0,
                                        copy ? copy->mutable_data() : nullptr},
                     allowed);
    std::vector<std::vector<Hypothesis>> found;
    {
      const Unlocked unlocked(fusion_);
      Interrupt interrupt(check_signals);
      found = decode(settings_, fusion_.get(), batch, nbest, *idle_, interrupt);
    }
    py::list results;
    for (const std::vector<Hypothesis>& item : found) results.append(arrays_of(item));
    return results;
  }

  std::unique_ptr<Stream> start() const { return std::make_unique<Stream>(settings_, fusion_); }

 private:
  template <class Score>
  DecodeBatch<Score> with_allowed(DecodeBatch<Score> batch, const MaybeArray<bool>& allowed) const {
    constexpr const char* kShapes = "allowed must be (C), (N, C) or (N, T, C)";
    const int64_t C = settings_.classes;
    if (!allowed) return batch;
    if (allowed->ndim() == 3) {
      require_shape(*allowed, {batch.N, batch.T, C}, kShapes);
      batch.allowed_item_stride = batch.T * C;
      batch.allowed_frame_stride = C;
    } else if (allowed->ndim() == 2) {
      require_shape(*allowed, {batch.N, C}, kShapes);
      batch.allowed_item_stride = C;
    } else {
      require_shape(*allowed, {C}, kShapes);
    }
    return batch;
  }

  BeamSettings settings_;
  MaybeFusion fusion_;
  std::unique_ptr<IdleDecodeStreams> idle_ = std::make_unique<IdleDecodeStreams>();
};

Search make_search(int64_t classes, int64_t blank, int64_t beam_width, double token_min_logp,
                   double beam_prune_logp, int64_t token_top_k, bool merge_max, const py::object& fusion) {
  return Search({classes, blank, beam_width, token_top_k, token_min_logp, beam_prune_logp, merge_max},
                fusion.is_none() ? nullptr : fusion.cast<MaybeFusion>());
}

}  // namespace

void register_decode(py::module_& m) {
  py::class_<Stream>(m, "BeamStream")
      .def("push", &Stream::push<float>, "chunk"_a.noconvert(),
           "allowed"_a.noconvert().none(true) = py::none())
      .def("push", &Stream::push<double>, "chunk"_a.noconvert(),
           "allowed"_a.noconvert().none(true) = py::none())
      .def("best", &Stream::best, "nbest"_a, "finish"_a)
      .def("stable", &Stream::stable)
      .def_property_readonly("frames", &Stream::frames);
  py::class_<Search>(m, "BeamSearch")
      .def(py::init(&make_search), "classes"_a, "blank"_a, "beam_width"_a, "token_min_logp"_a,
           "beam_prune_logp"_a, "token_top_k"_a, "merge_max"_a, "fusion"_a = py::none())
      .def("decode", &Search::decode_batch<float>, "scores"_a.noconvert(), "lengths"_a.noconvert(),
           "allowed"_a.noconvert().none(true), "nbest"_a, "copy"_a.noconvert().none(true) = py::none())
      .def("decode", &Search::decode_batch<double>, "scores"_a.noconvert(), "lengths"_a.noconvert(),
           "allowed"_a.noconvert().none(true), "nbest"_a, "copy"_a.noconvert().none(true) = py::none())
      .def("start", &Search::start);
}

}  // namespace unrolled
