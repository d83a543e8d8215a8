//! A reparameterization that is not one of the library's, as a user may write it.

use burn::module::{Module, Param, Reparameterization, Reparameterizer};
use burn::tensor::{Tensor, activation::softplus};

/// W = softplus(base + shift), which is positive for any base.
#[derive(Module, Debug)]
pub struct Softplus {
    pub shift: Param<Tensor<1>>,
}

impl Reparameterization for Softplus {
    const NAME: &'static str = "softplus";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        softplus(base + self.shift.val().reshape([1; D]), 1.0)
    }
}

/// Attaches [`Softplus`] with this shift to the parameter with this path.
pub struct Attach {
    /// A parameter that is itself the module has an empty path.
    pub path: &'static str,
    pub shift: f64,
}

/// [`Attach`] with this path and shift.
pub fn attach(path: &'static str, shift: f64) -> Attach {
    Attach { path, shift }
}

impl Reparameterizer for Attach {
    type Reparam = Softplus;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Softplus>) {
        if path != self.path {
            return (param, None);
        }
        let base = param.base();
        let shift = Tensor::<1>::full([1], self.shift, (&base.device(), base.dtype()));
        let shift = Param::from_tensor(shift);
        (param, Some(Softplus { shift }))
    }
}
