#include "case.h"
#include "ops/ctc.h"
#include "ops/softmax.h"

namespace unrolled_bench {
namespace {

struct Problem {
  int64_t T, N, C, L;
  unrolled::CtcPath path = unrolled::CtcPath::automatic;

  std::string name() const {
    return label("T", T, " N", N, " C", C, " L", L, path == unrolled::CtcPath::exact ? ", exact" : "");
  }
};

class Loss {
 public:
  explicit Loss(const Problem& p)
      : p_(p), scores_(zeros(p.N * p.T * p.C)), grad_(zeros(p.N * p.T * p.C)), lengths_(count(p.N), p.T) {
    unrolled::softmax<float>(true, p.N * p.T, p.C, random_array(p.N * p.T * p.C).data(), scores_.data());
    std::minstd_rand engine(2);
    std::uniform_int_distribution<int64_t> label(1, p.C - 1);
    for (int64_t i = 0; i < p.N * p.L; ++i) targets_.push_back(label(engine));
    for (int64_t n = 0; n <= p.N; ++n) offsets_.push_back(n * p.L);
  }
  void run() {
    const unrolled::TrellisShape shape{p_.N, p_.T, p_.C, lengths_.data(), targets_.data(), offsets_.data(),
                                       0};
    unrolled::ctc_loss<float>(shape, true, p_.path, scores_.data(), scale_.data(), losses_.data(),
                              grad_.data());
  }

 private:
  static std::size_t count(int64_t n) { return static_cast<std::size_t>(n); }

  Problem p_;
  Array scores_, grad_;
  std::vector<int64_t> lengths_, targets_, offsets_;
  std::vector<double> scale_ = std::vector<double>(count(p_.N), 1.0), losses_ = scale_;
};

}  // namespace

void add_ctc_cases(Cases& cases) {
  for (const Problem& p : {Problem{150, 16, 29, 20}, Problem{500, 32, 32, 60}, Problem{1000, 8, 5000, 100},
                           Problem{200, 64, 80, 30}, Problem{20000, 1, 32, 2000},
                           Problem{500, 32, 32, 60, unrolled::CtcPath::exact}}) {
    const Work cells{.items = as_double(p.N * p.T * (2 * p.L + 1))};  // of the trellis
    cases.push_back({"ctc loss and gradient, cells " + p.name(), cells,
                     [=] { return [loss = std::make_shared<Loss>(p)] { loss->run(); }; }});
  }
}

}  // namespace unrolled_bench
