use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::super::{INormLinear, INormWeights, InhibitoryPlasticity, InputCheck, check_shape};
use super::{ConvGeometry, assert_channels, check_sizes, display_windows, kernel_weight};
use crate::dale::Weight;
use crate::functional::{self, DivisiveOperands, INorm, INormOperands, flatten, patches};
use crate::{Error, GradNorm};

/// Given weights of an [`INormConv2d`], taken as they are.
#[derive(Debug, Clone)]
pub struct INormConv2dWeights {
    /// Excitatory kernels, `[channels_out, channels_in, height, width]`.
    pub w_ex: Tensor<4>,
    /// Kernels of the subtractive inhibitory maps, `[n_i, channels_in, height, width]`.
    pub w_ix: Tensor<4>,
    /// From those to the outputs, `[n_i, channels_out]`.
    pub w_ei: Tensor<2>,
    /// The kernels U_ix `[n_d, channels_in, height, width]` of the divisive inhibitory maps, and U_ei
    /// `[n_d, channels_out]`, from those to the outputs; none where inhibition only subtracts.
    pub divisive: Option<(Tensor<4>, Tensor<2>)>,
    /// `[channels_out]`.
    pub bias: Option<Tensor<1>>,
}

/// A convolution of excitatory maps that inhibition normalizes over the channels of each position: an
/// [`INormLinear`] of the patch (Eyono et al. 2026, "I-Norm"),
///
// a = W_ex ∗ x + b, s = W_ei (W_ix ∗ x), q = sqrt(U_ei (U_ix ∗ x)² + ε), z = (a − s)/q
#[doc = include_str!("../../../equations/i_norm_conv.html")]
///
/// and the error that arrives at z is changed by the layer's [`GradNorm`], over the channels too.
///
/// As there, the task's error sees s and q as constants; the inhibitory weights learn from the local
/// loss alone, the mean over examples and positions of mean(ẑ)² + (var(ẑ) − 1)² over the channels
/// (mean(ẑ)² where nothing divides), which
/// [`forward_with_local_loss`](Self::forward_with_local_loss) returns beside the output.
///
/// W_ex, W_ix, W_ei and U_ei are ≥ 0; U_ix and b are free.
///
/// Should be created with [`INormConv2dConfig`](super::INormConv2dConfig), or from given weights with
/// [`from_weights`](Self::from_weights).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct INormConv2d {
    /// Excitatory kernels W_ex, `[channels_out, channels_in, height, width]`, ≥ 0.
    pub w_ex: Weight<4>,
    /// Kernels W_ix of the subtractive inhibitory maps, `[n_i, channels_in, height, width]`, ≥ 0.
    pub w_ix: Weight<4>,
    /// Weights W_ei from those to the outputs, `[n_i, channels_out]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// Kernels U_ix of the divisive inhibitory maps, `[n_d, channels_in, height, width]`, free.
    pub u_ix: Option<Weight<4>>,
    /// Weights U_ei from those to the outputs, `[n_d, channels_out]`, ≥ 0.
    pub u_ei: Option<Weight<2>>,
    /// Bias b, `[channels_out]`.
    pub bias: Option<Weight<1>>,
    /// Normalizes the error that arrives at the output, over the channels.
    pub grad_norm: GradNorm,
    #[module(skip)]
    epsilon: f64,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
    #[module(skip)]
    geometry: ConvGeometry,
}

impl INormConv2d {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit each other or `grad_norm`, a size, a stride or a dilation is 0, or ε
    /// is negative or not finite.
    pub fn from_weights(
        weights: INormConv2dWeights,
        geometry: ConvGeometry,
        grad_norm: GradNorm,
        plasticity: Option<InhibitoryPlasticity>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let [channels_out, channels_in, height, width] = weights.w_ex.dims();
        check_sizes([channels_in, channels_out], [height, width])?;
        let u_ix = weights.divisive.as_ref().map(|(u_ix, _)| ("u_ix", u_ix));
        for (name, w) in [("w_ix", &weights.w_ix)].into_iter().chain(u_ix) {
            check_shape(name, w, [w.dims()[0], channels_in, height, width])?;
        }
        let of_patches = INormWeights {
            w_ex: flatten(weights.w_ex),
            w_ix: flatten(weights.w_ix),
            w_ei: weights.w_ei,
            divisive: weights.divisive.map(|(u_ix, u_ei)| (flatten(u_ix), u_ei)),
            bias: weights.bias,
        };
        let of_patches = INormLinear::from_weights(of_patches, grad_norm, plasticity, epsilon)?;
        Self::of_patches(of_patches, [height, width], geometry)
    }

    /// The convolution that applies `layer` to every patch.
    pub(super) fn of_patches(
        layer: INormLinear,
        kernel_size: [usize; 2],
        geometry: ConvGeometry,
    ) -> Result<Self, Error> {
        geometry.validate()?;
        let epsilon = layer.epsilon();
        Ok(Self {
            w_ex: kernel_weight(&layer.w_ex, kernel_size),
            w_ix: kernel_weight(&layer.w_ix, kernel_size),
            w_ei: layer.w_ei,
            u_ix: layer.u_ix.map(|u_ix| kernel_weight(&u_ix, kernel_size)),
            u_ei: layer.u_ei,
            bias: layer.bias,
            grad_norm: layer.grad_norm,
            epsilon,
            input_check: InputCheck::default(),
            geometry,
        })
    }

    /// Applies the layer. Inhibition does not learn from this alone; see
    /// [`forward_with_local_loss`](Self::forward_with_local_loss).
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels_in, height, width]`
    /// - result: `[batch, channels_out, height out, width out]`
    ///
    /// # Panics
    ///
    /// If the channels differ, or the kernel does not fit into the padded image.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.normalize_error(self.apply(x).output)
    }

    /// Applies the layer and returns, beside the output, the loss that its inhibitory weights learn
    /// from, to be added to the task's: `loss = task + lambda * local`. It is 0 if there are no
    /// examples.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, height out, width out]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// If the channels differ, or the kernel does not fit into the padded image.
    pub fn forward_with_local_loss(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        let INorm { output, local } = self.apply(x);
        (self.normalize_error(output), local.compute())
    }

    /// GradNorm on an output that has its channels last, and these then in their place.
    fn normalize_error(&self, output: Tensor<4>) -> Tensor<4> {
        self.grad_norm.forward(output).permute([0, 3, 1, 2])
    }

    /// The layer on patches; its output has the channels last.
    fn apply(&self, x: Tensor<4>) -> INorm<4> {
        let [_, _, height, width] = self.w_ex.dims();
        assert_channels(&x, self.w_ex.dims());
        self.input_check.assert(&x);
        let [_, _, rows, columns] = x.dims();
        let windows = self.geometry.windows([height, width], [rows, columns]);
        let divisive = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        let operands = INormOperands {
            w_ex: flatten(self.w_ex.value()),
            w_ix: flatten(self.w_ix.value()),
            w_ei: self.w_ei.value(),
            divisive: divisive.map(|(u_ix, u_ei)| DivisiveOperands {
                u_ix: flatten(u_ix.value()),
                u_ei: u_ei.value(),
                uniform: u_ei.uniform_value(),
            }),
            bias: self.bias.as_ref().map(Weight::value),
        };
        functional::i_norm(patches(x, windows), operands, self.epsilon)
    }

    /// ε.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(self, name: &str) -> Self {
        Self {
            input_check: InputCheck::named(name),
            ..self
        }
    }

    /// Where the windows lie.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }
}

impl ModuleDisplay for INormConv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [ch_out, ch_in, ..] = self.w_ex.dims();
        let divisive = self.u_ix.as_ref().map_or(0, |u_ix| u_ix.dims()[0]);
        let content = content
            .add("ch_in", &ch_in)
            .add("ch_out", &ch_out)
            .add("subtractive", &self.w_ix.dims()[0])
            .add("divisive", &divisive)
            .add("error_norm", self.grad_norm.mode().name());
        display_windows(content, self.w_ex.dims(), &self.geometry)
            .add("bias", &self.bias.is_some())
            .optional()
    }
}
