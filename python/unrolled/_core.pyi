"""The compiled core: exact dtypes, C order, new arrays out. mypy's stubtest keeps it true."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Float32 and float64 arrays alike; all arrays of one call have one dtype.
_Array = NDArray[Any]
_Pair = tuple[int, int]
_Borders = tuple[int, int, int, int]
_Maybe = _Array | None
_Weights = tuple[_Array, _Array, _Maybe, _Maybe, _Maybe, _Maybe]
_Axis = tuple[NDArray[np.int64], NDArray[np.int64], _Array]

__version__: str

def isa() -> str: ...
def isa_levels() -> list[str]: ...
def set_isa(level: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def are_ready(*arrays: object) -> bool: ...
def after_fork() -> None: ...
def compiler() -> str: ...
def has_openmp() -> bool: ...
def exp(x: _Array) -> _Array: ...
def log(x: _Array) -> _Array: ...
def tanh(x: _Array) -> _Array: ...
def sigmoid(x: _Array) -> _Array: ...
def relu(x: _Array) -> _Array: ...
def relu_backward(grad_y: _Array, y: _Array) -> _Array: ...
def bias_relu(x: _Array, bias: _Array) -> _Array: ...
def bias_relu_backward(grad_y: _Array, y: _Array) -> tuple[_Array, _Array]: ...
def tanh_backward(grad_y: _Array, y: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def sigmoid_backward(grad_y: _Array, y: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def leaky_relu(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def leaky_relu_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def elu(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def elu_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def gelu(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def gelu_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def gelu_tanh(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def gelu_tanh_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def silu(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def silu_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def softplus(x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def softplus_backward(grad_y: _Array, x: _Array, a: float = 0.0, b: float = 0.0) -> _Array: ...
def conv2d(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Pair,
    padding: _Borders,
    dilation: _Pair,
    groups: int,
    algorithm: str,
    relu: bool,
) -> _Array: ...
def conv2d_backward_input(
    grad_y: _Array,
    weight: _Array,
    input_size: _Pair,
    stride: _Pair,
    padding: _Borders,
    dilation: _Pair,
    groups: int,
    algorithm: str,
) -> _Array: ...
def conv2d_backward_weight(
    grad_y: _Array,
    x: _Array,
    kernel_size: _Pair,
    stride: _Pair,
    padding: _Borders,
    dilation: _Pair,
    groups: int,
    algorithm: str,
    bias: bool,
) -> tuple[_Array, _Array | None]: ...

_Hypotheses = tuple[
    NDArray[np.int32],  # tokens of all hypotheses
    NDArray[np.int64],  # where each begins and ends
    NDArray[np.float64],  # score
    NDArray[np.float64],  # acoustic
    NDArray[np.float64],  # language model
    NDArray[np.int64],  # units
    NDArray[np.float64],  # hotwords
    list[list[tuple[int, int, int]]],  # phrases that fired: number, first token, end token
]

class BeamStream:
    @property
    def frames(self) -> int: ...
    def push(self, chunk: _Array, allowed: NDArray[np.bool_] | None = None) -> None: ...
    def best(self, nbest: int, finish: bool) -> _Hypotheses: ...
    def stable(self) -> int: ...

class BeamSearch:
    def __init__(
        self,
        classes: int,
        blank: int,
        beam_width: int,
        token_min_logp: float,
        beam_prune_logp: float,
        token_top_k: int,
        merge_max: bool,
        fusion: Any = None,
    ) -> None: ...
    def decode(
        self,
        scores: _Array,
        lengths: NDArray[np.int64],
        allowed: NDArray[np.bool_] | None,
        nbest: int,
        copy: _Array | None = None,
    ) -> list[_Hypotheses]: ...
    def start(self) -> BeamStream: ...

class NGramLevels:
    def sizes(self) -> list[int]: ...
    def counts_of_counts(self, continuations: bool) -> NDArray[np.int64]: ...
    def estimate(
        self,
        smoothing: str,
        continuations: bool,
        discounts: list[list[float]],
        added: float,
        cutoffs: list[int],
        entropy: float,
    ) -> list[tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64]]]: ...

class NGramCounter:
    @property
    def sentences(self) -> int: ...
    def __init__(self, order: int) -> None: ...
    def add_words(self, sentences: list[Any]) -> None: ...
    def add_characters(self, lines: list[Any]) -> None: ...
    def words(self) -> list[str]: ...
    def word_counts(self) -> NDArray[np.int64]: ...
    def levels(self, ids: NDArray[np.uint32], words: int) -> NGramLevels: ...

def conv2d_backward(
    grad_y: _Array,
    x: _Array,
    weight: _Array,
    stride: _Pair,
    padding: _Borders,
    dilation: _Pair,
    groups: int,
    algorithm: str,
) -> tuple[_Array, _Array, _Array]: ...
def align(
    scores: _Array,
    targets: NDArray[np.int64],
    target_offsets: NDArray[np.int64],
    input_lengths: NDArray[np.int64],
    blank: int,
    skip_penalty: float,
    memory: int,
    band: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
def align_with_scores(
    scores: _Array,
    targets: NDArray[np.int64],
    target_offsets: NDArray[np.int64],
    input_lengths: NDArray[np.int64],
    blank: int,
    skip_penalty: float,
    memory: int,
    band: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]: ...
def ctc_loss(
    scores: _Array,
    targets: NDArray[np.int64],
    target_offsets: NDArray[np.int64],
    input_lengths: NDArray[np.int64],
    blank: int,
    logits: bool,
    grad_scale: NDArray[np.float64] | None,
    path: str = "auto",
) -> tuple[NDArray[np.float64], _Array | None]: ...
def ctc_path_posterior(
    scores: _Array, target: NDArray[np.int64], states: NDArray[np.int32], blank: int
) -> NDArray[np.float64]: ...
def ctc_states(
    scores: _Array, target: NDArray[np.int64], blank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def edit_distances(
    references: NDArray[np.int32],
    reference_offsets: NDArray[np.int64],
    hypotheses: NDArray[np.int32],
    hypothesis_offsets: NDArray[np.int64],
) -> NDArray[np.int64]: ...
def edit_paths(
    references: NDArray[np.int32],
    reference_offsets: NDArray[np.int64],
    hypotheses: NDArray[np.int32],
    hypothesis_offsets: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
def path_entropy(
    scores: _Array,
    targets: NDArray[np.int64],
    target_offsets: NDArray[np.int64],
    input_lengths: NDArray[np.int64],
    blank: int,
    grad_scale: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], _Array | None]: ...
def cross_entropy(
    x: _Array,
    target: NDArray[np.int64],
    weight: _Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
    with_grad: bool,
) -> tuple[Any, _Array | None]: ...
def cross_entropy_mixture(
    x: _Array,
    target: _Array,
    weight: _Array | None,
    label_smoothing: float,
    reduction: str,
    with_grad: bool,
) -> tuple[Any, _Array | None]: ...
def nll(
    x: _Array,
    target: NDArray[np.int64],
    weight: _Array | None,
    ignore_index: int,
    reduction: str,
    with_grad: bool,
) -> tuple[Any, _Array | None]: ...
def squared_error(
    x: _Array, target: _Array, scale: float, keep_losses: bool, with_grad: bool
) -> tuple[Any, _Array | None]: ...
def divergence(
    x: _Array, target: _Array, log_target: bool, scale: float, keep_losses: bool, with_grad: bool
) -> tuple[Any, _Array | None]: ...
def matmul(
    a: _Array, b: _Array, transpose_a: bool = False, transpose_b: bool = False
) -> _Array: ...
def batched_matmul(a: _Array, b: _Array) -> _Array: ...
def conv2d_max_pool(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Pair,
    padding: tuple[int, int, int, int],
    dilation: _Pair,
    groups: int,
    algorithm: str,
    pooling: tuple[_Pair, _Pair, _Pair, _Pair, bool, bool],
) -> tuple[_Array, NDArray[np.uint8]]: ...
def conv2d_max_pool_backward(
    grad_y: _Array,
    window: NDArray[np.uint8],
    x: _Array,
    weight: _Array,
    stride: _Pair,
    padding: tuple[int, int, int, int],
    dilation: _Pair,
    groups: int,
    algorithm: str,
    pooling: tuple[_Pair, _Pair, _Pair, _Pair, bool, bool],
    wanted: tuple[bool, bool, bool],
) -> tuple[_Array | None, _Array | None, _Array | None]: ...
def linear(x: _Array, weight: _Array, bias: _Array | None, relu: bool) -> _Array: ...
def linear_backward(
    grad_y: _Array,
    x: _Array,
    weight: _Array,
    y: _Array | None,
    bias: bool,
    input_gradient: bool,
) -> tuple[_Array | None, _Array, _Array | None]: ...
def batch_norm_training(
    x: _Array, weight: _Array | None, bias: _Array | None, eps: float
) -> tuple[_Array, _Array, _Array]: ...
def batch_norm(
    x: _Array, mean: _Array, var: _Array, weight: _Array | None, bias: _Array | None, eps: float
) -> _Array: ...
def batch_norm_backward(
    grad_y: _Array,
    x: _Array,
    mean: _Array,
    var: _Array,
    weight: _Array | None,
    eps: float,
    training: bool,
) -> tuple[_Array, _Array, _Array]: ...
def layer_norm(
    x: _Array, weight: _Array | None, bias: _Array | None, eps: float
) -> tuple[_Array, _Array, _Array]: ...
def layer_norm_backward(
    grad_y: _Array, x: _Array, weight: _Array | None, mean: _Array, inverse: _Array
) -> tuple[_Array, _Array, _Array]: ...
def sgd_step(
    param: _Array,
    grad: _Array,
    velocity: _Array | None,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
) -> None: ...
def adam_step(
    param: _Array,
    grad: _Array,
    exp_avg: _Array,
    exp_avg_sq: _Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
) -> None: ...
def adam_steps(
    params: list[_Array],
    grads: list[_Array],
    exp_avgs: list[_Array],
    exp_avg_sqs: list[_Array],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    steps: list[int],
) -> None: ...
def sgd_rows(param: _Array, rows: NDArray[np.int64], grad: _Array, lr: float) -> None: ...
def adam_rows(
    param: _Array,
    rows: NDArray[np.int64],
    grad: _Array,
    exp_avg: _Array,
    exp_avg_sq: _Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
) -> None: ...
def scale(x: _Array, factor: float) -> None: ...
def max_abs(x: _Array) -> float: ...
def sum_squares(x: _Array, scale: float) -> float: ...
def max_pool2d(
    x: _Array,
    kernel_size: _Pair,
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    ceil_mode: bool,
    relu: bool,
) -> tuple[_Array, NDArray[np.uint8]]: ...
def max_pool2d_backward(
    grad_y: _Array,
    window: NDArray[np.uint8],
    input_size: _Pair,
    kernel_size: _Pair,
    stride: _Pair,
    padding: _Pair,
    dilation: _Pair,
    ceil_mode: bool,
    relu: bool,
) -> _Array: ...
def avg_pool2d(
    x: _Array,
    kernel_size: _Pair,
    stride: _Pair,
    padding: _Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int,
) -> _Array: ...
def avg_pool2d_backward(
    grad_y: _Array,
    input_size: _Pair,
    kernel_size: _Pair,
    stride: _Pair,
    padding: _Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int,
) -> _Array: ...
def adaptive_avg_pool2d(x: _Array, output_size: _Pair) -> _Array: ...
def adaptive_avg_pool2d_backward(grad_y: _Array, input_size: _Pair) -> _Array: ...
def adaptive_max_pool2d(
    x: _Array, output_size: _Pair
) -> tuple[_Array, NDArray[np.uint8] | NDArray[np.int32]]: ...
def adaptive_max_pool2d_backward(
    grad_y: _Array, window: NDArray[np.uint8] | NDArray[np.int32], input_size: _Pair
) -> _Array: ...
def attention(
    query: _Array,
    memory: _Array,
    query_lengths: NDArray[np.int64],
    memory_lengths: NDArray[np.int64],
    weights: tuple[str, _Maybe, _Maybe, _Maybe],
) -> tuple[_Array, _Array, _Array]: ...
def attention_backward(
    grad_context: _Array,
    grad_attended: _Maybe,
    query: _Array,
    memory: _Array,
    query_lengths: NDArray[np.int64],
    memory_lengths: NDArray[np.int64],
    weights: tuple[str, _Maybe, _Maybe, _Maybe],
    attended: _Array,
    tape: _Array,
) -> tuple[_Array, _Array, tuple[_Maybe, _Maybe, _Maybe]]: ...
def attention_decoder(
    cell: str,
    feeding: str,
    x: _Array,
    memory: _Array,
    lengths: NDArray[np.int64],
    memory_lengths: NDArray[np.int64],
    layers: Sequence[_Weights],
    attention: tuple[str, _Maybe, _Maybe, _Maybe],
    output_weights: tuple[_Array, _Array],
    state: tuple[_Maybe, _Maybe, _Maybe],
    dropout_mask: _Maybe,
    ids: NDArray[np.int64] | None = None,
    table: _Maybe = None,
) -> tuple[_Array, _Array, tuple[_Maybe, _Maybe, _Maybe], _Array]: ...
def attention_decoder_backward(
    cell: str,
    feeding: str,
    grad_output: _Array,
    grad_attended: _Maybe,
    grad_state: tuple[_Maybe, _Maybe, _Maybe],
    x: _Array,
    memory: _Array,
    lengths: NDArray[np.int64],
    memory_lengths: NDArray[np.int64],
    layers: Sequence[_Weights],
    attention: tuple[str, _Maybe, _Maybe, _Maybe],
    output_weights: tuple[_Array, _Array],
    state: tuple[_Maybe, _Maybe, _Maybe],
    dropout_mask: _Maybe,
    output: _Array,
    attended: _Array,
    tape: _Array,
    input_gradient: bool,
    ids: NDArray[np.int64] | None = None,
    table: _Maybe = None,
) -> tuple[
    _Maybe,
    _Array,
    tuple[_Maybe, _Maybe, _Maybe],
    list[tuple[Any, ...]],
    tuple[_Maybe, _Maybe, _Maybe],
    tuple[_Array, _Array],
    _Maybe,
]: ...
def recurrent(
    cell: str,
    x: _Array,
    lengths: NDArray[np.int64],
    weights: list[_Weights],
    h0: _Maybe,
    c0: _Maybe,
    hidden_mask: _Maybe,
    ids: NDArray[np.int64] | None = None,
    table: _Maybe = None,
) -> tuple[_Array, _Array, _Maybe, _Array]: ...
def recurrent_backward(
    cell: str,
    grad_output: _Array,
    grad_h_n: _Maybe,
    grad_c_n: _Maybe,
    x: _Array,
    lengths: NDArray[np.int64],
    weights: list[_Weights],
    h0: _Maybe,
    c0: _Maybe,
    hidden_mask: _Maybe,
    tape: _Array,
    input_gradient: bool,
    ids: NDArray[np.int64] | None = None,
    table: _Maybe = None,
) -> tuple[_Maybe, list[_Weights], _Array, _Maybe, _Maybe]: ...
def recurrent_step(
    cell: str, x: _Array, weights: _Weights, h: _Maybe, c: _Maybe
) -> tuple[_Array, _Maybe]: ...
def recurrent_states(
    cell: str,
    x: _Array,
    lengths: NDArray[np.int64],
    weights: list[_Weights],
    tape: _Array,
) -> tuple[_Array, _Maybe]: ...
def embedding(ids: NDArray[np.int64], weight: _Array) -> _Array: ...
def embedding_backward(
    grad_y: _Array, ids: NDArray[np.int64], num_embeddings: int, padding_idx: int
) -> _Array: ...
def embedding_backward_rows(
    grad_y: _Array, ids: NDArray[np.int64], num_embeddings: int, padding_idx: int
) -> tuple[NDArray[np.int64], _Array]: ...
def softmax(x: _Array) -> _Array: ...
def log_softmax(x: _Array) -> _Array: ...
def softmax_backward(grad_y: _Array, y: _Array) -> _Array: ...
def log_softmax_backward(grad_y: _Array, y: _Array) -> _Array: ...
def resample(x: _Array, rows: _Axis, columns: _Axis) -> _Array: ...
def resample_backward(grad_y: _Array, input_size: _Pair, rows: _Axis, columns: _Axis) -> _Array: ...

class FusionLabels:
    def __init__(
        self, texts: list[str], starts_word: NDArray[np.bool_], ends_word: NDArray[np.bool_]
    ) -> None: ...

class Sequences:
    def __init__(self, values: NDArray[np.int32], offsets: NDArray[np.int64]) -> None: ...

class LabelUnits:
    def __init__(self, units: list[list[str]], leading_space: NDArray[np.bool_]) -> None: ...

class LanguageWeights:
    def __init__(self, lm: float, unit: float, unknown: float, scores_end: bool) -> None: ...

class FusionSource: ...

def fuse_hotwords(labels: Sequences, phrases: Sequences, weights: list[float]) -> FusionSource: ...
def fuse_lexicon(
    labels: FusionLabels, letters: Sequences, words: Sequences, spellings: Sequences
) -> FusionSource: ...
def fuse_word_ngram(
    labels: FusionLabels, model: NGram, weights: LanguageWeights
) -> FusionSource: ...
def fuse_label_ngram(units: LabelUnits, model: NGram, weights: LanguageWeights) -> FusionSource: ...
def fuse_word_model(
    labels: FusionLabels, model: Any, upper_bound: float, weights: LanguageWeights
) -> FusionSource: ...
def fuse_label_model(
    units: LabelUnits, model: Any, upper_bound: float, weights: LanguageWeights
) -> FusionSource: ...

class UnitTokens:
    def __init__(
        self, units: list[str], tokens: list[int], unknown: int, first: int, end: int
    ) -> None: ...

def fuse_word_steps(
    labels: FusionLabels, model: StepModel, units: UnitTokens, weights: LanguageWeights
) -> FusionSource: ...
def fuse_label_steps(
    labels: LabelUnits, model: StepModel, units: UnitTokens, weights: LanguageWeights
) -> FusionSource: ...

_FusionScores = tuple[float, int, float, list[tuple[int, int, int]]]

class Fusion:
    def __init__(self, classes: int, sources: list[FusionSource]) -> None: ...
    @property
    def classes(self) -> int: ...
    @property
    def needs_python(self) -> bool: ...
    def follow(
        self, tokens: NDArray[np.int32]
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        float,
        _FusionScores | None,
        _FusionScores | None,
    ]: ...

class NGramState:
    def __init__(self) -> None: ...
    @property
    def words(self) -> tuple[int, ...]: ...
    def __repr__(self) -> str: ...
    def __eq__(self, arg0: object, /) -> bool: ...
    def __hash__(self) -> int: ...

class ArpaPieces:
    def __iter__(self) -> ArpaPieces: ...
    def __next__(self) -> bytes: ...

class NGram:
    @staticmethod
    def load(path: str | bytes, unit: str, check: bool) -> NGram: ...
    @staticmethod
    def read_arpa(pieces: Iterable[bytes], name: str, unit: str) -> NGram: ...
    @staticmethod
    def from_tables(
        words: list[str], tables: list[tuple[_Array, _Array, _Array]], unit: str
    ) -> NGram: ...
    @property
    def order(self) -> int: ...
    @property
    def unit(self) -> str: ...
    @property
    def words(self) -> int: ...
    @property
    def counts(self) -> list[int]: ...
    @property
    def has_unknown(self) -> bool: ...
    @property
    def begin_word(self) -> int: ...
    @property
    def end_word(self) -> int: ...
    @property
    def upper_bound(self) -> float: ...
    def find(self, word: str) -> int: ...
    def vocabulary(self) -> list[str]: ...
    def begin(self) -> NGramState: ...
    def empty(self) -> NGramState: ...
    def step(self, state: NGramState, word: str) -> tuple[float, NGramState]: ...
    def full_step(self, state: NGramState, word: str) -> tuple[float, NGramState, int, bool]: ...
    def score(self, sentence: str | Sequence[str], bos: bool, eos: bool) -> tuple[float, int]: ...
    def full_scores(
        self, sentence: str | Sequence[str], bos: bool, eos: bool
    ) -> list[tuple[float, int, bool]]: ...
    def score_batch(
        self, sentences: list[str | Sequence[str]], bos: bool, eos: bool
    ) -> NDArray[np.float64]: ...
    def image(self) -> memoryview: ...
    def arpa(self) -> ArpaPieces: ...

# step_model
_Ids = NDArray[np.int32]

class StepModel:
    @property
    def tokens(self) -> int: ...
    @property
    def items(self) -> int: ...
    @property
    def state_size(self) -> int: ...
    @property
    def attended(self) -> int: ...
    @property
    def needs_python(self) -> bool: ...
    def start(self) -> _Array: ...
    def step(self, tokens: _Ids, items: _Ids, states: _Array) -> tuple[_Array, _Array, _Maybe]: ...

class PythonStepModel(StepModel):
    def __init__(
        self,
        tokens: int,
        items: int,
        state_size: int,
        start: ArrayLike | Callable[[], ArrayLike],
        step: Callable[[_Ids, _Ids, _Array], tuple[_Array, ...]],
        attended: int = 0,
    ) -> None: ...

_Linear = tuple[_Array, _Maybe]
_Decoder = tuple[str, str, _Maybe, _Maybe, _Maybe, int, _Linear]

def fingerprint(arrays: Sequence[_Array]) -> int: ...

class RecurrentNetwork:
    def __init__(
        self,
        cell: str,
        embedding: _Array,
        layers: Sequence[_Weights],
        output: Sequence[_Linear],
        decoder: _Decoder | None = None,
    ) -> None: ...
    @property
    def tokens(self) -> int: ...
    @property
    def state_size(self) -> int: ...
    @property
    def memory_size(self) -> int: ...
    def read(
        self,
        tokens: _Ids,
        lengths: NDArray[np.int64],
        start: _Array,
        frames: bool = False,
    ) -> tuple[_Array, _Maybe]: ...

class RecurrentStepModel(StepModel):
    def __init__(
        self,
        network: RecurrentNetwork,
        start: _Array,
        memory: _Maybe = None,
        lengths: NDArray[np.int64] | None = None,
    ) -> None: ...

class GenerationSettings:
    def __init__(
        self,
        *,
        max_new_tokens: int,
        min_new_tokens: int,
        num_beams: int,
        num_return_sequences: int,
        do_sample: bool,
        temperature: float,
        top_k: int,
        top_p: float,
        length_penalty: float,
        early_stopping: int,
        early_termination: bool,
        no_repeat_ngram_size: int,
        repetition_penalty: float,
        seed: int,
        keep_beams: bool,
        eos: int,
    ) -> None: ...

def generate(
    model: StepModel,
    settings: GenerationSettings,
    prompts: _Ids,
    prompt_offsets: NDArray[np.int64],
    read: NDArray[np.int64],
    prefixes: _Ids,
    prefix_offsets: NDArray[np.int64],
    allowed: NDArray[Any] | None,
    first_item: int,
) -> list[tuple[list[tuple[Any, ...]], tuple[Any, Any, Any, Any] | None]]: ...

class WindowNetwork:
    def __init__(
        self,
        embedding: _Array,
        layers: Sequence[_Linear],
        activation: str,
        output: Sequence[_Linear],
    ) -> None: ...
    @property
    def tokens(self) -> int: ...
    @property
    def reach(self) -> int: ...
    @property
    def state_size(self) -> int: ...

class WindowStepModel(StepModel):
    def __init__(self, network: WindowNetwork, read: _Ids) -> None: ...
