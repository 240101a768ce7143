#include "case.h"
#include "ops/pool_max.h"

namespace unrolled_bench {
namespace {

struct Images {
  const char* name;
  int64_t planes, H, W;
};

const Images kImages[] = {{"32,32,28,28", 32 * 32, 28, 28}, {"32,64,32,256", 32 * 64, 32, 256}};

// Windows of 2x2, the largest in each.
struct Pooling {
  explicit Pooling(const Images& images)
      : x(random_array(images.planes * images.H * images.W)),
        y(zeros(images.planes * images.H * images.W / 4)),
        window(std::make_shared<unrolled::Buffer<uint8_t>>(images.planes * images.H * images.W / 4)) {
    shape.planes = images.planes;
    shape.dilation_h = shape.dilation_w = 1;
    shape.H = images.H, shape.W = images.W;
    shape.kernel_h = shape.kernel_w = shape.stride_h = shape.stride_w = 2;
    shape.OH = images.H / 2, shape.OW = images.W / 2;
    forward();
  }
  void forward() const { unrolled::max_pool2d(shape, x.data(), y.data(), window->data()); }
  void backward() const { unrolled::max_pool2d_backward(shape, y.data(), window->data(), x.data()); }

  unrolled::MaxPoolShape shape{};
  Array x, y;
  std::shared_ptr<unrolled::Buffer<uint8_t>> window;
};

}  // namespace

void add_pool_cases(Cases& cases) {
  for (const Images& images : kImages) {
    const double x = as_double(images.planes * images.H * images.W);
    const Work work{.bytes = 4 * x + (4 + 1) * x / 4};  // both ways: images, maxima, a byte for each place
    const std::string name = images.name;
    cases.push_back(
        {"max_pool2d forward " + name, work, [&images] { return [p = Pooling(images)] { p.forward(); }; }});
    cases.push_back(
        {"max_pool2d backward " + name, work, [&images] { return [p = Pooling(images)] { p.backward(); }; }});
  }
}

}  // namespace unrolled_bench
