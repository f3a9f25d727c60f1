"""The Triton kernel, in its own module because Triton is not installed everywhere."""

import triton
import triton.language as tl


# Triton compiles the source of this function: its arguments are pointers and have no Python types.
@triton.jit  # type: ignore[untyped-decorator]
def log_sum_exp(  # type: ignore[no-untyped-def]
    left,
    right,
    row_out,
    column_out,
    n,
    m,
    dim,
    scale,
    both: tl.constexpr,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
    block_dim: tl.constexpr,
):
    """Base-2 log-sum-exps of scale · left · rightᵀ, for a block of rows and a split of columns.

    Args:
        left, right: float16, shapes (n, dim) and (m, dim), contiguous.
        row_out: float32, (splits, n): of each row over the columns of each split.
        column_out: float32, (row blocks, m): of each column over each block of rows, if ``both``.
        scale: log2(e) / τ.
    """
    block = tl.program_id(0)
    split = tl.program_id(1)
    splits = tl.num_programs(1)
    rows = block * block_rows + tl.arange(0, block_rows)
    row_exists = rows < n
    top = tl.full((block_rows,), float("-inf"), tl.float32)
    total = tl.zeros((block_rows,), tl.float32)
    column_blocks = tl.cdiv(m, block_columns)
    for tile in range(split, column_blocks, splits):
        columns = tile * block_columns + tl.arange(0, block_columns)
        column_exists = columns < m
        product = tl.zeros((block_rows, block_columns), tl.float32)
        for start in range(0, dim, block_dim):
            part = start + tl.arange(0, block_dim)
            a = tl.load(
                left + rows.to(tl.int64)[:, None] * dim + part[None, :],
                mask=row_exists[:, None] & (part < dim)[None, :],
                other=0.0,
            )
            b = tl.load(
                right + columns.to(tl.int64)[None, :] * dim + part[:, None],
                mask=column_exists[None, :] & (part < dim)[:, None],
                other=0.0,
            )
            product = tl.dot(a, b, product)
        scaled = product * scale
        by_row = tl.where(column_exists[None, :], scaled, float("-inf"))
        new_top = tl.maximum(top, tl.max(by_row, 1))
        total = total * tl.exp2(top - new_top) + tl.sum(tl.exp2(by_row - new_top[:, None]), 1)
        top = new_top
        if both:
            # Relative to each column's own maximum: relative to the rows' it might underflow.
            by_column = tl.where(row_exists[:, None], scaled, float("-inf"))
            column_top = tl.max(by_column, 0)
            sums = tl.sum(tl.exp2(by_column - column_top[None, :]), 0)
            tl.store(
                column_out + block.to(tl.int64) * m + columns,
                tl.log2(sums) + column_top,
                mask=column_exists,
            )
    tl.store(row_out + split.to(tl.int64) * n + rows, tl.log2(total) + top, mask=row_exists)
