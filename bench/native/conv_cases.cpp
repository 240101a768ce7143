#include "case.h"
#include "ops/conv.h"

namespace unrolled_bench {
namespace {

using unrolled::Conv2dShape;

struct Problem {
  const char* name;
  int64_t N, C, H, W, K, R, S, stride, pad_h, pad_w, groups = 1;

  Conv2dShape shape() const {
    Conv2dShape s{};
    s.N = N, s.C = C, s.H = H, s.W = W, s.K = K, s.R = R, s.S = S;
    s.stride_h = R > 1 ? stride : 1, s.stride_w = stride;
    s.dilation_h = s.dilation_w = 1;
    s.pad_top = pad_h, s.pad_left = pad_w;
    s.groups = groups;
    s.OH = (H + 2 * pad_h - R) / s.stride_h + 1, s.OW = (W + 2 * pad_w - S) / s.stride_w + 1;
    s.x_step = C * H * W, s.y_step = K * s.OH * s.OW;
    s.algorithm = unrolled::ConvAlgorithm::automatic;
    return s;
  }
  int64_t x_size() const { return N * C * H * W; }
  int64_t weight_size() const { return K * (C / groups) * R * S; }
  int64_t y_size() const { return N * K * shape().pixels(); }
  double flops() const { return 2 * as_double(y_size() * (C / groups) * R * S); }
};

const Problem kProblems[] = {
    {"32,1,28,28->32 3x3", 32, 1, 28, 28, 32, 3, 3, 1, 1, 1},
    {"32,32,28,28->64 3x3", 32, 32, 28, 28, 64, 3, 3, 1, 1, 1},
    {"32,64,14,14->128 3x3", 32, 64, 14, 14, 128, 3, 3, 1, 1, 1},
    {"1,64,56,56->64 3x3", 1, 64, 56, 56, 64, 3, 3, 1, 1, 1},
    {"16,3,224,224->64 7x7 s2", 16, 3, 224, 224, 64, 7, 7, 2, 3, 3},
    {"32,256,14,14->256 1x1", 32, 256, 14, 14, 256, 1, 1, 1, 0, 0},
    {"depthwise 16,128,28,28 3x3", 16, 128, 28, 28, 128, 3, 3, 1, 1, 1, 128},
    {"conv1d 16,80,1000->256 5", 16, 80, 1, 1000, 256, 1, 5, 1, 0, 2},
};

struct Data {
  explicit Data(const Problem& p)
      : x(random_array(p.x_size())),
        weight(random_array(p.weight_size())),
        bias(random_array(p.K)),
        y(random_array(p.y_size())) {}
  Array x, weight, bias, y;
};

Call forward(const Problem& p) {
  return [d = Data(p), s = p.shape()] {
    const unrolled::Epilogue<float> epilogue{d.bias.data(), false};
    unrolled::conv2d<float>(s, d.x.data(), d.weight.data(), epilogue, d.y.data());
  };
}

Call backward_input(const Problem& p) {
  return [d = Data(p), s = p.shape()] {
    unrolled::conv2d_backward_input<float>(s, d.y.data(), d.weight.data(), d.x.data());
  };
}

Call backward_weight(const Problem& p) {
  return [d = Data(p), s = p.shape()] {
    unrolled::conv2d_backward_weight<float>(s, d.y.data(), d.x.data(), d.weight.data(), d.bias.data());
  };
}

}  // namespace

void add_conv_cases(Cases& cases) {
  for (const Problem& p : kProblems) {
    const Work work{.flops = p.flops()};  // of the direct sum, whatever the algorithm
    const std::string name = p.name;
    cases.push_back({"conv forward " + name, work, [&p] { return forward(p); }});
    cases.push_back({"conv backward input " + name, work, [&p] { return backward_input(p); }});
    cases.push_back({"conv backward weight " + name, work, [&p] { return backward_weight(p); }});
  }
}

}  // namespace unrolled_bench
