// R. Wagner and M. Fischer, "The string-to-string correction problem" (1974), one row at a time.
#include "ops/edit_distance.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "parallel.h"

namespace unrolled {
namespace {

struct Pair {
  const int32_t *reference, *hypothesis;
  int64_t rows, columns;  // tokens of the reference, of the hypothesis
};

Pair pair_of(const SequencePairs& pairs, int64_t n) {
  const int64_t r = pairs.reference_offsets[n], h = pairs.hypothesis_offsets[n];
  return {pairs.references + r, pairs.hypotheses + h, pairs.reference_offsets[n + 1] - r,
          pairs.hypothesis_offsets[n + 1] - h};
}

int64_t cells(const SequencePairs& pairs) {
  int64_t sum = 0;
  for (int64_t n = 0; n < pairs.N; ++n) {
    const Pair pair = pair_of(pairs, n);
    sum += (pair.rows + 1) * (pair.columns + 1);
  }
  return sum;
}

// Row after row of the table of distances; arrive(i, j, step) is told the last step to every cell.
template <class Arrive>
int64_t fill_rows(const Pair& pair, Arrive&& arrive) {
  std::vector<int64_t> row(static_cast<std::size_t>(pair.columns + 1));
  std::iota(row.begin(), row.end(), int64_t{0});
  for (int64_t i = 1; i <= pair.rows; ++i) {
    int64_t diagonal = row[0];
    row[0] = i;
    for (int64_t j = 1; j <= pair.columns; ++j) {
      const bool same = pair.reference[i - 1] == pair.hypothesis[j - 1];
      const int64_t paired = diagonal + !same, removed = row[j] + 1, inserted = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = std::min({paired, removed, inserted});
      const EditStep step = row[j] == paired    ? (same ? EditStep::keep : EditStep::substitute)
                            : row[j] == removed ? EditStep::remove
                                                : EditStep::insert;
      arrive(i, j, step);
    }
  }
  return row[pair.columns];
}

std::vector<EditStep> edit_path(const Pair& pair) {
  std::vector<EditStep> last(static_cast<std::size_t>(pair.rows * pair.columns));
  fill_rows(pair, [&](int64_t i, int64_t j, EditStep step) { last[(i - 1) * pair.columns + j - 1] = step; });
  std::vector<EditStep> steps;
  for (int64_t i = pair.rows, j = pair.columns; i > 0 || j > 0;) {
    const EditStep step = i == 0   ? EditStep::insert
                          : j == 0 ? EditStep::remove
                                   : last[(i - 1) * pair.columns + j - 1];
    steps.push_back(step);
    i -= step != EditStep::insert;
    j -= step != EditStep::remove;
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

}  // namespace

void edit_distances(const SequencePairs& pairs, int64_t* distances) {
  parallel_for(pairs.N, cells(pairs), [&](int64_t n) {
    distances[n] = fill_rows(pair_of(pairs, n), [](int64_t, int64_t, EditStep) {});
  });
}

std::vector<std::vector<EditStep>> edit_paths(const SequencePairs& pairs) {
  std::vector<std::vector<EditStep>> paths(static_cast<std::size_t>(pairs.N));
  parallel_for(pairs.N, cells(pairs), [&](int64_t n) { paths[n] = edit_path(pair_of(pairs, n)); });
  return paths;
}

}  // namespace unrolled
