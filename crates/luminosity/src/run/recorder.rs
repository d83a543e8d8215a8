//! Recorded steps. On a GPU, the kernels of a small step take less time than launching them one by one. Therefore
//! a step is recorded once and then replayed with other images.
//!
//! A recorded step reads and writes the memory that it used when it was recorded. So each step, recorded or
//! not, writes the new parameters into the memory of the old parameters.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Graph, Tensor, capture};

use crate::network::Trainee;
use crate::stimulus::{Batch, Images, OnDevice, Presented, Shown};

/// The number of successive steps of one size before such a step is recorded; meanwhile kernels are compiled and
/// selected.
const BEFORE_RECORDING: usize = 8;

/// A trainee whose steps are recorded if its device makes the batches and can record.
pub(super) struct Recorder<T> {
    /// None only within a step.
    trainee: Option<T>,
    mode: Mode,
    /// The number of replayed steps.
    pub replayed: usize,
}

enum Mode {
    /// Every step is made anew.
    Anew,
    /// A step with so many rows will be recorded after so many of them.
    Waits { rows: usize, steps: usize },
    /// Steps with so many rows are replayed.
    Replays { rows: usize, step: Box<Recorded> },
}

/// A recorded step.
struct Recorded {
    /// The operations, and the losses `[networks]` that they compute.
    graph: Graph<Tensor<1>, Box<dyn FnMut() -> Tensor<1>>>,
    /// The presentations that the operations read.
    shown: Rc<RefCell<Shown>>,
}

impl<T: Trainee> Recorder<T> {
    pub fn new(trainee: T, images: &Images<'_>) -> Self {
        let mode = match images.on_device().is_some() && trainee.is_recordable() {
            true => Mode::Waits { rows: 0, steps: 0 },
            false => Mode::Anew,
        };
        Self {
            trainee: Some(trainee),
            mode,
            replayed: 0,
        }
    }

    pub fn trainee(&self) -> &T {
        present(self.trainee.as_ref())
    }

    /// One step; returns each network's loss of the task before the step, `[networks]`, without a graph.
    pub fn step(&mut self, images: &Images<'_>, presented: &[Presented]) -> Tensor<1> {
        let now = presented.len();
        let is_next = matches!(
            self.mode,
            Mode::Waits { rows, steps } if rows == now && steps == BEFORE_RECORDING
        );
        if let (true, Some(on_device)) = (is_next, images.on_device()) {
            let trainee = present(self.trainee.take());
            let (trainee, step) = Recorded::new(trainee, on_device.clone(), presented);
            self.trainee = Some(trainee);
            self.mode = step.map_or(Mode::Anew, |step| Mode::Replays { rows: now, step });
        }
        if let Mode::Replays { rows, step } = &mut self.mode
            && *rows == now
        {
            self.replayed += 1;
            return step.replay(presented);
        }
        let (trainee, batch) = (present(self.trainee.take()), images.batch(presented));
        let (trainee, losses) = match self.mode {
            Mode::Anew => trainee.step(batch),
            _ => {
                let (trainee, losses, stayed) = step_in_place(trainee, batch);
                match &mut self.mode {
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
    /// Records a step, if the device can. The parameters are the same afterwards.
    fn new<T: Trainee>(
        trainee: T,
        images: OnDevice,
        presented: &[Presented],
    ) -> (T, Option<Box<Self>>) {
        let device = images.device();
        let before = Values::of(trainee.module()).copied();
        let shown = Rc::new(RefCell::new(Shown::new(presented, &device)));
        // The trainee, and whether its parameters stayed in their memory in the latest step.
        let slot = Rc::new(RefCell::new(Some((trainee, true))));
        let step: Box<dyn FnMut() -> Tensor<1>> = {
            let (shown, slot) = (Rc::clone(&shown), Rc::clone(&slot));
            Box::new(move || {
                let (trainee, _) = present(slot.take());
                let (trainee, losses, stayed) =
                    step_in_place(trainee, images.batch(&shown.borrow()));
                slot.replace(Some((trainee, stayed)));
                losses
            })
        };
        // This makes a few steps, too.
        let graph = capture(&device, step);
        let (trainee, mut stayed) = present(slot.take());
        let trainee = trainee.map(|module| {
            let (module, restored) = before.written_into(module);
            stayed &= restored;
            module
        });
        let is_ready = graph.is_hardware() && stayed;
        (trainee, is_ready.then(|| Box::new(Self { graph, shown })))
    }

    fn replay(&mut self, presented: &[Presented]) -> Tensor<1> {
        self.shown.borrow_mut().write(presented);
        // SAFETY: everything that the step reads and writes is still in the same memory: the recorder has the
        // trainee, whose parameters it only writes in place, as it does `shown`; the graph has images and losses.
        // This thread alone starts work on them.
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
    let (module, stayed) = Values::of(trainee.module()).written_into(old);
    (trainee.map(|_| module), losses, stayed)
}

/// The values of the parameters of a module, each as a vector.
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

    /// Writes the values into a module; also returns whether they are in its memory.
    fn written_into<M: Module>(mut self, module: M) -> (M, bool) {
        let module = module.map(&mut self);
        (module, self.stayed)
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
