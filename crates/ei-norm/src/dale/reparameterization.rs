//! Weights that keep their sign by construction: the alternative to [`project`](super::project).
//!
//! A reparameterized weight is w = f(b) of a base b that may have any sign; the base is the parameter that an
//! optimizer sees. [`NonNegative`] selects f. The mechanism is Burn's own
//! ([`Module::apply_reparameterization`]), so it works with every optimizer, with records, and with other
//! code that takes a module.
//!
//! ```
//! use burn::module::Module;
//! use burn::optim::{AdamConfig, GradientsParams};
//! use burn::prelude::*;
//! use ei_norm::dale::{self, NonNegative};
//! use ei_norm::EiLinearConfig;
//!
//! let device = Device::flex().autodiff();
//! let mut layer = dale::reparameterize(EiLinearConfig::new(8, 4).init(&device), NonNegative::Softplus);
//! let mut optimizer = AdamConfig::new().init();
//! let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
//! let grads = GradientsParams::from_grads(grads, &layer);
//! layer = optimizer.step(0.1, layer, grads); // no projection
//! assert!(dale::check(&layer).is_ok());
//!
//! let plain = layer.valid().materialize(); // weights again instead of bases
//! assert_eq!(plain.w_ex.base().into_data(), layer.w_ex.val().inner().into_data());
//! ```
//!
//! # Records
//!
//! A record of a reparameterized module holds the bases, under the names of the weights, and beside each base
//! a marker `<weight>.<form>.marker`. Before such a record is loaded, the new module must be reparameterized
//! in the same form; with another form, or none, Burn's error names the marker as missing or unused. For a
//! record of the weights themselves, take `module.valid().materialize()`.

use burn::module::{Module, Param, ParamId, Reparameterization, Reparameterizer};
use burn::tensor::activation::softplus_with_threshold;
use burn::tensor::{DType, Int, Tensor, TensorData};

use super::{Plasticity, on_inner, scope};
use crate::read;

/// The function that makes a weight w ≥ 0 from a base b of any sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum NonNegative {
    /// w = ln(1 + e^b): always positive. ∂w/∂b = 1 − e^−w, so small weights learn slowly.
    Softplus,
    /// w = b². ∂w/∂b = 2b, so small weights learn slowly here too.
    Square,
    /// w = |b|. ∂w/∂b = 1, or −1 where b < 0. A weight that would become negative is reflected at 0, and a
    /// weight of 0 can leave 0.
    Abs,
}

impl NonNegative {
    /// The value to which [`reparameterize`] sets weights that are 0 (or negative) under
    /// [`Softplus`](Self::Softplus) and [`Square`](Self::Square). The base of an exact 0 would be −∞ or a
    /// base that no gradient moves. Such weights still learn slowly (under `Softplus` in f16 not at all); if many
    /// weights are 0, use [`Abs`](Self::Abs), under which they stay exactly 0 and learn.
    pub const ZERO: f64 = 1e-8;

    /// The form of a parameter that this crate has reparameterized.
    pub(super) fn of<const D: usize>(param: &Param<Tensor<D>>) -> Option<Self> {
        let softplus = param
            .reparameterization()
            .map(|_: &Softplus| Self::Softplus);
        let square = param.reparameterization().map(|_: &Square| Self::Square);
        let abs = param.reparameterization().map(|_: &Abs| Self::Abs);
        softplus.or(square).or(abs)
    }

    /// The base of a weight, f⁻¹(w).
    pub(crate) fn base(self, weight: f64) -> f64 {
        let weight = match self {
            Self::Abs if weight <= 0.0 => 0.0,
            Self::Softplus | Self::Square if weight <= 0.0 => Self::ZERO,
            // NaN stays NaN, so that it is not hidden.
            _ => weight,
        };
        match self {
            // ln(e^w − 1), for tiny and for large w.
            Self::Softplus => weight + (-(-weight).exp_m1()).ln(),
            Self::Square => weight.sqrt(),
            Self::Abs => weight,
        }
    }
}

/// Reparameterizes every weight of `module` that must be ≥ 0 and learns, at any depth. The weights keep their
/// values, up to the rounding of the base; for weights of 0 see [`NonNegative::ZERO`]. Identities, roles,
/// masks and gradient tracking stay.
///
/// Afterwards these weights need no projection, and a projection does not change them. Fixed weights, weights
/// of any sign, weights that are already reparameterized, and all other parameters stay as they are.
#[must_use]
pub fn reparameterize<M: Module>(module: M, form: NonNegative) -> M {
    scope::silently(|| match form {
        NonNegative::Softplus => {
            module.apply_reparameterization(Attach(form, |marker| Softplus { marker }))
        }
        NonNegative::Square => {
            module.apply_reparameterization(Attach(form, |marker| Square { marker }))
        }
        NonNegative::Abs => module.apply_reparameterization(Attach(form, |marker| Abs { marker })),
    })
}

/// A marker beside a base in the record: a record of bases is not mistaken for a record of weights.
type Marker = Param<Tensor<1, Int>>;

struct Attach<R>(NonNegative, fn(Marker) -> R);

impl<R: Reparameterization> Reparameterizer for Attach<R> {
    type Reparam = R;

    fn reparameterize<const D: usize>(
        &mut self,
        _path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<R>) {
        let announced = scope::announced();
        if !announced.constrained || announced.plasticity != Some(Plasticity::Plastic) {
            return (param, None);
        }
        let device = param.device().inner();
        let marker = Tensor::from_data(TensorData::from([1]), (&device, DType::I32));
        let marker = Param::initialized(ParamId::new(), marker);
        let param = param.map(|weight| on_inner(weight, |weight| bases(weight, self.0)));
        (param, Some((self.1)(marker)))
    }
}

/// The bases of the weights, computed in f64 on the host.
fn bases<const D: usize>(weights: Tensor<D>, form: NonNegative) -> Tensor<D> {
    let (shape, dtype, device) = (weights.shape(), weights.dtype(), weights.device());
    let weights = read::data(weights);
    let bases: Vec<f64> = weights.iter::<f64>().map(|w| form.base(w)).collect();
    Tensor::from_data(TensorData::new(bases, shape), (&device, dtype))
}

/// The reparameterization of [`NonNegative::Softplus`].
#[derive(Module, Debug)]
pub struct Softplus {
    marker: Marker,
}

impl Reparameterization for Softplus {
    const NAME: &'static str = "softplus";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        // Burn's default switches to w = b at a threshold; with this one it does so only where e^b overflows.
        softplus_with_threshold(base, 1.0, f64::INFINITY)
    }
}

/// The reparameterization of [`NonNegative::Square`].
#[derive(Module, Debug)]
pub struct Square {
    marker: Marker,
}

impl Reparameterization for Square {
    const NAME: &'static str = "square";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        base.square()
    }
}

/// The reparameterization of [`NonNegative::Abs`].
#[derive(Module, Debug)]
pub struct Abs {
    marker: Marker,
}

impl Reparameterization for Abs {
    const NAME: &'static str = "abs";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        // Not `abs`, whose derivative at 0 is 0.
        let negative = base.clone().lower_elem(0.0);
        base.clone().mask_where(negative, base.neg())
    }
}
