"""Build everything in ``data/``: the model, the sample, the target sets and the figures.

python data/build/build.py                    # all steps, in order
python data/build/build.py --step train       # one of them
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import evaluate
import parts
import pictures
import sample
import torch
import train

HERE = Path(__file__).resolve().parent
DATA = HERE.parent
STEPS: dict[str, Callable[[Path, Path], None]] = {
    "parts": lambda work, data: parts.fetch(work),
    "pictures": lambda work, data: pictures.draw(work),
    "sample": sample.write,
    "train": train.write,
    "evaluate": evaluate.write,
}


def main() -> None:
    """Run the steps chosen on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--step",
        action="append",
        choices=STEPS,
        metavar="STEP",
        help=f"run only this step (may be repeated): {', '.join(STEPS)}",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=HERE / "work",
        help="folder for packages, pictures and features, about 1 GB (default: %(default)s)",
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.step or STEPS:
        print(f"== {name}", flush=True)
        STEPS[name](options.work.resolve(), DATA)


if __name__ == "__main__":
    main()
