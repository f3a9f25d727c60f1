"""The Triton kernel: in Triton's interpreter, and on a GPU if the machine has one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from curation.scores.contrastive_loss import triton_log_sum_exp

triton = pytest.importorskip("triton", reason="Triton has no build for this system")
CASES = Path(__file__).with_name("triton_kernel_cases.py")


def test_the_kernel_in_the_interpreter():
    _run_cases("1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_the_kernel_on_the_gpu():
    _run_cases("0")


def _run_cases(interpret: str) -> None:
    # Triton reads TRITON_INTERPRET when it is imported, so this needs a new process.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(CASES)],
        env=os.environ | {"TRITON_INTERPRET": interpret},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("both", [False, True])
def test_the_kernel_compiles_to_tensor_core_instructions(capability, both):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel = triton_log_sum_exp._kernel()
    constants = {"both": both, "block_rows": 128, "block_columns": 128, "block_dim": 64}
    types = {
        "left": "*fp16",
        "right": "*fp16",
        "row_out": "*fp32",
        "column_out": "*fp32",
        "n": "i32",
        "m": "i32",
        "dim": "i32",
        "scale": "fp32",
    }
    source = ASTSource(
        fn=kernel,
        signature=types | dict.fromkeys(constants, "constexpr"),
        constexprs=constants,
        attrs={(argument,): [["tt.divisibility", 16]] for argument in (0, 1, 2, 3, 6)},
    )
    made = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 8, "num_stages": 3}
    )
    assert ("wgmma" if capability == 90 else "mma.sync") in made.asm["ptx"]
    assert made.metadata.shared <= 100 * 1024
