//! One traversal of the parameters of a module, with what their weights announce.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};

use super::scope::{self, Announcement};
use super::weight::dequantized;
use crate::read;

/// A floating-point parameter of a module.
pub(crate) struct Visited<'a> {
    /// Its path in the module, as in a record.
    pub path: String,
    pub id: ParamId,
    pub shape: Vec<usize>,
    /// Whether it belongs to the reparameterization of the parameter that was visited before.
    pub is_part: bool,
    /// The description of the weight that it is, or is a part of.
    pub announced: Announcement,
    #[cfg_attr(not(feature = "import"), allow(dead_code))]
    pub dtype: &'a dyn Fn() -> DType,
    /// The stored values; of quantized ones those that they stand for.
    pub stored: &'a dyn Fn() -> TensorData,
}

/// Calls `visit` for every floating-point parameter of `module`, in the order of a traversal.
pub(crate) fn walk<M: Module>(module: &M, visit: impl FnMut(Visited)) {
    let (path, inside) = (Vec::new(), 0);
    let mut walk = Walk {
        path,
        inside,
        visit,
    };
    scope::silently(|| module.visit(&mut walk));
}

struct Walk<F> {
    path: Vec<String>,
    /// The number of enclosing levels that are parameters of a reparameterization.
    inside: usize,
    visit: F,
}

impl<F: FnMut(Visited)> ModuleVisitor for Walk<F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        self.inside += usize::from(container_type == scope::REPARAMETERIZATION);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.pop();
        self.inside -= usize::from(container_type == scope::REPARAMETERIZATION);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        (self.visit)(Visited {
            path: self.path.join("."),
            id: param.id,
            shape: param.lazy_shape().to_vec(),
            is_part: self.inside > 0,
            announced: scope::announced(),
            dtype: &|| param.base().dtype(),
            stored: &|| read::data(dequantized(param.base()).inner()),
        });
    }
}
