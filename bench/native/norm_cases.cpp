#include "case.h"
#include "ops/norm.h"

namespace unrolled_bench {
namespace {

using unrolled::BatchNormShape;

struct Images {
  const char* name;
  BatchNormShape shape;
  int64_t size() const { return shape.N * shape.C * shape.inner; }
};

const Images kImages[] = {{"32,64,28,28", {32, 64, 28 * 28, 1e-5}},
                          {"32,64,32,256", {32, 64, 32 * 256, 1e-5}}};

struct Data {
  explicit Data(const Images& i)
      : shape(i.shape),
        x(random_array(i.size())),
        y(random_array(i.size())),
        grad_x(zeros(i.size())),
        mean(zeros(shape.C)),
        var(zeros(shape.C)),
        weight(random_array(shape.C)),
        bias(random_array(shape.C)) {
    training();
  }
  void training() const {
    unrolled::batch_norm_training(shape, x.data(), weight.data(), bias.data(), y.data(), mean.data(),
                                  var.data());
  }
  void forward() const {
    unrolled::batch_norm<float>(shape, x.data(), mean.data(), var.data(), weight.data(), bias.data(),
                                y.data());
  }
  void backward() const {
    unrolled::batch_norm_backward<float>(shape, true, y.data(), x.data(), mean.data(), var.data(),
                                         weight.data(), grad_x.data(), grad_weight.data(), grad_bias.data());
  }

  BatchNormShape shape;
  Array x, y, grad_x, mean, var, weight, bias;
  Array grad_weight{shape.C}, grad_bias{shape.C};
};

void add(Cases& cases, const Images& i, const char* pass, double arrays, void (Data::*call)() const) {
  cases.push_back({label("batch_norm ", pass, " ", i.name),
                   {.bytes = 4 * arrays * as_double(i.size())},
                   [&i, call] { return [d = Data(i), call] { (d.*call)(); }; }});
}

}  // namespace

void add_norm_cases(Cases& cases) {
  for (const Images& i : kImages) {
    add(cases, i, "training", 2, &Data::training);
    add(cases, i, "forward", 2, &Data::forward);
    add(cases, i, "backward", 3, &Data::backward);
  }
}

}  // namespace unrolled_bench
