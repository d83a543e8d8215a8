//! Autodiff nodes with custom backward passes, on every backend.
//!
//! The backward pass is a closure over dispatch tensors, so one node serves every backend: `backward`
//! converts the error from the backend's type, the closure applies ordinary tensor operations, and the
//! results are converted back.

#![allow(deprecated)] // Burn drops NdArray in 0.23; the feature goes with it.
#![allow(unused_variables)] // In default methods, and in the macro's dispatch without a backend.

use std::{fmt, sync::Arc};

use burn::backend::{
    Autodiff, Backend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchKindConversion,
    DispatchTensor, DispatchTensorKind, TensorMetadata,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::context::with_strategy;

/// The errors at the parents of a node; none where no error is wanted.
pub(crate) type Errors = Vec<Option<DispatchTensor>>;

/// The backward pass of a node: computes the errors at the parents from the error at the node's value and a
/// flag for each parent that says whether its error is wanted.
type Rule = dyn Fn(DispatchTensor, &[bool]) -> Errors + Send + Sync;

/// A backward pass, independent of rank and backend.
#[derive(Clone)]
pub struct Hook(Arc<Rule>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The number of parents of a node; unused places are filled with constants.
const PARENTS: usize = 8;

/// Makes `value`, which is not part of a graph, depend on `parents` (up to 8). In the backward pass, `rule`
/// receives the error at the value and a flag for each parent, and returns an error for each flagged parent.
/// Constants are never flagged. If all parents are constants, nothing is kept.
///
/// # Panics
///
/// In the backward pass, if an error has another shape than its parent.
pub(crate) fn attach<const D: usize>(
    value: Tensor<D>,
    parents: Vec<DispatchTensor>,
    rule: impl Fn(Tensor<D>, &[bool]) -> Errors + Send + Sync + 'static,
) -> Tensor<D> {
    assert!(parents.len() <= PARENTS, "a node has up to 8 parents");
    let shapes: Vec<Shape> = parents.iter().map(TensorMetadata::shape).collect();
    let hook = Hook(Arc::new(move |error, wanted| {
        let errors = rule(Tensor::from_dispatch(error), &wanted[..shapes.len()]);
        assert_eq!(errors.len(), shapes.len(), "one error for each parent");
        for (error, shape) in errors.iter().zip(&shapes) {
            if let Some(found) = error.as_ref().map(TensorMetadata::shape) {
                assert!(
                    found == *shape,
                    "a backward pass returned an error of shape {found:?} for a tensor of shape {shape:?}"
                );
            }
        }
        errors
    }));
    // With autodiff if a parent has it; else the node of an ordinary backend keeps nothing.
    let contexts = parents.iter().map(|parent| parent.autodiff);
    let strategy = match contexts.fold(DispatchAutodiffContext::Disabled, |all, own| all.merge(own))
    {
        DispatchAutodiffContext::Enabled(strategy) => Some(strategy),
        DispatchAutodiffContext::Disabled => None,
    };
    let value = with_strategy(value, strategy).into_dispatch();
    assert_listed(&value.kind);
    Tensor::from_dispatch(Dispatch::grad_hook(value, parents, hook))
}

/// Backends on which a value can have a custom backward pass.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    LibTorch: cfg(feature = "tch"),
    Remote: cfg(feature = "remote")
)]
pub trait GradHook: Backend {
    /// Returns `value`; an autodiff backend applies `hook` to its error. Constants among the parents receive
    /// no error.
    fn grad_hook(
        value: FloatTensor<Self>,
        parents: Vec<DispatchTensor>,
        hook: Hook,
    ) -> FloatTensor<Self> {
        value
    }

    /// The node of a tensor with autodiff.
    fn node_id(tensor: FloatTensor<Self>) -> Option<NodeId> {
        None
    }
}

#[cfg(feature = "flex")]
impl GradHook for burn::backend::Flex {}
#[cfg(feature = "ndarray")]
impl GradHook for burn::backend::NdArray {}
// With or without fusion: `Cube` is the type with which Burn was built.
#[cfg(feature = "cube")]
impl GradHook for burn::backend::Cube {}
#[cfg(feature = "tch")]
impl GradHook for burn::backend::LibTorch {}
#[cfg(feature = "remote")]
impl GradHook for burn::backend::Remote {}

impl<B: GradHook, C: CheckpointStrategy> GradHook for Autodiff<B, C>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Self>,
{
    fn grad_hook(
        value: FloatTensor<Self>,
        parents: Vec<DispatchTensor>,
        hook: Hook,
    ) -> FloatTensor<Self> {
        let mut parents = parents.into_iter();
        // The value is a constant, which takes the place of constants and of missing parents.
        let nodes = std::array::from_fn(|_| match parents.next() {
            Some(parent) if parent.autodiff != DispatchAutodiffContext::Disabled => {
                to_backend::<Self>(parent).node()
            }
            _ => value.node(),
        });
        let value = value.into_primitive();
        match HookBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(hook, value),
            OpsKind::UnTracked(prepared) => prepared.finish(value),
        }
    }

    fn node_id(tensor: FloatTensor<Self>) -> Option<NodeId> {
        Some(tensor.id())
    }
}

/// The tensor of the backend `B`. Panics if it is on another backend.
pub(crate) fn to_backend<B: Backend>(tensor: DispatchTensor) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor)
        .unwrap_or_else(|other| {
            panic!("the tensors of one operation must share a backend: {other}")
        })
        .float()
}

pub(crate) fn from_backend<B: Backend>(tensor: FloatTensor<B>) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<B>,
{
    <DispatchTensor as DispatchKindConversion<B>>::from_backend(BackendTensor::Float(tensor))
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
        let Hook(rule) = ops.state;
        let errors = rule(from_backend::<B>(error), &wanted);
        for (parent, error) in ops.parents.into_iter().zip(errors) {
            if let (Some(parent), Some(error)) = (parent, error) {
                grads.register::<B>(parent.id, to_backend::<B>(error));
            }
        }
    }
}

/// Whether values on the backend of `tensor` can have a custom backward pass: whether the feature of the
/// backend is enabled in this crate.
///
/// If it is not and `tensor` is part of a graph, [`map_grad`](super::map_grad) and the tools built on it
/// panic; plain tensor operations work on every backend of Burn.
pub fn is_listed<const D: usize>(tensor: &Tensor<D>) -> bool {
    lists(&tensor.clone().into_dispatch().kind)
}

fn lists(kind: &DispatchTensorKind) -> bool {
    match kind {
        DispatchTensorKind::Autodiff(inner) => lists(inner),
        #[cfg(feature = "flex")]
        DispatchTensorKind::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchTensorKind::NdArray(_) => true,
        #[cfg(feature = "cube")]
        DispatchTensorKind::Cube(_) => true,
        #[cfg(feature = "tch")]
        DispatchTensorKind::LibTorch(_) => true,
        #[cfg(feature = "remote")]
        DispatchTensorKind::Remote(_) => true,
        #[allow(unreachable_patterns)] // Which backends Burn has depends on the whole build.
        _ => false,
    }
}

/// The node of a tensor with autodiff on a listed backend: two tensors of one node have the same value.
pub(crate) fn node_of<const D: usize>(tensor: Tensor<D>) -> Option<NodeId> {
    let tensor = tensor.into_dispatch();
    let has_node = matches!(tensor.kind, DispatchTensorKind::Autodiff(_)) && lists(&tensor.kind);
    has_node.then(|| Dispatch::node_id(tensor)).flatten()
}

/// Panics with the feature to enable if the backend of a tensor is compiled into Burn but not listed above.
fn assert_listed(kind: &DispatchTensorKind) {
    match kind {
        DispatchTensorKind::Autodiff(inner) => assert_listed(inner),
        kind if lists(kind) => {}
        kind => {
            let device = format!("{:?}", kind.device());
            let advice = match feature_of(&device) {
                Some(feature) => format!("enable the feature {feature} of ei-norm"),
                None => "ei-norm has no feature for it".to_owned(),
            };
            panic!("the backend of {device} is enabled in Burn but not in ei-norm; {advice}");
        }
    }
}

/// The feature for the backend of a device; a printed device begins with the backend's name.
fn feature_of(device: &str) -> Option<&'static str> {
    [
        ("Flex", "`flex`"),
        ("NdArray", "`ndarray`"),
        ("LibTorch", "`tch`"),
        ("Remote", "`remote`"),
        (
            "Cube",
            "`wgpu`, `vulkan`, `metal`, `webgpu`, `cuda`, `rocm` or `cpu`",
        ),
    ]
    .into_iter()
    .find(|(name, _)| device.starts_with(name))
    .map(|(_, feature)| feature)
}

#[cfg(test)]
mod tests {
    use super::feature_of;

    #[test]
    fn every_backend_has_the_feature_of_its_name() {
        assert_eq!(feature_of("Flex(FlexDevice)"), Some("`flex`"));
        assert_eq!(feature_of("NdArray(Cpu)"), Some("`ndarray`"));
        assert_eq!(feature_of("LibTorch(Cuda(0))"), Some("`tch`"));
        assert_eq!(feature_of("Remote(0)"), Some("`remote`"));
        assert!(feature_of("Cube(Wgpu)").is_some_and(|feature| feature.contains("`cuda`")));
        assert_eq!(feature_of("Capture(0)"), None);
    }
}
