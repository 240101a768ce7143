// A case: one call of an operation or a kernel, its work, and how its data are made.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "memory.h"

namespace unrolled_bench {

using Call = std::function<void()>;

// What one call does: the first that is not 0 counts.
struct Work {
  double flops = 0;  // in float32, two for a multiply-add: compared with the multiply-add peak
  double bytes = 0;  // that have to be read and written: compared with the triad
  double items = 0;  // elements or cells, compared with nothing
};

struct Case {
  std::string name;
  Work work;
  std::function<Call()> prepare;  // the call owns its data, which are freed with it
  bool one_thread = false;        // it runs on the calling thread, whatever is set
};
using Cases = std::vector<Case>;

// Float32 in the pool's memory; copies share it.
class Array {
 public:
  explicit Array(int64_t size) : buffer_(std::make_shared<unrolled::Buffer<float>>(size)) {
    std::fill_n(data(), size, 0.0f);
  }
  float* data() const { return buffer_->data(); }

 private:
  std::shared_ptr<unrolled::Buffer<float>> buffer_;
};

inline Array zeros(int64_t size) { return Array(size); }

// Uniform in [-scale, scale), the same in each run.
inline Array random_array(int64_t size, float scale = 1.0f) {
  Array array(size);
  std::minstd_rand engine(1);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  for (int64_t i = 0; i < size; ++i) array.data()[i] = uniform(engine);
  return array;
}

// Its parts, one after the other. (gcc 12 warns wrongly of `"T" + std::to_string(T)`, PR 105651.)
template <class... Parts>
std::string label(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

inline double as_double(int64_t n) { return static_cast<double>(n); }

void add_activation_cases(Cases& cases);
void add_align_cases(Cases& cases);
void add_attention_cases(Cases& cases);
void add_conv_cases(Cases& cases);
void add_ctc_cases(Cases& cases);
void add_decode_cases(Cases& cases);
void add_embedding_cases(Cases& cases);
void add_generate_cases(Cases& cases);
void add_kernel_cases(Cases& cases);
void add_matmul_cases(Cases& cases);
void add_norm_cases(Cases& cases);
void add_optim_cases(Cases& cases);
void add_pool_cases(Cases& cases);
void add_recurrent_cases(Cases& cases);
void add_softmax_cases(Cases& cases);

}  // namespace unrolled_bench
