#include <cmath>

#include "case.h"
#include "ops/embedding.h"
#include "ops/optim.h"

namespace unrolled_bench {
namespace {

// n look-ups in a table of V rows of size D; rows by rank are about as frequent as words.
struct Table {
  int64_t n, V, D;
  int64_t looked_up() const { return n * D; }
};

using Ids = std::vector<int64_t>;

Ids ids_of(const Table& t) {
  Ids ids(static_cast<std::size_t>(t.n));
  std::minstd_rand engine(1);
  std::uniform_real_distribution<double> uniform(0, std::log(as_double(t.V)));
  for (int64_t& id : ids) id = std::min(t.V - 1, static_cast<int64_t>(std::exp(uniform(engine))) - 1);
  return ids;
}

Call forward(const Table& t) {
  return [=, ids = ids_of(t), weight = random_array(t.V * t.D), y = zeros(t.looked_up())] {
    unrolled::embedding<float>(t.n, t.D, ids.data(), weight.data(), y.data());
  };
}

Call backward(const Table& t) {
  return [=, ids = ids_of(t), grad_y = random_array(t.looked_up()), grad = zeros(t.V * t.D)] {
    const unrolled::RowPlaces places(t.n, ids.data(), t.V, -1);
    unrolled::embedding_backward<float>(places, t.V, t.D, grad_y.data(), grad.data());
  };
}

Call backward_rows(const Table& t) {
  return [=, ids = ids_of(t), grad_y = random_array(t.looked_up()), values = zeros(t.looked_up())] {
    const unrolled::RowPlaces places(t.n, ids.data(), t.V, -1);
    unrolled::embedding_backward_rows<float>(places, t.D, grad_y.data(), values.data());
  };
}

// A step of Adam with the rows that these look-ups meet.
Call adam(const Table& t, const Ids& rows) {
  const int64_t size = t.V * t.D, K = static_cast<int64_t>(rows.size());
  return [=, grad = random_array(K * t.D), param = random_array(size), mean = zeros(size),
          square = zeros(size)] {
    const unrolled::AdamStep step{1e-3, 0.9, 0.999, 1e-8, 0, false, 0.1, 0.001};
    unrolled::adam_rows<float>(K, t.D, rows.data(), step, grad.data(), param.data(), mean.data(),
                               square.data());
  };
}

Ids rows_of(const Table& t) {
  const Ids ids = ids_of(t);
  const unrolled::RowPlaces places(t.n, ids.data(), t.V, -1);
  Ids rows;
  for (int64_t i = 0; i < places.count(); ++i) rows.push_back(places.row(i));
  return rows;
}

}  // namespace

void add_embedding_cases(Cases& cases) {
  // Characters of 32 streams over 100 steps, and words of 32 sentences of 35.
  for (const Table& t : {Table{32 * 100, 96, 64}, Table{32 * 35, 50'000, 256}}) {
    const std::string size = label(t.n, " of ", t.V, "x", t.D);
    const double bytes = 4 * as_double(t.looked_up());
    cases.push_back({"embedding forward " + size, {.bytes = 2 * bytes}, [=] { return forward(t); }});
    cases.push_back({"embedding backward " + size, {.bytes = bytes + 4 * as_double(t.V * t.D)}, [=] {
                       return backward(t);
                     }});
    const Ids rows = rows_of(t);
    const double met = 4 * as_double(static_cast<int64_t>(rows.size()) * t.D);
    cases.push_back(
        {"embedding backward rows " + size, {.bytes = bytes + met}, [=] { return backward_rows(t); }});
    cases.push_back({"adam rows " + size, {.bytes = 7 * met}, [=] { return adam(t, rows); }});
  }
}

}  // namespace unrolled_bench
