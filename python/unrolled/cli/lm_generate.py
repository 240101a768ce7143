"""``unrolled lm generate``: text that a neural language model writes."""

from __future__ import annotations

import argparse
import json
from typing import Any

from unrolled.cli.arguments import add_threads, count, not_negative, positive, seed, use_threads
from unrolled.cli.errors import CommandError

_DESCRIPTION = """\
Let a neural language model go on from a text. Tokens are drawn by their probabilities, as
--temperature, --top-k and --top-p say; --beams searches for a likely text instead, --greedy takes
the likeliest token each time. The same seed writes the same text on any number of threads."""
_EPILOG = """\
examples:
  unrolled lm generate --model model/ --prompt "ROMEO:" --tokens 500 --temperature 0.8
  unrolled lm generate --model model/ --count 5 --stop-at-line --seed 1"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "generate",
        help="let a neural model write",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="DIR", help="what 'unrolled lm train-neural' wrote")
    add("--prompt", action="append", metavar="TEXT", help="what to go on from, once or more often")
    add("--tokens", type=count, default=200, metavar="N", help="to write at most (default: 200)")
    add("--count", type=count, default=1, metavar="N", help="texts for each prompt (default: 1)")
    add("--temperature", type=not_negative, default=1.0, metavar="X", help="default: 1")
    add("--top-k", type=count, metavar="N", help="draw from the N likeliest tokens")
    add(
        "--top-p",
        type=positive,
        default=1.0,
        metavar="P",
        help="draw from the likeliest tokens that together have this probability",
    )
    add("--beams", type=count, default=1, metavar="N", help="search with N hypotheses")
    add("--greedy", action="store_true", help="take the likeliest token each time")
    add("--repetition-penalty", type=positive, default=1.0, metavar="X", help="default: 1")
    add("--no-repeat-ngram", type=count, metavar="N", help="write no N tokens twice")
    add("--stop-at-line", action="store_true", help="end each text at its first line break")
    add("--seed", type=seed, default=0, metavar="N", help="of what is drawn (default: 0)")
    add("--format", choices=("text", "json"), default="text", help="default: text")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write, then print."""
    from unrolled.cli.saved_models import load_language_model

    use_threads(args)
    if args.greedy and args.beams > 1:
        raise CommandError("--greedy takes the likeliest token, --beams searches: give one of them")
    model = load_language_model(args.model)
    drawn = not args.greedy and args.beams == 1
    try:
        found = model.generate(
            args.prompt,
            stop="\n" if args.stop_at_line else None,
            max_new_tokens=args.tokens,
            num_return_sequences=args.count,
            num_beams=args.beams,
            do_sample=drawn,
            **(
                {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
                if drawn
                else {}
            ),
            repetition_penalty=args.repetition_penalty,
            no_repeat_ngram_size=args.no_repeat_ngram or 0,
            seed=args.seed if drawn else None,
        )
    except ValueError as error:
        raise CommandError(f"{args.model}: {error}") from error
    prompts = args.prompt or [""]
    written = [one if isinstance(one, list) else [one] for one in found]
    pairs = [(prompt, one) for prompt, of in zip(prompts, written, strict=True) for one in of]
    if args.format == "json":
        print(json.dumps([_as_json(*pair) for pair in pairs], ensure_ascii=False, indent=2))
        return 0
    joint = "" if model.vocabulary.unit == "char" else " "
    texts = [joint.join(filter(None, (prompt, one.text))) for prompt, one in pairs]
    print("\n\n".join(texts))
    return 0


def _as_json(prompt: str, generation: Any) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "text": generation.text,
        "score": generation.score,
        "ended": generation.ended,
    }
