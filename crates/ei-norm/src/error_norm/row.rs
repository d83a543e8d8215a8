//! One row on a CPU, in plain code that the compiler vectorizes.

#![allow(clippy::needless_range_loop)] // These loops it vectorizes best (measured).

use super::{ErrorNorm, Offset};
use crate::storage::Real;

/// The elements of one or several vector registers.
const LANES: usize = 16;
/// Four independent sums, so that an addition need not wait for the previous one.
const WIDE: usize = 4 * LANES;
/// The number of elements that are summed in the precision of the row before the sum continues in f64:
/// rounding does not grow with the length of the row.
const BLOCK: usize = 8 * WIDE;

/// Replaces the error δ in `row` by δ'. `z` and `weights` are empty if the mode does not use them.
#[inline(always)]
pub(super) fn normalize<E: Real>(norm: ErrorNorm, z: &[E], weights: &[E], row: &mut [E]) {
    let a = match norm.mode.offset() {
        Offset::Zero => 0.0,
        Offset::Mean => mean(row),
        Offset::Weighted => dot(row, weights),
    };
    let c = match norm.mode.scales() {
        true => 1.0 / (variance(z) + norm.epsilon).sqrt(),
        false => 1.0,
    };
    let (a, c) = (E::narrow(a), E::narrow(c));
    // Without b, z must not be used: a NaN of z must not reach the error.
    if norm.mode.decorrelates() {
        let b = E::narrow(dot(row, z) / row.len() as f64);
        for (error, z) in row.iter_mut().zip(z) {
            *error = (*error - a - *z * b) * c;
        }
    } else {
        for error in row {
            *error = (*error - a) * c;
        }
    }
}

#[inline(always)]
fn mean<E: Real>(x: &[E]) -> f64 {
    sum(x, x, |x, _| x) / x.len() as f64
}

#[inline(always)]
fn dot<E: Real>(x: &[E], y: &[E]) -> f64 {
    sum(x, y, |x, y| x * y)
}

/// Needs a second pass over the row, because E[x²] − (E x)² cancels.
#[inline(always)]
fn variance<E: Real>(x: &[E]) -> f64 {
    let mean = E::narrow(mean(x));
    let squares = sum(x, x, |x, _| {
        let deviation = x - mean;
        deviation * deviation
    });
    squares / x.len() as f64
}

/// Σ f(x, y) over the pairs of elements, always in the same order.
#[inline(always)]
fn sum<E: Real>(x: &[E], y: &[E], f: impl Fn(E, E) -> E) -> f64 {
    let mut total = [0.0; LANES];
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        let lanes = sum_block(x, y, &f);
        for lane in 0..LANES {
            total[lane] += Into::<f64>::into(lanes[lane]);
        }
    }
    // Pairwise, to avoid a long chain of dependent additions.
    total = add_halves::<8>(total);
    total = add_halves::<4>(total);
    total = add_halves::<2>(total);
    total = add_halves::<1>(total);
    total[0]
}

/// The sums of a block, one for each lane, in the precision of the row.
#[inline(always)]
fn sum_block<E: Real>(x: &[E], y: &[E], f: impl Fn(E, E) -> E) -> [E; LANES] {
    let mut chains = [E::default(); WIDE];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
    for (x, y) in x.iter().zip(y) {
        add::<E, WIDE>(&mut chains, x, y, &f);
    }
    let mut lanes = [E::default(); LANES];
    let ((x, x_rest), (y, y_rest)) = (x_rest.as_chunks(), y_rest.as_chunks());
    for (x, y) in x.iter().zip(y) {
        add::<E, LANES>(&mut lanes, x, y, &f);
    }
    for ((lane, x), y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *lane += f(*x, *y);
    }
    for chain in chains.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            lanes[lane] += chain[lane];
        }
    }
    lanes
}

#[inline(always)]
fn add<E: Real, const N: usize>(lanes: &mut [E; N], x: &[E; N], y: &[E; N], f: impl Fn(E, E) -> E) {
    for lane in 0..N {
        lanes[lane] += f(x[lane], y[lane]);
    }
}

/// Adds the second half of the first 2 `HALF` values to the first. A loop over `HALF` takes longer.
#[inline(always)]
fn add_halves<const HALF: usize>(mut values: [f64; LANES]) -> [f64; LANES] {
    for lane in 0..HALF {
        values[lane] += values[lane + HALF];
    }
    values
}
