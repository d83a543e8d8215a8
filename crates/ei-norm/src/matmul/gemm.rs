//! The product kernel that Flex uses (the `gemm` crate), on slices.
//!
//! This is the only unsafe code of this crate, because the kernel's interface is raw pointers. Every pointer
//! comes from a slice whose length is checked against shape and strides beforehand. Without this module a
//! training step of the experiment takes 5 to 12 % longer.
#![allow(unsafe_code)]

use gemm::Parallelism;

use crate::storage::Real;

/// The number of multiply-adds for which an additional thread pays off.
const GRAIN: usize = 32 << 20;
/// The minimal ratio of columns to rows at which the transpose of the result is computed instead.
const WIDE: usize = 2;
/// The sizes up to which the kernel sums in blocks of their own.
const SMALL: usize = 64;
/// A multiple of the number of elements in a vector, on every processor.
const VECTOR: usize = 16;

/// A matrix in memory.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    /// The values from the first element on.
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// None if the strides are negative or lead outside of `values`.
    pub fn new(
        values: &'a [T],
        start: usize,
        [rows, columns]: [usize; 2],
        [row_stride, column_stride]: [isize; 2],
    ) -> Option<Self> {
        let (row_stride, column_stride) =
            (row_stride.try_into().ok()?, column_stride.try_into().ok()?);
        let matrix = Self {
            values: values.get(start..)?,
            rows,
            columns,
            row_stride,
            column_stride,
        };
        (matrix.extent()? <= matrix.values.len()).then_some(matrix)
    }

    /// One more than the largest index of an element.
    fn extent(&self) -> Option<usize> {
        if self.rows == 0 || self.columns == 0 {
            return Some(0);
        }
        let down = (self.rows - 1).checked_mul(self.row_stride)?;
        let right = (self.columns - 1).checked_mul(self.column_stride)?;
        down.checked_add(right)?.checked_add(1)
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Appends a b, row by row; none, without a change, if the inner sizes differ.
pub(super) fn append_product<T: Real>(
    values: &mut Vec<T>,
    a: Matrix<T>,
    b: Matrix<T>,
) -> Option<()> {
    let (m, n, before) = (a.rows, b.columns, values.len());
    // For few rows and a large matrix in the other storage order, the kernel would first transpose the
    // matrix; transposing the result is cheaper.
    if b.row_stride == 1 && b.column_stride > 1 && n > WIDE * m {
        let mut turned = Vec::new();
        append_product(&mut turned, b.transposed(), a.transposed())?;
        values.resize(before + turned.len(), T::default());
        transpose(&turned, m, &mut values[before..]);
        return Some(());
    }
    let len = m.checked_mul(n)?;
    if len == 0 || a.columns == 0 {
        let fits = a.columns == b.rows;
        return fits.then(|| values.resize(before + len, T::default()));
    }
    values.reserve(len);
    // SAFETY: the vector has room for m n more elements; the kernel writes each of them and, with `add` false,
    // reads none.
    unsafe {
        run(values.as_mut_ptr().add(before), false, T::narrow(1.0), a, b)?;
        values.set_len(before + len);
    }
    Some(())
}

/// Writes the transpose of a matrix with `columns` columns.
fn transpose<T: Real>(values: &[T], columns: usize, result: &mut [T]) {
    /// The number of rows that are transposed at a time, so that writes are contiguous.
    const BLOCK: usize = 16;
    let rows = values.len() / columns.max(1);
    for (index, block) in values.chunks(BLOCK * columns.max(1)).enumerate() {
        for (column, target) in result.chunks_mut(rows.max(1)).enumerate() {
            let elements = block.iter().skip(column).step_by(columns);
            let target = target.iter_mut().skip(BLOCK * index);
            target.zip(elements).for_each(|(target, v)| *target = *v);
        }
    }
}

/// Adds `factor` a b to `sum`, which is stored row by row; none, without a change, if the sizes differ.
pub(super) fn add_product<T: Real>(
    sum: &mut [T],
    factor: T,
    a: Matrix<T>,
    b: Matrix<T>,
) -> Option<()> {
    if sum.len() != a.rows.checked_mul(b.columns)? {
        return None;
    }
    if sum.is_empty() || a.columns == 0 {
        return (a.columns == b.rows).then_some(());
    }
    // SAFETY: the slice has m n elements.
    unsafe { run(sum.as_mut_ptr(), true, factor, a, b) }
}

/// # Safety
///
/// `result` must be valid for writes of m n elements, and for reads if `add`.
unsafe fn run<T: Real>(
    result: *mut T,
    add: bool,
    factor: T,
    a: Matrix<T>,
    b: Matrix<T>,
) -> Option<()> {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if k != b.rows {
        return None;
    }
    let threads = m.saturating_mul(n).saturating_mul(k) / GRAIN;
    let parallelism = match threads.min(rayon::current_num_threads()) {
        0 | 1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    // The kernel copies b if its columns do not fill vectors. With few rows a second call for the last columns
    // is cheaper. Both parts are larger than `SMALL`, so that every sum keeps its order.
    let copied = b.column_stride == 1 && n % VECTOR > 0;
    let last = SMALL + n % VECTOR;
    let split = copied && m <= SMALL && n > SMALL + last;
    let first = if split { n - last } else { n };
    for part in [0..first, first..n] {
        if part.is_empty() {
            continue;
        }
        let b = Matrix {
            values: &b.values[part.start * b.column_stride..],
            columns: part.len(),
            ..b
        };
        // SAFETY: `Matrix::new` has checked that every element of a and b lies in its slice, and the columns of
        // this part are columns of `result`.
        unsafe {
            gemm::gemm(
                m,
                b.columns,
                k,
                result.add(part.start),
                1,
                n as isize,
                add,
                a.values.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.values.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                T::narrow(1.0),
                factor,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Irregular numbers.
    fn numbers(count: usize, seed: usize) -> Vec<f64> {
        let number = |i| ((seed + i) as f64 * 12.9898).sin() * 43758.5453 % 1.0;
        (0..count).map(number).collect()
    }

    fn product<T: Real>(a: Matrix<T>, b: Matrix<T>) -> Option<Vec<T>> {
        let mut values = Vec::new();
        append_product(&mut values, a, b).map(|()| values)
    }

    fn element(m: &Matrix<f64>, row: usize, column: usize) -> f64 {
        m.values[row * m.row_stride + column * m.column_stride]
    }

    fn expected(a: &Matrix<f64>, b: &Matrix<f64>) -> Vec<f64> {
        let sum = |i, j| {
            (0..a.columns)
                .map(|k| element(a, i, k) * element(b, k, j))
                .sum()
        };
        let row = |i| (0..b.columns).map(move |j| sum(i, j));
        (0..a.rows).flat_map(row).collect()
    }

    /// The matrix row by row, column by column, and with gaps.
    fn views(values: &[f64], [rows, columns]: [usize; 2]) -> Vec<Matrix<'_, f64>> {
        let by_row = Matrix::new(values, 0, [rows, columns], [columns as isize, 1]);
        let by_column = Matrix::new(values, 0, [rows, columns], [1, rows as isize]);
        let gaps = Matrix::new(values, 3, [rows, columns], [2 * columns as isize, 2]);
        [by_row, by_column, gaps].into_iter().flatten().collect()
    }

    #[test]
    fn products_of_all_layouts_and_odd_sizes() {
        let sizes = [
            [1, 1, 1],
            [3, 2, 5],
            [2, 7, 33],
            // Computed in two parts.
            [2, 3, 150],
            // Miri takes minutes for the large one.
            if cfg!(miri) {
                [9, 7, 20]
            } else {
                [32, 70, 100]
            },
            [5, 65, 1],
            [33, 1, 17],
        ];
        for [m, k, n] in sizes {
            let (left, right) = (numbers(4 * m * k + 3, 1), numbers(4 * k * n + 3, 2));
            for a in views(&left, [m, k]) {
                for b in views(&right, [k, n]) {
                    let expected = expected(&a, &b);
                    let close = |found: &[f64], factor: f64, before: f64| {
                        assert_eq!(found.len(), expected.len());
                        for (found, expected) in found.iter().zip(&expected) {
                            assert!((found - (before + factor * expected)).abs() < 1e-12);
                        }
                    };
                    let mut values = vec![0.5];
                    append_product(&mut values, a, b).unwrap();
                    assert_eq!(values.remove(0), 0.5);
                    close(&values, 1.0, 0.0);
                    let mut sum = vec![0.5; m * n];
                    add_product(&mut sum, -2.0, a, b).unwrap();
                    close(&sum, -2.0, 0.5);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn a_product_in_two_parts_has_the_bits_of_the_whole() {
        let (m, k, n) = (32, 784, 512);
        let of = |count, seed| numbers(count, seed).iter().map(|v| *v as f32).collect();
        let (left, right): (Vec<f32>, Vec<f32>) = (of(m * k, 5), of(k * n, 6));
        let a = Matrix::new(&left, 0, [m, k], [k as isize, 1]).unwrap();
        let of_columns = |columns| {
            let b = Matrix::new(&right, 0, [k, columns], [n as isize, 1]).unwrap();
            product(a, b).unwrap()
        };
        // Vectors divide 512 columns, which are computed as a whole, but not 500.
        let (whole, parts) = (of_columns(n), of_columns(500));
        for (whole, parts) in whole.chunks(n).zip(parts.chunks(500)) {
            assert_eq!(whole[..500], *parts);
        }
    }

    #[test]
    fn empty_products_are_zero_and_wrong_sizes_are_none() {
        let values = numbers(6, 3);
        let matrix = |rows, columns| {
            Matrix::new(&values, 0, [rows, columns], [columns as isize, 1]).unwrap()
        };
        assert_eq!(product(matrix(2, 0), matrix(0, 3)), Some(vec![0.0; 6]));
        assert_eq!(product(matrix(0, 2), matrix(2, 3)), Some(vec![]));
        assert_eq!(product(matrix(2, 3), matrix(2, 3)), None);
        assert_eq!(product(matrix(2, 0), matrix(1, 3)), None);
        let mut sum = vec![1.0; 4];
        assert_eq!(
            add_product(&mut sum, 1.0, matrix(2, 0), matrix(0, 2)),
            Some(())
        );
        assert_eq!(sum, [1.0; 4]);
        assert_eq!(add_product(&mut sum, 1.0, matrix(2, 3), matrix(3, 1)), None);
        assert_eq!(sum, [1.0; 4]);
    }

    #[test]
    fn a_matrix_lies_within_its_slice() {
        let values = numbers(6, 4);
        let new = |start, shape, strides| Matrix::<f64>::new(&values, start, shape, strides);
        assert!(new(0, [2, 3], [3, 1]).is_some());
        assert!(new(1, [2, 3], [3, 1]).is_none());
        assert!(new(0, [2, 3], [4, 1]).is_none());
        assert!(new(5, [2, 3], [-3, 1]).is_none());
        assert!(new(0, [3, 3], [0, 1]).is_some(), "repeated rows");
        assert!(new(7, [0, 0], [1, 1]).is_none());
        assert!(new(0, [usize::MAX, 2], [isize::MAX, 1]).is_none());
    }
}
