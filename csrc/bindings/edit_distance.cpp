#include "ops/edit_distance.h"

#include <algorithm>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

void require_offsets(const Array<int32_t>& tokens, const Array<int64_t>& offsets) {
  require(tokens.ndim() == 1 && offsets.ndim() == 1 && offsets.size() >= 1,
          "tokens and offsets must be flat");
  const int64_t *first = offsets.data(), *last = first + offsets.size();
  require(*first == 0 && std::is_sorted(first, last) && last[-1] == tokens.size(),
          "offsets must rise from 0 to the number of tokens");
}

SequencePairs make_pairs(const Array<int32_t>& references, const Array<int64_t>& reference_offsets,
                         const Array<int32_t>& hypotheses, const Array<int64_t>& hypothesis_offsets) {
  require_offsets(references, reference_offsets);
  require_offsets(hypotheses, hypothesis_offsets);
  require(reference_offsets.size() == hypothesis_offsets.size(),
          "there must be as many hypotheses as references");
  return {reference_offsets.size() - 1, references.data(), hypotheses.data(), reference_offsets.data(),
          hypothesis_offsets.data()};
}

Array<int64_t> edit_distances_array(const Array<int32_t>& references, const Array<int64_t>& reference_offsets,
                                    const Array<int32_t>& hypotheses,
                                    const Array<int64_t>& hypothesis_offsets) {
  const SequencePairs pairs = make_pairs(references, reference_offsets, hypotheses, hypothesis_offsets);
  Array<int64_t> distances = make_array<int64_t>({pairs.N});
  int64_t* to = distances.mutable_data();
  {
    const py::gil_scoped_release release;
    edit_distances(pairs, to);
  }
  return distances;
}

py::tuple edit_paths_array(const Array<int32_t>& references, const Array<int64_t>& reference_offsets,
                           const Array<int32_t>& hypotheses, const Array<int64_t>& hypothesis_offsets) {
  const SequencePairs pairs = make_pairs(references, reference_offsets, hypotheses, hypothesis_offsets);
  Array<int64_t> offsets = make_array<int64_t>({pairs.N + 1});
  std::vector<std::vector<EditStep>> paths;
  {
    const py::gil_scoped_release release;
    paths = edit_paths(pairs);
  }
  int64_t* end = offsets.mutable_data();
  *end = 0;
  for (const auto& path : paths) {
    end[1] = end[0] + static_cast<int64_t>(path.size());
    ++end;
  }
  Array<uint8_t> steps = make_array<uint8_t>({*end});
  auto* to = reinterpret_cast<EditStep*>(steps.mutable_data());
  for (const auto& path : paths) to = std::copy(path.begin(), path.end(), to);
  return py::make_tuple(steps, offsets);
}

}  // namespace

void register_edit_distance(py::module_& m) {
  m.def("edit_distances", &edit_distances_array, "references"_a.noconvert(),
        "reference_offsets"_a.noconvert(), "hypotheses"_a.noconvert(), "hypothesis_offsets"_a.noconvert());
  m.def("edit_paths", &edit_paths_array, "references"_a.noconvert(), "reference_offsets"_a.noconvert(),
        "hypotheses"_a.noconvert(), "hypothesis_offsets"_a.noconvert());
}

}  // namespace unrolled
