#include "case.h"
#include "dispatch.h"
#include "ops/align.h"

namespace unrolled_bench {
namespace {

struct Problem {
  int64_t T, C, L;

  std::string name() const { return label("T", T, " C", C, " L", L); }
};

class Alignment {
 public:
  explicit Alignment(const Problem& p)
      : p_(p), scores_(random_array(p.T * p.C, 4.0f)), states_(static_cast<std::size_t>(p.T)) {
    std::minstd_rand engine(2);
    std::uniform_int_distribution<int64_t> symbol(1, p.C - 1);
    for (int64_t i = 0; i < p.L; ++i) target_.push_back(symbol(engine));
  }
  void run() {
    const int64_t offsets[] = {0, p_.L};
    const unrolled::TrellisShape shape{1, p_.T, p_.C, &p_.T, target_.data(), offsets, 0};
    const unrolled::AlignOptions options{std::numeric_limits<double>::infinity(),
                                         unrolled::AlignMemory::kAuto, 0};
    unrolled::Interrupt interrupt;
    double total = 0;
    unrolled::align<float>(shape, options, scores_.data(), states_.data(), &total, nullptr, interrupt);
  }

 private:
  Problem p_;
  Array scores_;
  std::vector<int64_t> target_;
  std::vector<int32_t> states_;
};

// A tile whose scores lie in the first cache.
Call tile(bool rows, bool keep) {
  constexpr int64_t kFrames = unrolled::kAlignTileFrames, kClasses = 32;
  const auto& kernel = unrolled::kernels<float>().align_tile;
  const int64_t pairs = kernel.vectors * kernel.lanes;
  const Array states = random_array(2 * pairs), scores = random_array(kFrames * kClasses),
              skip = zeros(pairs);
  const Array flow = zeros(2 * unrolled::kAlignFlowSize), blanks = random_array(kFrames);
  std::vector<int32_t> classes;
  for (int64_t i = 0; i < pairs; ++i) classes.push_back(static_cast<int32_t>(i % kClasses));
  std::vector<uint8_t> moves(static_cast<std::size_t>(kFrames * kernel.vectors * 3 * kernel.mask_bytes));
  const auto function = (rows ? kernel.from_rows : kernel.from_columns)[kernel.vectors - 1][keep];
  return [=]() mutable {
    double offset = 0;
    function({.frames = kFrames,
              .labels = states.data(),
              .blanks = states.data() + pairs,
              .offset = &offset,
              .inflow = flow.data(),
              .inflow_offset = 0,
              .outflow = flow.data() + unrolled::kAlignFlowSize,
              .blank_scores = blanks.data(),
              .scores = scores.data(),
              .C = kClasses,
              .classes = classes.data(),
              .skip = skip.data(),
              .moves = moves.data()});
  };
}

}  // namespace

void add_align_cases(Cases& cases) {
  for (const Problem& p : {Problem{1500, 32, 200}, Problem{10000, 32, 1200}, Problem{60000, 32, 8000},
                           Problem{1000, 5000, 100}}) {
    const Work cells{.items = as_double(p.T * (2 * p.L + 1))};  // of the trellis
    cases.push_back({"forced alignment, cells " + p.name(), cells,
                     [=] { return [a = std::make_shared<Alignment>(p)] { a->run(); }; }});
  }
  const auto& kernel = unrolled::kernels<float>().align_tile;
  const Work cells{.items = as_double(unrolled::kAlignTileFrames * kernel.vectors * kernel.lanes * 2)};
  for (const bool keep : {false, true}) {
    const std::string what = keep ? ", back-pointers kept" : "";
    if (kernel.row_classes >= 32) {
      cases.push_back(
          {"alignment tile, cells, scores of rows" + what, cells, [=] { return tile(true, keep); }, true});
    }
    cases.push_back(
        {"alignment tile, cells, scores of columns" + what, cells, [=] { return tile(false, keep); }, true});
  }
}

}  // namespace unrolled_bench
