"""10,000 tiny problems against all their alignments: loss, gradient, posteriors, best path."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from ctc_problems import DTYPES, emissions
from oracles import Enumerated, alignments, assert_close, enumerate_alignments
from unrolled import _core, ctc
from unrolled.reference import align as reference

# Tables need not be normalised to be summed over; the warning about that is meant for users.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

TARGETS, TABLES = 10, 14  # of each of the 72 shapes


class Shape(NamedTuple):
    frames: int
    classes: int
    blank: int | None


SHAPES = [
    Shape(frames, classes, blank)
    for frames in range(1, 7)
    for classes in (2, 3, 4)
    for blank in [*range(classes), None]
]


class Cases(NamedTuple):
    """The problems of one shape: tables of several targets, one after the other."""

    tables: np.ndarray  # (N, T, C)
    targets: list  # (N) lists
    quantised: np.ndarray  # (N) bool: many paths are equally good
    enumerated: list[Enumerated]  # one for each target's tables


def random_target(rng, shape):
    """Return an empty target, one that just fits, one that is too long, or any."""
    symbols = [c for c in range(shape.classes) if c != shape.blank]
    kind = rng.choice(["empty", "exact", "long", "any"], p=[0.08, 0.22, 0.05, 0.65])
    target = []
    while kind != "empty":
        longer = [*target, int(rng.choice(symbols if not target else [target[-1], *symbols]))]
        needed = len(longer) if shape.blank is None else ctc.required_frames(longer)
        if needed > shape.frames:
            return longer if kind == "long" else target
        target = longer
        if kind == "any" and rng.random() < 1 / 3:
            break
    return target


def random_tables(rng, shape):
    """Return log probabilities: mild, sharp, with -inf, and of few different values."""
    T, C = shape.frames, shape.classes
    tables = emissions(rng, TABLES, T, C, scale=1.0)
    tables[4:6] = emissions(rng, 2, T, C, scale=20.0)
    masked = rng.random((4, T, C)) < 0.2
    tables[6:10][masked] = -np.inf
    tables[10:] = -0.5 * rng.integers(1, 4, (TABLES - 10, T, C))
    tables[12:][rng.random((TABLES - 12, T, C)) < 0.1] = -np.inf
    return tables.astype(np.float32).astype(np.float64)  # the same numbers in either precision


@cache
def cases(shape):
    rng = np.random.default_rng(
        [shape.frames, shape.classes, shape.blank or 0, shape.blank is None]
    )
    targets = [random_target(rng, shape) for _ in range(TARGETS)]
    tables = [random_tables(rng, shape) for _ in targets]
    return Cases(
        np.concatenate(tables),
        [target for target in targets for _ in range(TABLES)],
        np.tile(np.arange(TABLES) >= 10, TARGETS),
        [
            enumerate_alignments(table, target, shape.blank)
            for table, target in zip(tables, targets, strict=True)
        ],
    )


def enumerated(shape, name):
    return np.concatenate([getattr(every, name) for every in cases(shape).enumerated])


def test_the_cases_hold_what_they_should():
    targets = [(shape, target) for shape in SHAPES for target in cases(shape).targets]
    loss = np.concatenate([enumerated(shape, "loss") for shape in SHAPES])
    needed = [
        len(target) if shape.blank is None else ctc.required_frames(target)
        for shape, target in targets
    ]
    assert len(targets) == len(loss) >= 10_000
    assert sum(not target for _, target in targets) > 500
    assert sum(n == shape.frames for n, (shape, _) in zip(needed, targets, strict=True)) > 2000
    assert sum(n != len(target) for n, (_, target) in zip(needed, targets, strict=True)) > 1000
    infinite = [np.isneginf(cases(shape).tables).any(axis=(1, 2)).sum() for shape in SHAPES]
    assert sum(infinite) > 2000
    assert 500 < np.isinf(loss).sum() < len(loss) / 2
    assert not np.isnan(loss).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_and_gradient(isa, dtype, tolerance):
    limit = tolerance("ctc", dtype)
    for shape in SHAPES:
        problems = cases(shape)
        loss, grad = ctc.loss_and_grad(
            problems.tables.astype(dtype),
            problems.targets,
            blank=shape.blank,
            reduction="none",
            infeasible="inf",
        )
        assert not np.isnan(grad).any()
        assert_close(loss, enumerated(shape, "loss"), limit, f"loss, {shape}", scale=1.0)
        assert_close(grad, -enumerated(shape, "occupation"), limit, f"gradient, {shape}")


@pytest.mark.parametrize("path", ["linear", "exact", "log"])
def test_every_way_to_compute_them(isa, path, tolerance):
    """In float32: on plain probabilities, with powers of their own, in logarithms."""
    answered = 0
    for shape in SHAPES:
        problems = cases(shape)
        n = len(problems.targets)
        loss, grad = _core.ctc_loss(
            problems.tables.astype(np.float32),
            *flat(problems.targets),
            np.full(n, shape.frames),
            -1 if shape.blank is None else shape.blank,
            False,
            np.ones(n),
            path,
        )
        sure = ~np.isnan(loss)  # plain probabilities are not always enough, and say so
        assert path == "linear" or sure.all()
        limit = tolerance("ctc", "float32")
        expected, occupied = enumerated(shape, "loss")[sure], enumerated(shape, "occupation")[sure]
        assert_close(loss[sure], expected, limit, f"loss, {shape}", scale=1.0)
        assert_close(grad[sure], -occupied, limit, f"gradient, {shape}")
        assert not grad[~sure].any()
        answered += sure.sum()
    assert answered > 5000


def flat(targets):
    offsets = np.cumsum([0, *map(len, targets)])
    return np.array([token for target in targets for token in target], np.int64), offsets


@pytest.mark.parametrize("dtype", DTYPES)
def test_best_path_and_its_score(isa, dtype):
    for shape in SHAPES:
        problems = cases(shape)
        states, scores = _core.align(
            problems.tables.astype(dtype),
            *flat(problems.targets),
            np.full(len(problems.targets), shape.frames),
            -1 if shape.blank is None else shape.blank,
            np.inf,
            0,
            0,
        )
        assert_close(scores, enumerated(shape, "best_score"), 1e-6, f"score, {shape}", scale=1.0)
        for n, (path, target) in enumerate(zip(states.tolist(), problems.targets, strict=True)):
            every = problems.enumerated[n // TABLES]
            if every.best_score[n % TABLES] == -np.inf:
                assert set(path) == {-1}
                continue
            paths = alignments(shape.frames, shape.classes, target, shape.blank)
            best = every.best_states(n % TABLES, paths, tolerance=1e-5)
            assert tuple(path) in best, (shape, problems.tables[n], target)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_equally_good_paths_the_rule_chooses(isa, dtype):
    """Multiples of a half are added without rounding, so that ties are ties in either precision."""
    for shape in SHAPES[_core.isa_levels().index(isa) :: len(_core.isa_levels())]:
        problems = cases(shape)
        chosen = np.flatnonzero(problems.quantised)
        targets = [problems.targets[n] for n in chosen]
        states, scores = _core.align(
            problems.tables[chosen].astype(dtype),
            *flat(targets),
            np.full(len(chosen), shape.frames),
            -1 if shape.blank is None else shape.blank,
            np.inf,
            0,
            0,
        )
        for n, target, path, score in zip(chosen, targets, states, scores, strict=True):
            expected = reference.align(problems.tables[n], target, blank=shape.blank)
            assert (path.tolist(), score) == expected, (shape, problems.tables[n], target)


def test_posteriors_and_divergence(isa):
    """One third of the shapes on each instruction set."""
    levels = _core.isa_levels()
    for shape in SHAPES[levels.index(isa) :: len(levels)]:
        problems = cases(shape)
        for n, target in enumerate(problems.targets):
            every, k = problems.enumerated[n // TABLES], n % TABLES
            if np.isinf(every.loss[k]):
                with pytest.raises(ValueError, match="item 0"):
                    ctc.forward_backward(problems.tables[n], target, blank=shape.blank)
                continue
            trellis = ctc.forward_backward(problems.tables[n], target, blank=shape.blank)
            assert abs(trellis.loss - every.loss[k]) < 1e-10
            assert abs(trellis.best_score - every.best_score[k]) < 1e-10
            assert np.abs(trellis.posterior - every.posterior[k]).max() < 1e-10
            assert np.abs(trellis.occupation - every.occupation[k]).max() < 1e-10
            share = np.exp(every.path_scores[k] + every.loss[k])
            cost = np.where(share > 0, every.path_scores[k], 0.0)
            assert abs(trellis.expected_divergence + share @ cost) < 1e-9
