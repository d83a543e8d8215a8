//! Recurrent layers that read an image row by row, and an EI readout of the last state.
//!
//! A recurrent layer is a dense layer that sees the inputs and its previous state, [x_t, h_{t−1}], as in
//! [`ei_norm::layer::Recurrent`]. Here it is computed step by step, so that errors can be clipped and
//! activity can be normalized between the steps.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::EiLinear;
use ei_norm::layer::Dense;
use rand_chacha::ChaCha8Rng;

use super::mlp::readout;
use super::{
    BIAS, DenseHidden, Layered, LayeredPopulation, Learner, NORM_EPSILON, NetworkSpec, Stage, Task,
    WIDE, add_losses, clip_errors, images,
};
use crate::RunConfig;
use crate::data::Shape;

pub(super) const SPEC: NetworkSpec = NetworkSpec {
    sizes: "neurons in each recurrent layer; recurrent layers",
    options: &[BIAS, NORM_EPSILON],
    ranges: WIDE,
    defaults: |config| {
        config.width = 64;
        config.depth = 1;
        config.lr = 0.01;
        config.lr_ix = 0.1;
        config.lr_ei = 0.001;
        config.clip_errors = Some(0.03);
    },
    ..NetworkSpec::of::<Rnn>("rnn", "recurrent layers that read an image row by row")
        .with_population::<LayeredPopulation<Rnn>>()
};

/// The network: images `[batch, pixels]` to logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct Rnn {
    /// The recurrent layers, starting at the input: `[batch, d_input + width]` to `[batch, width]`.
    pub hidden: Vec<DenseHidden>,
    /// The last layer, with one inhibitory unit.
    pub readout: EiLinear,
    #[module(skip)]
    shape: Shape,
    #[module(skip)]
    clip_errors: Option<f64>,
}

impl Learner for Rnn {
    const RECORDABLE: bool = true;

    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        let (width, shape) = (config.width, task.shape);
        let d_input = |layer: usize| match layer {
            0 => shape.channels * shape.width,
            _ => width,
        };
        let hidden = (0..config.depth)
            .map(|k| DenseHidden::dense(config, [d_input(k) + width, width], device, rng));
        Ok(Self {
            hidden: hidden.collect::<Result<_, _>>()?,
            readout: readout(d_input(config.depth), config, task, device, rng)?,
            shape,
            clip_errors: config.clip_errors,
        })
    }

    fn least_parameters(config: &RunConfig, _task: Task) -> usize {
        config.depth * config.width * config.width
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.compute(&self.hidden, &self.readout, x)
    }

    fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(DenseHidden::adapt).collect();
        Self { hidden, ..self }
    }
}

impl Layered for Rnn {
    type Geometry = Dense;

    fn layers(&self) -> (&[DenseHidden], &EiLinear) {
        (&self.hidden, &self.readout)
    }

    fn layers_mut(&mut self) -> (&mut [DenseHidden], &mut EiLinear) {
        (&mut self.hidden, &mut self.readout)
    }

    fn input_parts(&self, layer: &DenseHidden) -> Vec<usize> {
        let (inputs, state) = (layer.geometry().d_input, layer.width());
        vec![inputs - state, state]
    }

    fn compute<H: Stage<Batch = Tensor<2>>>(
        &self,
        hidden: &[H],
        readout: &impl Stage<Batch = Tensor<2>>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        // [rows, batch, channels · columns]
        let rows_of: Tensor<3> = images(x, self.shape).permute([2, 0, 1, 3]).flatten(2, 3);
        let [rows, batch, _] = rows_of.dims();
        let blank = |layer: &H| Tensor::zeros([batch, layer.outputs()], &rows_of.device());
        let mut states: Vec<_> = hidden.iter().map(blank).collect();
        let mut total = None;
        for step in 0..rows {
            let mut input: Tensor<2> = rows_of.clone().narrow(0, step, 1).squeeze_dim(0);
            for (layer, state) in hidden.iter().zip(&mut states) {
                let seen = Tensor::cat(vec![input, state.clone()], 1);
                let (z, local) = layer.forward(seen);
                total = add_losses(total, local);
                *state = clip_errors(relu(z), self.clip_errors);
                input = state.clone();
            }
        }
        let last = match states.pop() {
            Some(state) => state,
            // Without a recurrent layer the readout sees the last row.
            None => rows_of.narrow(0, rows - 1, 1).squeeze_dim(0),
        };
        let mean = total.map(|sum| sum / rows as f64);
        (readout.forward(last).0, mean)
    }
}
