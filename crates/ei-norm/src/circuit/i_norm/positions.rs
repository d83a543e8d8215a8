//! Rows of an example that are normalized together: the positions of an image.

use burn::tensor::Tensor;

/// Joins the rows of each example: `[..., examples, rows of an example · features]`.
pub(super) fn joined<const D: usize>(rows: Tensor<D>, examples: usize) -> Tensor<D> {
    let (count, features) = (rows.dims()[D - 2], rows.dims()[D - 1]);
    if count == examples {
        return rows;
    }
    let shape = with_last(&rows, [examples, count / examples * features]);
    rows.reshape(shape)
}

/// The mean over the positions of each example, `[..., examples, features]`.
pub(super) fn pooled<const D: usize>(rows: Tensor<D>, positions: usize) -> Tensor<D> {
    match (positions, rows.dims()[D - 2]) {
        (1, _) => rows,
        (_, count) => gathered(joined(rows, count / positions), positions) / positions as f64,
    }
}

/// The sum over the positions of joined rows, `[..., examples, features]`.
pub(super) fn gathered<const D: usize>(joined: Tensor<D>, positions: usize) -> Tensor<D> {
    if positions == 1 {
        return joined;
    }
    let (examples, features) = (joined.dims()[D - 2], joined.dims()[D - 1] / positions);
    let shape = with_last(&joined, [examples, features]);
    let count = shape[..D - 1].iter().product();
    let parts: Tensor<3> = joined.reshape([count, positions, features]);
    parts.sum_dim(1).reshape(shape)
}

/// The same row for each position of an example, `[..., examples · positions, features]`.
pub(super) fn spread<const D: usize>(rows: Tensor<D>, positions: usize) -> Tensor<D> {
    if positions == 1 {
        return rows;
    }
    let (examples, features) = (rows.dims()[D - 2], rows.dims()[D - 1]);
    let shape = with_last(&rows, [examples * positions, features]);
    let count = rows.dims()[..D - 1].iter().product();
    let wide: Tensor<3> = rows.reshape([count, 1, features]);
    wide.expand([count, positions, features]).reshape(shape)
}

/// An equal share for each position of an example.
pub(super) fn shared<const D: usize>(rows: Tensor<D>, positions: usize) -> Tensor<D> {
    match positions {
        1 => rows,
        _ => spread(rows, positions) / positions as f64,
    }
}

fn with_last<const D: usize>(x: &Tensor<D>, last: [usize; 2]) -> [usize; D] {
    let mut shape = x.dims();
    shape[D - 2..].copy_from_slice(&last);
    shape
}
