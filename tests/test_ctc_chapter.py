"""The chapter's reference: graph, paths, Viterbi, alpha and beta against every path enumerated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctc_problems import emissions, random_targets
from oracles import (
    alignments,
    assert_close,
    brute_force_ctc,
    enumerate_alignments,
    numeric_gradient,
)
from unrolled.reference import align, ctc, reading, trellis

# (T, C, target, blank); without blanks repeats have rows of their own.
PROBLEMS = [
    (1, 2, [1], None),
    (4, 3, [2], None),
    (5, 3, [0, 2, 1], None),
    (6, 3, [1, 1, 2, 2], None),
    (5, 4, [3, 2, 1, 0, 3], None),
    (1, 2, [], 0),
    (4, 3, [], 1),
    (1, 3, [2], 0),
    (4, 3, [1, 1], 0),
    (5, 3, [1, 1, 1], 0),
    (5, 3, [0, 1, 0], 2),
    (6, 4, [3, 3, 1], 2),
    (6, 3, [1, 2, 2, 1], 0),
]
EXACT = 1e-12


@pytest.fixture(params=PROBLEMS, ids=str)
def problem(request, rng):
    T, C, target, blank = request.param
    return emissions(rng, T, C, scale=0.5), target, blank


def arranged(problem):
    log_probs, target, blank = problem
    graph = trellis.make_graph(target, blank=blank)
    return trellis.arrange(log_probs, graph.symbols), graph


def enumerated(problem):
    log_probs, target, blank = problem
    return enumerate_alignments(log_probs[None], target, blank)


def test_the_table_has_a_row_for_each_symbol_in_order():
    table = np.arange(12.0).reshape(4, 3)
    rows = trellis.arrange(table, [2, 0, 0])
    assert rows.T.tolist() == [[2, 5, 8, 11], [0, 3, 6, 9], [0, 3, 6, 9]]


def test_the_graph_starts_top_left_and_ends_bottom_right():
    graph = trellis.make_graph([5, 5, 7])
    assert graph.symbols == [5, 5, 7]
    assert (graph.starts, graph.ends) == ([0], [2])
    assert graph.predecessors == [[(0, 0.0)], [(1, 0.0), (0, 0.0)], [(2, 0.0), (1, 0.0)]]
    assert graph.successors() == [[(0, 0.0), (1, 0.0)], [(1, 0.0), (2, 0.0)], [(2, 0.0)]]


def test_blanks_stand_between_and_are_skipped_unless_they_part_equal_symbols():
    graph = trellis.make_graph([5, 5, 7], blank=0)
    assert graph.symbols == [0, 5, 0, 5, 0, 7, 0]
    assert (graph.starts, graph.ends) == ([0, 1], [5, 6])
    skipping = [r for r, edges in enumerate(graph.predecessors) if len(edges) == 3]
    assert skipping == [5]


def test_the_graph_holds_exactly_the_paths_that_say_the_target(problem):
    log_probs, target, blank = problem
    _, graph = arranged(problem)
    T, C = log_probs.shape
    walked = list(trellis.all_paths(graph, T))
    expected = alignments(T, C, target, blank)
    assert sorted(walked) == sorted(map(tuple, expected.states.tolist()))
    for path in walked:
        says = trellis.compress([graph.symbols[r] for r in path], blank=blank)
        assert says == (trellis.compress(target) if blank is None else target)


def test_viterbi_finds_the_best_path_in_probabilities_and_in_logarithms(problem):
    log_y, graph = arranged(problem)
    every = enumerated(problem)
    if not graph.symbols:
        return
    path, score = align.backtrace(*align.log_viterbi(log_y, graph), graph)
    assert score == pytest.approx(every.best_score[0], rel=EXACT)
    log_probs, target, blank = problem
    paths = alignments(*log_probs.shape, target, blank)
    assert tuple(path) in every.best_states(0, paths)
    assert trellis.path_log_score(log_y, graph, path) == pytest.approx(score, rel=EXACT)
    Bscr, BP = align.viterbi(np.exp(log_y), graph)
    again, product = align.backtrace(Bscr, BP, graph, logarithms=False)
    assert again == path
    assert math.log(product) == pytest.approx(score, rel=EXACT)
    assert trellis.path_score(np.exp(log_y), graph, path) == pytest.approx(product, rel=EXACT)


def test_the_pseudocode_agrees_with_the_graph(problem):
    """The recursion runs the way it is written (B7)."""
    log_probs, target, blank = problem
    if blank is not None or not target:
        return
    y = np.exp(log_probs)
    rows, Bscr, BP = align.viterbi_chapter(y, target)
    log_y, graph = arranged(problem)
    wanted_Bscr, wanted_BP = align.viterbi(np.exp(log_y), graph)
    assert_close(Bscr, wanted_Bscr, EXACT)
    np.testing.assert_array_equal(BP, wanted_BP)
    assert rows == align.align(log_probs, target, blank=None)[0]


def test_alpha_beta_and_the_posterior_count_every_path(problem):
    log_y, graph = arranged(problem)
    every, y = enumerated(problem), np.exp(log_y)
    alpha = ctc.forward(y, graph)
    beta_hat, beta = ctc.backward(y, graph)
    assert_close(beta_hat, y * beta, EXACT)
    p = math.exp(-every.loss[0])
    assert_close(ctc.probability(alpha, graph), p, EXACT)
    assert_close((alpha * beta).sum(axis=1), np.full(len(y), p), EXACT, "P at every frame")
    gamma = ctc.posterior(alpha, beta)
    assert_close(gamma, every.posterior[0], EXACT)
    log_alpha = ctc.log_forward(log_y, graph)
    log_beta_hat, log_beta = ctc.log_backward(log_y, graph)
    for logarithm, value in ((log_alpha, alpha), (log_beta_hat, beta_hat), (log_beta, beta)):
        assert_close(np.exp(logarithm), value, EXACT)
    assert ctc.log_probability(log_alpha, graph) == pytest.approx(-every.loss[0])
    assert_close(np.exp(ctc.log_posterior(log_alpha, log_beta)), gamma, EXACT)


def test_the_loss_and_both_gradients(problem):
    log_probs, target, blank = problem
    every = enumerated(problem)
    options = {"blank": blank, "reduction": "sum"}
    loss, grad = ctc.loss_and_grad(log_probs[None], [target], **options)
    assert loss == pytest.approx(every.loss[0], rel=EXACT)
    assert_close(grad, -every.occupation, EXACT)
    wanted = numeric_gradient(lambda x: ctc.loss(x[None], [target], **options), log_probs)
    assert_close(grad[0], wanted, 2e-7)
    log_y, graph = arranged(problem)
    by_y = ctc.gradient(every.posterior[0], np.exp(log_y), graph.symbols, log_probs.shape[1])
    wanted = numeric_gradient(
        lambda y: ctc.loss(np.log(y)[None], [target], **options), np.exp(log_probs)
    )
    assert_close(by_y, wanted, 2e-7, "by the probabilities")


def test_the_expected_divergence_exceeds_the_loss_by_the_entropy_of_the_paths(problem):
    log_y, _ = arranged(problem)
    every = enumerated(problem)
    divergence = ctc.expected_divergence(every.posterior[0], log_y)
    share = np.exp(every.path_scores[0] + every.loss[0])
    entropy = -float(np.sum(share * np.log(share)))
    assert divergence == pytest.approx(every.loss[0] + entropy, rel=EXACT)
    if len(share) > 1:
        assert divergence > every.loss[0] * (1 + 1e-6)


def test_with_the_posterior_held_constant_both_have_one_gradient(problem):
    log_probs, target, blank = problem
    every = enumerated(problem)
    graph = trellis.make_graph(target, blank=blank)

    def divergence(x):
        return ctc.expected_divergence(every.posterior[0], trellis.arrange(x, graph.symbols))

    loss_gradient = -every.occupation[0]
    assert_close(numeric_gradient(divergence, log_probs), loss_gradient, 2e-7)
    wanted = numeric_gradient(lambda x: brute_force_ctc(x, target, blank)[0], log_probs)
    assert_close(wanted, loss_gradient, 2e-7)


def test_the_loss_on_the_best_path_has_a_gradient_on_that_path_alone(problem):
    log_probs, target, blank = problem
    _, graph = arranged(problem)
    if not graph.symbols:
        return
    path, score = align.align(log_probs, target, blank=blank)
    symbols = [graph.symbols[r] for r in path]
    divergence, grad = align.viterbi_loss(log_probs, symbols)
    assert divergence == pytest.approx(-score, rel=EXACT)
    assert_close(grad, -np.eye(log_probs.shape[1])[symbols], 0)
    y = np.exp(log_probs)
    by_y = align.viterbi_gradient(y, symbols)
    wanted = numeric_gradient(lambda x: align.viterbi_loss(np.log(x), symbols)[0], y)
    assert_close(by_y, wanted, 2e-7)


def test_no_path_scores_more_than_all_of_them(rng):
    for _ in range(50):
        blank = rng.choice([None, 0])
        (target,) = random_targets(rng, [2], 3, 0)
        log_probs = emissions(rng, 5, 3)
        _, score = align.align(log_probs, target, blank=blank)
        assert score <= -ctc.loss(log_probs[None], [target], blank=blank, reduction="sum") + EXACT


def test_of_equal_paths_the_one_that_moves_last_is_taken():
    """Stay before step before skip, seen from the end; the last symbol before the last blank."""
    even = np.full((4, 3), np.log(1 / 3))
    assert align.align(even, [1, 2], blank=None)[0] == [0, 1, 1, 1]
    assert align.align(even, [1, 2], blank=0)[0] == [1, 3, 3, 3]
    assert align.align(even, [1, 1], blank=0)[0] == [1, 2, 3, 3]
    assert align.align(even, [], blank=0)[0] == [0, 0, 0, 0]


def test_too_few_frames_and_impossible_symbols_have_no_path():
    log_probs = np.log(np.full((2, 3), 1 / 3))
    for blank, target in ((0, [1, 1]), (0, [1, 2, 1]), (None, [0, 1, 2]), (None, [])):
        assert align.align(log_probs, target, blank=blank) == ([-1, -1], -np.inf)
        assert ctc.loss(log_probs[None], [target], blank=blank, infeasible="inf") == np.inf
    log_probs[:, 1] = -np.inf
    assert align.align(log_probs, [1, 2])[1] == -np.inf
    assert align.align(log_probs[:0], [], blank=None) == ([], 0.0)
    assert align.align(log_probs[:0], [1]) == ([], -np.inf)


def test_a_symbol_may_be_left_out_at_a_price():
    log_probs = np.log(np.full((3, 4), 0.01))
    log_probs[:, 0] = np.log(0.5)
    log_probs[2, 2] = np.log(0.9)
    path, score = align.align(log_probs, [1, 2], skip_penalty=1.5)
    assert path == [0, 2, 3]
    assert score == pytest.approx(2 * math.log(0.5) - 1.5 + math.log(0.9))
    assert align.align(log_probs, [1, 2], skip_penalty=50.0)[0] == [1, 2, 3]
    assert align.align(log_probs, [1, 2]) == align.align(log_probs, [1, 2], skip_penalty=np.inf)


def test_pruning_keeps_the_symbols_but_not_their_order():
    best = [3, 0, 2, 2, 1]
    log_probs = np.log(np.eye(4)[best] * 0.9 + 0.025)
    log_probs[0, 2] = np.log(0.05)  # the second choice of the first frame
    assert reading.best_symbols(log_probs, [1, 2]) == [2, 1, 2, 2, 1]
    assert reading.best_symbols(log_probs) == best
    assert reading.greedy(log_probs, keep=[1, 2])[0] == [2, 2, 1]


def test_a_uniform_alignment_gives_every_symbol_its_share():
    assert trellis.uniform(7, 3) == [0, 0, 0, 1, 1, 2, 2]
    assert trellis.uniform(3, 3) == [0, 1, 2]
    assert list(trellis.durations(4, 2)) == [(1, 3), (2, 2), (3, 1)]
    assert list(trellis.durations(2, 3)) == list(trellis.durations(3, 0)) == []
