//! Recorded steps. On a GPU, the kernels of a small step take less time than launching them one by one. Therefore
//! a step is recorded once and then replayed with other images.
//!
//! The gain, measured on software Vulkan: a step in 0.55 to 0.85 of the time (docs/performance.md).
//!
//! A replay reads and writes the memory that the step used when it was recorded. So a step of a trainee that may
//! be recorded writes the new parameters into the memory of the old parameters.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Graph, Tensor, capture};

use crate::RunConfig;
use crate::network::Trainee;
use crate::optimizer::OptimizerName;
use crate::stimulus::{Batch, Images, OnDevice, Presented, Shown};

/// The number of successive steps of one size before such a step is recorded; meanwhile kernels are compiled and
/// selected.
const BEFORE_RECORDING: usize = 8;
/// The largest deviation of a replayed step from the same step made anew, relative to the change of a parameter.
/// It leaves room for rounding.
const DEVIATION: f64 = 0.01;

/// A trainee whose steps are recorded if its device makes the batches and can record.
pub(super) struct Recorder<T> {
    /// None only within a step.
    trainee: Option<T>,
    mode: Mode,
    pub replayed: usize,
    _on_gpu: Option<OnGpu>,
}

enum Mode {
    /// Every step is made anew.
    Anew,
    /// So many successive steps had so many rows.
    Waits { rows: usize, steps: usize },
    /// Steps with so many rows are replayed.
    Replays { rows: usize, step: Box<Recorded> },
}

struct Recorded {
    /// The operations, and the losses `[networks]` that they compute.
    graph: Graph<Tensor<1>, Box<dyn FnMut() -> Tensor<1>>>,
    /// The presentations that the operations read.
    shown: Rc<RefCell<Shown>>,
}

impl<T: Trainee> Recorder<T> {
    pub fn new(trainee: T, images: &Images<'_>, config: &RunConfig) -> Self {
        let on_gpu = images.on_device().map(|_| OnGpu::new());
        // Neither the optimizer nor the rule for errors has a state or is of another program.
        let is_pure =
            config.optimizer == OptimizerName::Sgd && config.condition.hidden.has_fixed_errors();
        let mode = match on_gpu.is_some() && T::RECORDABLE && is_pure {
            true => Mode::Waits { rows: 0, steps: 0 },
            false => Mode::Anew,
        };
        Self {
            trainee: Some(trainee),
            mode,
            replayed: 0,
            _on_gpu: on_gpu,
        }
    }

    pub fn trainee(&self) -> &T {
        present(self.trainee.as_ref())
    }

    /// One step; returns each network's loss of the task before the step, `[networks]`, without a graph.
    pub fn step(&mut self, images: &Images<'_>, presented: &[Presented]) -> Tensor<1> {
        let now = presented.len();
        if let Mode::Replays { rows, step } = &mut self.mode
            && *rows == now
        {
            self.replayed += 1;
            return step.replay(presented);
        }
        let trainee = present(self.trainee.take());
        let (trainee, losses) = match (&mut self.mode, images.on_device()) {
            (Mode::Waits { rows, steps }, Some(images))
                if *rows == now && *steps >= BEFORE_RECORDING && OnGpu::is_alone() =>
            {
                let (trainee, losses, step) = Recorded::new(trainee, images.clone(), presented);
                self.replayed += usize::from(step.is_some());
                self.mode = step.map_or(Mode::Anew, |step| Mode::Replays { rows: now, step });
                (trainee, losses)
            }
            (Mode::Anew, _) => trainee.step(images.batch(presented)),
            (mode, _) => {
                let (trainee, losses, stayed) = step_in_place(trainee, images.batch(presented));
                match mode {
                    Mode::Waits { rows, steps } if *rows == now => *steps += 1,
                    Mode::Replays { .. } if stayed => {}
                    mode => {
                        *mode = Mode::Waits {
                            rows: now,
                            steps: 1,
                        }
                    }
                }
                (trainee, losses)
            }
        };
        self.trainee = Some(trainee);
        losses
    }
}

impl Recorded {
    /// Makes a step and records it; also returns its losses. There is no recorded step if the device cannot
    /// record, or if a replay does not do the same as the step.
    fn new<T: Trainee>(
        trainee: T,
        images: OnDevice,
        presented: &[Presented],
    ) -> (T, Tensor<1>, Option<Box<Self>>) {
        let device = images.device();
        let batch = images.batch(&Shown::new(presented, &device));
        let before = Values::of(trainee.module()).copied();
        // Other images, so that a replay that does not see the new ones is found out.
        let others = vec![presented[0]; presented.len()];
        let shown = Rc::new(RefCell::new(Shown::new(&others, &device)));
        // The trainee, and whether its parameters stayed in their memory in the latest step.
        let slot = Rc::new(RefCell::new(Some((trainee, true))));
        let step: Box<dyn FnMut() -> Tensor<1>> = {
            let (shown, slot) = (Rc::clone(&shown), Rc::clone(&slot));
            Box::new(move || {
                let (trainee, _) = present(slot.take());
                let batch = images.batch(&shown.borrow());
                let (trainee, losses, stayed) = step_in_place(trainee, batch);
                slot.replace(Some((trainee, stayed)));
                losses
            })
        };
        // This makes a few steps, too.
        let graph = capture(&device, step);
        let (trainee, stayed) = present(slot.take());
        let (trainee, restored) = before.clone().written_into(trainee);
        let (trainee, losses, stayed_again) = step_in_place(trainee, batch);
        if !(graph.is_hardware() && stayed && restored && stayed_again) {
            return (trainee, losses, None);
        }
        let anew = Values::of(trainee.module()).copied();
        let (trainee, restored) = before.clone().written_into(trainee);
        let mut step = Self { graph, shown };
        let replayed = restored.then(|| step.replay(presented));
        match replayed {
            Some(losses) if Values::of(trainee.module()).agree_with(&anew, &before) => {
                (trainee, losses, Some(Box::new(step)))
            }
            _ => (anew.written_into(trainee).0, losses, None),
        }
    }

    fn replay(&mut self, presented: &[Presented]) -> Tensor<1> {
        self.shown.borrow_mut().write(presented);
        // SAFETY: the memory that the step reads and writes is not used for anything else. The parameters and
        // `shown` are only written in place; the graph owns images and losses; CubeCL keeps the memory of
        // intermediate results for the graph. Only this thread starts work on this memory.
        let losses = unsafe { self.graph.replay() };
        copied(losses.clone())
    }
}

/// The trainee, between steps.
fn present<T>(trainee: Option<T>) -> T {
    trainee.unwrap_or_else(|| unreachable!("a step within a step"))
}

/// One step that leaves the parameters in the memory where they are; also returns whether it could.
fn step_in_place<T: Trainee>(trainee: T, batch: Batch) -> (T, Tensor<1>, bool) {
    // Keeps the memory from being used for the new parameters or anything else.
    let old = trainee.module().clone();
    let (trainee, losses) = trainee.step(batch);
    let new = Values::of(trainee.module());
    let (trainee, stayed) = new.written_into(trainee.map(|_| old));
    (trainee, losses, stayed)
}

/// The values of the parameters of a module, each as a vector.
#[derive(Clone)]
struct Values {
    of: HashMap<ParamId, Tensor<1>>,
    /// Whether all parameters that learn were written in place.
    stayed: bool,
}

impl Values {
    fn of(module: &impl Module) -> Self {
        let mut values = Self {
            of: HashMap::new(),
            stayed: true,
        };
        module.visit(&mut values);
        values
    }

    /// The values in other memory.
    fn copied(mut self) -> Self {
        for values in self.of.values_mut() {
            values.inplace(copied);
        }
        self
    }

    /// Writes the values into the parameters; also returns whether these are in the same memory as before.
    fn written_into<T: Trainee>(mut self, trainee: T) -> (T, bool) {
        let trainee = trainee.map(|module| module.map(&mut self));
        (trainee, self.stayed)
    }

    /// Whether these values are the expected ones, up to the allowed deviation. Reads from the device.
    fn agree_with(&self, expected: &Self, before: &Self) -> bool {
        let largest = |a: &Tensor<1>, b: &Tensor<1>| (a.clone() - b.clone()).abs().max();
        let not_empty = self.of.iter().filter(|(_, found)| found.dims()[0] > 0);
        let beyond = not_empty.filter_map(|(id, found)| {
            let (expected, before) = (expected.of.get(id)?, before.of.get(id)?);
            Some(largest(found, expected) - largest(expected, before) * DEVIATION)
        });
        let beyond: Vec<_> = beyond.collect();
        beyond.is_empty() || Tensor::cat(beyond, 0).max().into_scalar::<f32>() <= 0.0
    }
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().inner();
        let elements = values.shape().num_elements();
        self.of.insert(param.id, values.reshape([elements]));
    }
}

impl ModuleMapper for Values {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let learns = param.val().is_require_grad();
        let Some(values) = self.of.remove(&param.id).filter(|_| learns) else {
            return param;
        };
        param.map(|old| {
            let (dims, old) = (old.dims(), old.inner());
            let new = values.reshape(dims);
            let new = match old.can_mut() {
                true => old.slice_assign(dims.map(|size| 0..size), new),
                false => {
                    self.stayed = false;
                    new
                }
            };
            Tensor::from_inner(new).require_grad()
        })
    }
}

/// The values in other memory.
fn copied(values: Tensor<1>) -> Tensor<1> {
    let all = 0..values.dims()[0];
    values.zeros_like().slice_assign([all], values)
}

/// A run of this process on a GPU. While a step is recorded, CUDA refuses memory to other threads; so steps are
/// recorded only if there is one run.
struct OnGpu;

static ON_GPU: AtomicUsize = AtomicUsize::new(0);

impl OnGpu {
    fn new() -> Self {
        ON_GPU.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn is_alone() -> bool {
        ON_GPU.load(Ordering::Relaxed) == 1
    }
}

impl Drop for OnGpu {
    fn drop(&mut self) {
        ON_GPU.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_replay_must_change_each_parameter_as_the_step_does() {
        let ids = [ParamId::new(), ParamId::new()];
        let values = |each: [[f32; 2]; 2]| Values {
            of: ids
                .into_iter()
                .zip(each)
                .map(|(id, values)| (id, Tensor::from_floats(values, &Device::flex())))
                .collect(),
            stayed: true,
        };
        let (before, expected) = (
            values([[1.0, 2.0], [5.0, 5.0]]),
            values([[1.1, 2.0], [5.0, 6.0]]),
        );
        for (found, agrees) in [
            ([[1.1, 2.0], [5.0, 6.0]], true),
            ([[1.1005, 2.0], [5.0, 6.005]], true),
            ([[1.1, 2.0], [5.0, 5.0]], false),
            ([[1.1, 2.002], [5.0, 6.0]], false),
            ([[1.1, 2.0], [f32::NAN, 6.0]], false),
        ] {
            assert_eq!(
                values(found).agree_with(&expected, &before),
                agrees,
                "{found:?}"
            );
        }
    }
}
