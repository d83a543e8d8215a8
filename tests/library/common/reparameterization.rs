//! A reparameterization of a user.

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

/// Attaches [`Softplus`] to the parameter with this path, with this shift.
pub struct Attach(pub &'static str, pub f64);

impl Reparameterizer for Attach {
    type Reparam = Softplus;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Softplus>) {
        if path != self.0 {
            return (param, None);
        }
        let base = param.base();
        let shift = Tensor::<1>::full([1], self.1, (&base.device(), base.dtype()));
        let shift = Param::from_tensor(shift);
        (param, Some(Softplus { shift }))
    }
}
