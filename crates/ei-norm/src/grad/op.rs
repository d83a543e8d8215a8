//! The autodiff node behind [`map_grad`](super::map_grad): forward identity, backward a map of the
//! error.
//!
//! The map is kept as a closure over dispatch tensors, so one node serves every backend: the error
//! leaves the backend's type in `backward`, is mapped by ordinary tensor operations, and returns.

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

type Map = dyn Fn(DispatchTensor) -> DispatchTensor + Send + Sync;

/// The map of the error, erased over rank and backend.
#[derive(Clone)]
pub struct Hook(Arc<Map>);

impl Hook {
    pub(super) fn new(
        map: impl Fn(DispatchTensor) -> DispatchTensor + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(map))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Backends on which a gradient can be mapped.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube")
)]
pub trait GradHook: Backend {
    /// Returns `x`; an autodiff backend applies `hook` to the gradient on its way back.
    fn grad_hook(x: FloatTensor<Self>, hook: Hook) -> FloatTensor<Self> {
        let _ = hook;
        x
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
    fn grad_hook(x: FloatTensor<Self>, hook: Hook) -> FloatTensor<Self> {
        let (primitive, node) = x.into_parts();
        match HookBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(hook, primitive),
            OpsKind::UnTracked(prep) => prep.finish(primitive),
        }
    }
}

#[derive(Debug)]
struct HookBackward;

impl<B: GradHook> Backward<B, 1> for HookBackward
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = Hook;

    fn backward(self, ops: Ops<Hook, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let Hook(map) = ops.state;
        let grad = map(<DispatchTensor as DispatchKindConversion<B>>::from_backend(
            BackendTensor::Float(grad),
        ));
        match <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(grad) {
            Ok(grad) => grads.register::<B>(parent.id, grad.float()),
            Err(other) => panic!(
                "map_grad: the backward function returned a tensor of another backend ({other})"
            ),
        }
    }
}

/// Panics with the feature to enable if the backend of a tensor is compiled into Burn but not
/// listed above.
pub(super) fn assert_listed(kind: &DispatchTensorKind) {
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
                "map_grad: the backend of {:?} is enabled in Burn but not in ei-norm; enable the \
                 ei-norm feature of that backend (flex, ndarray, wgpu, vulkan, metal, webgpu, \
                 cuda, rocm or cpu)",
                other.device()
            )
        }
    }
}
