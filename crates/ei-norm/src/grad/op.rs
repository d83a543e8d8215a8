//! An autodiff node with a backward pass of our own: behind [`map_grad`](super::map_grad) and behind
//! the products of the layers.
//!
//! The backward pass is kept as a closure over dispatch tensors, so one node serves every backend: the
//! error leaves the backend's type in `backward`, goes through ordinary tensor operations, and returns.

#![allow(deprecated)] // Burn drops NdArray in 0.23; the feature goes with it.
#![cfg_attr(
    not(any(feature = "flex", feature = "ndarray", feature = "cube")),
    allow(unused_variables) // Without a backend the macro's dispatch has no arm to use them.
)]

use std::{fmt, sync::Arc};

use burn::backend::{
    Autodiff, Backend, BackendTensor, DispatchKindConversion, DispatchTensor, DispatchTensorKind,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// The backward pass of a node: from the error at its value and, for each parent, whether an error is
/// wanted, the errors at the parents.
type Rule = dyn Fn(DispatchTensor, &[bool]) -> Vec<Option<DispatchTensor>> + Send + Sync;

/// A backward pass, erased over rank and backend.
#[derive(Clone)]
pub struct Hook(Arc<Rule>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The parents that a node has room for; the rest are constants.
const PARENTS: usize = 5;

/// Makes `value`, which is not part of a graph, depend on `parents` (up to 5): in the backward pass
/// `rule` gets the error at the value and a flag for each parent, and returns an error for each
/// flagged parent. A parent that is none or a constant is never flagged. Nothing is kept if all are.
pub(crate) fn attach<const D: usize, const N: usize>(
    value: Tensor<D>,
    parents: [Option<DispatchTensor>; N],
    rule: impl Fn(Tensor<D>, &[bool]) -> [Option<DispatchTensor>; N] + Send + Sync + 'static,
) -> Tensor<D> {
    const { assert!(N <= PARENTS) };
    let value = value.into_dispatch();
    assert_listed(&value.kind);
    let hook = Hook(Arc::new(move |error, wanted| {
        rule(Tensor::from_dispatch(error), wanted).into()
    }));
    let mut parents = parents.into_iter();
    let [a, b, c, d, e] =
        std::array::from_fn(|_| parents.next().flatten().unwrap_or_else(|| value.clone()));
    Tensor::from_dispatch(<burn::backend::Dispatch as GradHook>::grad_hook(
        value, a, b, c, d, e, hook,
    ))
}

/// Backends on which a value can be given a backward pass.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube")
)]
pub trait GradHook: Backend {
    /// Returns `value`; an autodiff backend applies `hook` to its error. A parent that is a constant
    /// is no parent.
    fn grad_hook(
        value: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        hook: Hook,
    ) -> FloatTensor<Self> {
        let _ = (a, b, c, d, e, hook);
        value
    }
}

#[cfg(feature = "flex")]
impl GradHook for burn::backend::Flex {}
#[cfg(feature = "ndarray")]
impl GradHook for burn::backend::NdArray {}
// With or without fusion: `Cube` names whichever of the two Burn was built with.
#[cfg(feature = "cube")]
impl GradHook for burn::backend::Cube {}

impl<B: GradHook, C: CheckpointStrategy> GradHook for Autodiff<B, C>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    fn grad_hook(
        value: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        hook: Hook,
    ) -> FloatTensor<Self> {
        let (value, _) = value.into_parts();
        let nodes = [a, b, c, d, e].map(|parent| parent.into_parts().1);
        match HookBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(hook, value),
            OpsKind::UnTracked(prepared) => prepared.finish(value),
        }
    }
}

#[derive(Debug)]
struct HookBackward;

impl<B: GradHook> Backward<B, PARENTS> for HookBackward
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = Hook;

    fn backward(self, ops: Ops<Hook, PARENTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        let error = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        if !wanted.contains(&true) {
            return;
        }
        let Hook(rule) = ops.state;
        let error = <DispatchTensor as DispatchKindConversion<B>>::from_backend(
            BackendTensor::Float(error),
        );
        for (parent, error) in ops.parents.into_iter().zip(rule(error, &wanted)) {
            let (Some(parent), Some(error)) = (parent, error) else {
                continue;
            };
            match <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(error) {
                Ok(error) => grads.register::<B>(parent.id, error.float()),
                Err(other) => {
                    panic!("the backward pass returned a tensor of another backend ({other})")
                }
            }
        }
    }
}

/// Panics with the feature to enable if the backend of a tensor is compiled into Burn but not
/// listed above.
fn assert_listed(kind: &DispatchTensorKind) {
    match kind {
        DispatchTensorKind::Autodiff(inner) => assert_listed(inner),
        #[cfg(feature = "flex")]
        DispatchTensorKind::Flex(_) => {}
        #[cfg(feature = "ndarray")]
        DispatchTensorKind::NdArray(_) => {}
        #[cfg(feature = "cube")]
        DispatchTensorKind::Cube(_) => {}
        #[allow(unreachable_patterns)] // Which backends Burn has depends on the whole build.
        other => {
            use burn::backend::TensorMetadata;
            panic!(
                "the backend of {:?} is enabled in Burn but not in ei-norm; enable the \
                 ei-norm feature of that backend (flex, ndarray, wgpu, vulkan, metal, webgpu, \
                 cuda, rocm or cpu)",
                other.device()
            )
        }
    }
}
