//! The parameters of a module, by path.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor};

use super::{assert_close, values};

/// A float parameter of a module.
pub struct Parameter {
    pub path: String,
    pub id: ParamId,
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
    /// The stored values: the base, if the parameter is reparameterized.
    pub base: Vec<f64>,
    /// None if it gets none.
    pub gradient: Option<Vec<f64>>,
}

/// All parameters, in the order of the fields, with the gradients of a backward pass.
pub fn all(module: &impl Module, grads: Option<&Gradients>) -> Vec<Parameter> {
    struct Collect<'a>(Vec<String>, Vec<Parameter>, Option<&'a Gradients>);
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let gradient = self.2.filter(|_| value.is_autodiff());
            let gradient = gradient.and_then(|grads| value.grad(grads));
            self.1.push(Parameter {
                path: self.0.join("."),
                id: param.id,
                shape: value.dims().to_vec(),
                values: values(&value),
                base: values(&param.base()),
                gradient: gradient.map(|gradient| values(&gradient)),
            });
        }
    }
    let mut collect = Collect(Vec::new(), Vec::new(), grads);
    module.visit(&mut collect);
    collect.1
}

/// The paths of all parameters.
pub fn paths(module: &impl Module) -> Vec<String> {
    let all = all(module, None).into_iter();
    all.map(|parameter| parameter.path).collect()
}

/// The values of every parameter, with weights in place of the bases of reparameterized weights.
pub fn parameters(module: &impl Module) -> Vec<(String, Vec<f64>)> {
    // A visitor would see the bases.
    let all = all(&module.valid().materialize(), None).into_iter();
    all.map(|parameter| (parameter.path, parameter.values))
        .collect()
}

/// The bits of every parameter, in f64; without a connection, the bits of 0.
pub fn bits(module: &impl Module) -> Vec<(String, Vec<u64>)> {
    let all = parameters(module).into_iter();
    all.map(|(name, values)| (name, values.into_iter().map(f64::to_bits).collect()))
        .collect()
}

/// Values and gradients by name; no gradient if a parameter gets none.
pub type Pass = Vec<(String, Option<Vec<f64>>)>;

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
    let all = all(module, Some(grads)).into_iter();
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
    let (before, after) = (parameters(before), parameters(after));
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
