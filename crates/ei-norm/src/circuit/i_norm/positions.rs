//! Rows of an example that are normalized together: the positions of an image.

use burn::tensor::Tensor;

/// Rows of so many examples, those of an example joined: `[examples, rows of an example · features]`.
pub(super) fn joined(rows: Tensor<2>, examples: usize) -> Tensor<2> {
    match rows.dims() {
        [count, _] if count == examples => rows,
        [count, features] => rows.reshape([examples, count / examples * features]),
    }
}

/// The mean over the positions of each example, `[examples, features]`.
pub(super) fn pooled(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, rows.dims()) {
        (1, _) => rows,
        (_, [count, _]) => gathered(joined(rows, count / positions), positions) / positions as f64,
    }
}

/// The sum over the positions of joined rows, `[examples, features]`.
pub(super) fn gathered(joined: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, joined.dims()) {
        (1, _) => joined,
        (_, [examples, width]) => {
            let parts = joined.reshape([examples, positions, width / positions]);
            parts.sum_dim(1).squeeze_dim(1)
        }
    }
}

/// The same row for each position of an example, `[examples · positions, features]`.
pub(super) fn spread(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, rows.dims()) {
        (1, _) => rows,
        (_, [examples, features]) => {
            let wide = rows.unsqueeze_dim::<3>(1);
            let wide = wide.expand([examples, positions, features]);
            wide.reshape([examples * positions, features])
        }
    }
}

/// An equal share for each position of an example.
pub(super) fn shared(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match positions {
        1 => rows,
        _ => spread(rows, positions) / positions as f64,
    }
}
