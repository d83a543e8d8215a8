//! The parameters of a module, by path.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Gradients, Tensor};

use super::{assert_close, values};

/// A float parameter of a module.
pub struct Parameter {
    pub path: String,
    pub id: ParamId,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// The stored values: the base, if the parameter is reparameterized.
    pub values: Vec<f64>,
    /// None if it gets none.
    pub gradient: Option<Vec<f64>>,
}

/// All parameters as they are stored, in the order of the fields, with the gradients of a backward pass.
pub fn stored(module: &impl Module, grads: Option<&Gradients>) -> Vec<Parameter> {
    struct Collect<'a> {
        path: Vec<String>,
        found: Vec<Parameter>,
        grads: Option<&'a Gradients>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let gradient = self.grads.filter(|_| value.is_autodiff());
            let gradient = gradient.and_then(|grads| value.grad(grads));
            self.found.push(Parameter {
                path: self.path.join("."),
                id: param.id,
                dtype: value.dtype(),
                shape: value.dims().to_vec(),
                values: values(&value),
                gradient: gradient.map(|gradient| values(&gradient)),
            });
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        found: Vec::new(),
        grads,
    };
    module.visit(&mut collect);
    collect.found
}

/// The paths of all parameters.
pub fn paths(module: &impl Module) -> Vec<String> {
    let all = stored(module, None).into_iter();
    all.map(|parameter| parameter.path).collect()
}

/// All parameters as they are used: with weights in place of the bases of reparameterized weights.
fn used(module: &impl Module) -> impl Iterator<Item = Parameter> {
    stored(&module.valid().materialize(), None).into_iter()
}

/// The values of every parameter, with weights in place of the bases of reparameterized weights.
pub fn weights(module: &impl Module) -> Vec<(String, Vec<f64>)> {
    let all = used(module).map(|parameter| (parameter.path, parameter.values));
    all.collect()
}

/// The dtype of every parameter and its bits in f64; without a connection, the bits of 0.
pub fn bits(module: &impl Module) -> Vec<(String, DType, Vec<u64>)> {
    let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect();
    let all = used(module).map(|found| (found.path, found.dtype, bits(found.values)));
    all.collect()
}

/// Values and gradients by name; no gradient if a parameter gets none.
pub type Pass = Vec<(String, Option<Vec<f64>>)>;

/// The value with this name.
#[track_caller]
pub fn value<'a>(pass: &'a Pass, name: &str) -> &'a [f64] {
    let value = pass.iter().find(|(found, _)| found == name);
    let value = value.and_then(|(_, value)| value.as_deref());
    value.unwrap_or_else(|| panic!("no {name}"))
}

/// Changes the value with this name, if there is one.
pub fn change(pass: &mut Pass, name: &str, f: impl Fn(&[f64]) -> Vec<f64>) {
    for (_, value) in pass.iter_mut().filter(|(found, _)| found == name) {
        *value = value.take().map(|value| f(&value));
    }
}

/// Fails unless both have the same names and, up to rounding, the same values.
#[track_caller]
pub fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, at: &str) {
    let names =
        |pass: &Pass| -> Vec<String> { pass.iter().map(|(name, _)| name.clone()).collect() };
    assert_eq!(names(found), names(expected), "{at}");
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        let at = format!("{at} {name}");
        match (found, expected) {
            (Some(found), Some(expected)) => assert_close(found, expected, tolerance, &at),
            _ => assert_eq!(found.is_some(), expected.is_some(), "{at}: a gradient?"),
        }
    }
}

/// The gradients of all parameters of a module, by path.
pub fn gradients(module: &impl Module, grads: &Gradients) -> Pass {
    let all = stored(module, Some(grads)).into_iter();
    all.map(|parameter| (parameter.path, parameter.gradient))
        .collect()
}

/// Fails unless every parameter has a gradient of zeros, or none.
#[track_caller]
pub fn assert_teaches_nothing(module: &impl Module, grads: &Gradients, at: &str) {
    for (name, grad) in gradients(module, grads) {
        let is_zero = grad.is_none_or(|grad| grad.iter().all(|g| *g == 0.0));
        assert!(is_zero, "{at} {name}");
    }
}

/// Fails unless exactly the parameters with these names are the same in both.
#[track_caller]
pub fn assert_unchanged(before: &impl Module, after: &impl Module, fixed: &[&str], at: &str) {
    let (before, after) = (weights(before), weights(after));
    assert_eq!(before.len(), after.len(), "{at}");
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        let same = before == after;
        assert_eq!(same, fixed.contains(&name.as_str()), "{at} {name}");
    }
}

/// Maps every value v of every parameter to factor · v + offset; what learns goes on learning.
pub struct Affine {
    factor: f64,
    offset: f64,
}

impl Affine {
    pub fn scale(factor: f64) -> Self {
        let offset = 0.0;
        Self { factor, offset }
    }

    pub fn shift(offset: f64) -> Self {
        let factor = 1.0;
        Self { factor, offset }
    }
}

impl ModuleMapper for Affine {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let learns = tensor.is_require_grad();
            let mapped = tensor.inner() * self.factor + self.offset;
            mapped.autodiff().set_require_grad(learns)
        })
    }
}
