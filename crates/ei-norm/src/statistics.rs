use burn::tensor::{DType, Device, Tensor};

/// Mean over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
#[must_use]
pub fn mean<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.mean_dim(D - 1)
}

/// Mean of the squares over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
#[must_use]
pub fn mean_square<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    mean(x.square())
}

/// Population variance over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
#[must_use]
pub fn variance<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    mean_square(x.clone() - mean(x))
}

/// Standard deviation σ = sqrt(var(x) + ε) over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
#[must_use]
pub fn row_std<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    (variance(x) + epsilon).sqrt()
}

/// f16 and bf16 as f32, in which squares and sums stay in the range.
pub(crate) fn widened<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.cast(DType::F32),
        _ => x,
    }
}

/// The mean of all values; 0, not 0/0, if there are none.
pub(crate) fn mean_or_zero<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    match x.shape().num_elements() {
        0 => x.sum(),
        _ => x.mean(),
    }
}

/// The features that exist in the rows of each network; other features are 0.
#[derive(Debug, Clone)]
pub enum Features<const D: usize> {
    /// All features, in every network.
    All,
    /// The first features, a separate number for each network.
    First(Box<FirstFeatures<D>>),
}

/// The first features of each network.
#[derive(Debug, Clone)]
pub struct FirstFeatures<const D: usize> {
    /// 1 where there is a feature and 0 elsewhere, `[networks, 1, features]`.
    exists: Tensor<D>,
    /// The number of features, `[networks, 1, 1]`.
    count: Tensor<D>,
    /// Whether the features are those of several rows, joined to one.
    are_joined: bool,
}

impl<const D: usize> Features<D> {
    /// The features for which `exists`, `[networks, 1, features]`, is 1.
    pub fn where_one(exists: Tensor<D>) -> Self {
        Self::first(exists, false)
    }

    fn first(exists: Tensor<D>, are_joined: bool) -> Self {
        Self::First(Box::new(FirstFeatures {
            count: exists.clone().sum_dim(D - 1),
            exists,
            are_joined,
        }))
    }

    /// The number of features of each network, `[networks]`; none for [`All`](Self::All).
    pub fn counts(&self) -> Option<Tensor<1>> {
        match self {
            Self::All => None,
            Self::First(first) => Some(first.count.clone().flatten(0, D - 1)),
        }
    }

    /// The same features in another floating-point type. They are counted anew, because half precision cannot
    /// represent every number.
    pub fn cast(&self, dtype: DType) -> Self {
        match self {
            Self::First(first) if first.exists.dtype() != dtype => {
                Self::first(first.exists.clone().cast(dtype), first.are_joined)
            }
            _ => self.clone(),
        }
    }

    /// The features of so many rows, joined to one.
    pub fn repeated(&self, rows: usize) -> Self {
        match self {
            Self::First(first) if rows > 1 => {
                Self::first(Tensor::cat(vec![first.exists.clone(); rows], D - 1), true)
            }
            _ => self.clone(),
        }
    }

    /// Whether a tensor on this device and of this type can be computed with.
    pub fn are_on(&self, device: &Device, dtype: DType) -> bool {
        match self {
            Self::All => true,
            Self::First(first) => first.exists.dtype() == dtype && first.exists.device() == *device,
        }
    }

    /// Whether features are missing in some networks at other places than the end of a row.
    pub fn have_gaps(&self) -> bool {
        matches!(self, Self::First(first) if first.are_joined)
    }

    /// Whether features are missing in some networks.
    pub fn are_some(&self) -> bool {
        matches!(self, Self::First(_))
    }

    /// `x` with zeros in place of features that do not exist.
    pub fn only(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::All => x,
            Self::First(first) => x * first.exists.clone(),
        }
    }

    /// Prepares a divisor, as wide as a row or 1 wide: features that do not exist get 1 in place of 0.
    pub fn divisor(&self, q: Tensor<D>) -> Tensor<D> {
        match self {
            Self::First(first) if q.dims()[D - 1] > 1 => q + (-first.exists.clone() + 1.0),
            _ => q,
        }
    }

    /// `x` divided by the number of values in `rows` rows; `features` is the width of a row.
    pub fn divide(&self, x: Tensor<D>, rows: usize, features: usize) -> Tensor<D> {
        // In f16 a large number of values would be infinite.
        let (dtype, x) = (x.dtype(), widened(x));
        let quotient = match self {
            Self::All => x / (rows * features) as f64,
            Self::First(first) => x / (widened(first.count.clone()) * rows as f64),
        };
        quotient.cast(dtype)
    }

    /// `x` times the number of features; `features` is the width of a row.
    pub fn times(&self, x: Tensor<D>, features: usize) -> Tensor<D> {
        match self {
            Self::All => x * features as f64,
            Self::First(first) => x * first.count.clone(),
        }
    }

    /// As [`mean`].
    pub fn mean(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::All => mean(x),
            Self::First(first) => x.sum_dim(D - 1) / first.count.clone(),
        }
    }

    /// As [`variance`].
    pub fn variance(&self, x: Tensor<D>) -> Tensor<D> {
        let deviation = self.only(x.clone() - self.mean(x));
        self.mean(deviation.square())
    }
}
