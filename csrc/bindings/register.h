#pragma once

#include <pybind11/pybind11.h>

namespace unrolled {

void register_runtime(pybind11::module_& m);
void register_activation(pybind11::module_& m);
void register_align(pybind11::module_& m);
void register_attention(pybind11::module_& m);
void register_attention_decoder(pybind11::module_& m);
void register_conv(pybind11::module_& m);
void register_ctc(pybind11::module_& m);
void register_edit_distance(pybind11::module_& m);
void register_embedding(pybind11::module_& m);
void register_ngram(pybind11::module_& m);
void register_ngram_training(pybind11::module_& m);
void register_fusion(pybind11::module_& m);
void register_decode(pybind11::module_& m);
void register_loss(pybind11::module_& m);
void register_matmul(pybind11::module_& m);
void register_norm(pybind11::module_& m);
void register_optim(pybind11::module_& m);
void register_path_entropy(pybind11::module_& m);
void register_pool(pybind11::module_& m);
void register_recurrent(pybind11::module_& m);
void register_softmax(pybind11::module_& m);
void register_step_model(pybind11::module_& m);
void register_generate(pybind11::module_& m);  // takes step models
void register_upsample(pybind11::module_& m);

}  // namespace unrolled
