//! Convolutions of every circuit: output, local loss and gradients against the circuit on reference patches,
//! in plain autodiff and in scalar arithmetic, and against Burn's convolution; initial weights, empty
//! batches, and errors.

use crate::common::circuits::{
    Output, Tried, assert_empty, assert_same_as_scalars, assert_same_currents, pass,
    pass_in_scalars,
};
use crate::common::convolution::{Case, cases};
use crate::common::equations::for_every_circuit;
use crate::common::parameters::{Pass, assert_same_pass, change, weights};
use crate::common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups,
    values,
};
use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor, TensorData};
use ei_norm::circuit::{ColumnEi, Shunting};
use ei_norm::layer::{Conv2d, Layer};
use ei_norm::{
    ColumnEiConv2dConfig, ColumnEiLinearConfig, EiConv2d, EiConv2dConfig, EiInitializer,
    EiLinearConfig, EiWeights, Error, INormConv2dConfig, Inhibitory, ShuntingConv2dConfig,
    ShuntingLinearConfig,
};

type Conv<C> = Layer<C, Conv2d>;

/// The layer with all parts of the circuit.
fn one<C: Tried>(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case) -> Conv<C> {
    let circuit = C::one(setup, rng, case.sizes());
    Layer::new(circuit, case.geometry.clone()).unwrap()
}

for_every_circuit! {
    output_loss_and_gradients_are_those_of_the_circuit_at_each_patch;
    output_loss_and_gradients_match_the_scalar_equations;
    currents_are_those_at_each_position;
    a_batch_of_nothing_has_the_shape_of_an_output_and_teaches_nothing;
    other_images_are_refused;
}

/// An image, and the upstream error at the output.
struct Images {
    x: Tensor<4>,
    upstream: Tensor<4>,
}

impl Images {
    fn random<C: Tried>(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case) -> Self {
        Self {
            x: C::input(setup, rng, case.input()),
            upstream: setup.random(rng, case.output()),
        }
    }

    /// The patches and the error, with one row for each position.
    fn rows(&self, case: &Case) -> [Tensor<2>; 2] {
        let options = (&self.x.device(), self.x.dtype());
        let rows = |values: Vec<f64>, columns: usize| {
            let shape = [values.len() / columns, columns];
            Tensor::<2>::from_data(TensorData::new(values, shape), options)
        };
        let [d, outputs] = case.sizes();
        let patches = case.unfold(&values(&self.x));
        [
            rows(patches, d),
            rows(case.to_rows(&values(&self.upstream)), outputs),
        ]
    }
}

/// The output with one row for each position, the local loss, and the gradients of x and of all parameters.
fn of_layer<C: Tried>(layer: &Conv<C>, case: &Case, images: &Images) -> Pass {
    let mut found = pass(
        layer,
        leaf(&images.x),
        |_| images.upstream.clone(),
        |x| C::convolve(layer, x),
    );
    change(&mut found, "out", |out| case.to_rows(out));
    found
}

/// The same for the circuit on reference patches.
fn of_patches<C: Tried>(
    circuit: &C,
    case: &Case,
    images: &Images,
    forward: impl FnOnce(Tensor<2>) -> Output<2>,
) -> Pass {
    let [patches, upstream] = images.rows(case);
    let mut found = pass(circuit, leaf(&patches), |_| upstream, forward);
    change(&mut found, "x", |errors| case.fold(errors));
    found
}

mod every {
    use super::*;

    pub fn output_loss_and_gradients_are_those_of_the_circuit_at_each_patch<C: Tried>(
        setup: &Setup,
    ) {
        for (seed, case) in cases().into_iter().enumerate() {
            let rng = &mut rng(seed as u64);
            for trial in C::all(setup, rng, case.sizes()) {
                let images = Images::random::<C>(setup, rng, &case);
                let layer: Conv<C> = Layer::new(trial.circuit, case.geometry.clone()).unwrap();
                let found = of_layer(&layer, &case, &images);
                let plain = |rows| layer.circuit.plain(rows);
                let expected = of_patches(&layer.circuit, &case, &images, plain);
                let at = setup.at((trial.name, &case));
                let tolerance = C::ROUNDING * setup.tolerance;
                assert_same_pass(&found, &expected, tolerance, &at);
                let without_loss = layer.forward(images.x.clone()).inner();
                let (with_loss, _) = C::convolve(&layer, images.x.clone());
                assert_same(&without_loss, &with_loss.inner(), &at);
                let plain = layer.valid().forward(images.x.clone());
                assert!(!plain.is_autodiff());
                assert_same(&plain, &without_loss, &at);
            }
        }
    }

    pub fn output_loss_and_gradients_match_the_scalar_equations<C: Tried>(setup: &Setup) {
        for (seed, case) in cases().into_iter().enumerate() {
            let rng = &mut rng(seed as u64);
            let all = C::all(setup, rng, case.sizes()).into_iter();
            for trial in all.filter(|trial| trial.in_scalars) {
                let images = Images::random::<C>(setup, rng, &case);
                let layer: Conv<C> = Layer::new(trial.circuit, case.geometry.clone()).unwrap();
                let found = of_layer(&layer, &case, &images);
                let upstream = case.to_rows(&values(&images.upstream));
                let patches = |x: &[f64]| case.unfold(x);
                let expected =
                    pass_in_scalars(&layer.circuit, &values(&images.x), &upstream, patches);
                let at = setup.at((trial.name, &case));
                assert_same_as_scalars(found, expected, C::ROUNDING * setup.tolerance, &at);
            }
        }
    }

    pub fn currents_are_those_at_each_position<C: Tried>(setup: &Setup) {
        for case in cases() {
            let rng = &mut rng(6);
            let layer: Conv<C> = one(setup, rng, &case);
            let images = Images::random::<C>(setup, rng, &case);
            let found = layer.currents(images.x.clone());
            let expected = layer.circuit.currents(images.rows(&case)[0].clone());
            let (arrange, at) = (|t: &_| case.to_rows(&values(t)), setup.at((C::NAME, &case)));
            assert_same_currents(&found, &expected, arrange, 10.0 * setup.tolerance, &at);
            let z = layer.output(&found).inner();
            let expected = layer.forward(images.x.clone()).inner();
            assert_tensor_close(&z, &expected, 50.0 * setup.tolerance, &at);
        }
    }

    pub fn a_batch_of_nothing_has_the_shape_of_an_output_and_teaches_nothing<C: Tried>(
        setup: &Setup,
    ) {
        for mut case in cases() {
            let rng = &mut rng(5);
            for trial in C::all(setup, rng, case.sizes()) {
                let layer: Conv<C> = Layer::new(trial.circuit, case.geometry.clone()).unwrap();
                let layer = layer.with_input_check("empty");
                case.batch = 0;
                let at = setup.at((trial.name, &case));
                let x = leaf(&setup.tensor(vec![], case.input()));
                let shape = case.output();
                assert_eq!(layer.forward(x.clone()).dims(), shape, "{at}");
                let plain = layer.valid().forward(x.clone().inner());
                assert_eq!(plain.dims(), shape, "{at}");
                assert_empty(&layer, &x, C::convolve(&layer, x.clone()), shape, &at);
            }
        }
    }

    pub fn other_images_are_refused<C: Tried>(setup: &Setup) {
        let case = &cases()[0];
        let layer: Conv<C> = one(setup, &mut rng(1), case);
        let ones = |shape: [usize; 4]| Tensor::<4>::ones(shape, (&setup.device, setup.dtype));
        let ones = |shape| ones(shape).autodiff();
        let message = panic_of(|| drop(layer.forward(ones([1, 2, 5, 5]))));
        assert!(message.contains("[1, 2, 5, 5]"), "{message}");
        assert!(message.contains("[batch, 3"), "{message}");
        let message = panic_of(|| drop(layer.currents(ones([1, 2, 5, 5]))));
        assert!(message.contains("[batch, 3"), "{message}");
        let message = panic_of(|| drop(layer.forward(ones([1, 3, 1, 5]))));
        assert!(message.contains("does not fit"), "{message}");
        assert!(message.contains("[1, 5]"), "{message}");
        // Circuits of other sizes, and impossible sizes of images.
        for wrong in [[4, 4], [3, 5]] {
            let geometry = Conv2d::new(wrong, case.geometry.kernel_size);
            let expected = Error::Shape {
                parameter: "w_ex",
                found: vec![18, 4],
                expected: vec![6 * wrong[0], wrong[1]],
            };
            let circuit = layer.circuit.clone();
            assert_eq!(Layer::new(circuit, geometry).unwrap_err(), expected);
        }
        let refused = |change: fn(&mut Conv2d)| {
            let mut geometry = case.geometry.clone();
            change(&mut geometry);
            let error = Layer::new(layer.circuit.clone(), geometry).unwrap_err();
            match error {
                Error::Config { name, .. } => name,
                other => panic!("{other}"),
            }
        };
        assert_eq!(refused(|of| of.channels[1] = 0), "channels");
        assert_eq!(refused(|of| of.kernel_size[0] = 0), "kernel_size");
        assert_eq!(refused(|of| of.stride = [0, 1]), "stride");
        assert_eq!(refused(|of| of.dilation = [1, 0]), "dilation");
    }
}

#[test]
fn a_matrix_without_outputs_has_kernels() {
    for setup in setups() {
        let geometry = Conv2d::new([2, 3], [3, 2]);
        let matrix = geometry
            .matrix(setup.tensor(Vec::new(), [0, 2, 3, 2]))
            .unwrap();
        assert_eq!(matrix.dims(), [12, 0], "{}", setup.name);
        assert_eq!(geometry.kernels(matrix).unwrap().dims(), [0, 2, 3, 2]);
    }
}

#[test]
fn kernels_and_matrices_are_each_others_inverse_and_burns_kernels() {
    for setup in setups() {
        for case in cases() {
            let rng = &mut rng(2);
            let Conv2d {
                channels: channels @ [inputs, outputs],
                kernel_size: kernel @ [height, width],
                ..
            } = case.geometry;
            let weights = EiWeights {
                w_ex: setup.positive(rng, case.sizes()),
                inhibition: None,
                bias: Some(setup.random(rng, [outputs])),
            };
            let layer = EiConv2d::from_weights(weights, case.geometry.clone()).unwrap();
            assert_eq!(layer.inhibitory_units(), 0);
            let kernels = layer.geometry().kernels(layer.effective_weights()).unwrap();
            assert_eq!(kernels.dims(), [outputs, inputs, height, width]);
            let matrix = layer.geometry().matrix(kernels.clone()).unwrap();
            let at = setup.at(&case);
            assert_same(&matrix, &layer.w_ex.val().inner(), &at);

            let mut conv = Conv2dConfig::new(channels, kernel)
                .with_stride(case.geometry.stride)
                .with_dilation(case.geometry.dilation)
                .with_padding(case.geometry.padding.clone())
                .init(&setup.device);
            conv.weight = Param::from_tensor(kernels.clone());
            let bias = layer.bias.as_ref().map(|b| b.val().inner());
            conv.bias = bias.map(Param::from_tensor);
            let x = setup.random(rng, case.input());
            let found = layer.valid().forward(x.clone());
            assert_tensor_close(&found, &conv.forward(x.clone()), setup.tolerance, &at);
            // So is the excitatory current, which the circuit computes from the patches.
            let drive = layer.valid().currents(x.clone()).excitatory;
            let expected = conv.forward(x.clone());
            assert_tensor_close(&drive, &expected, setup.tolerance, &at);
            let patches = layer.geometry().patches(x);
            let [batch, down, across, size] = patches.dims();
            let rows = patches.reshape([batch * down * across, size]);
            let outputs = rows
                .matmul(matrix.clone())
                .reshape([batch, down, across, outputs]);
            let bias = layer.bias.as_ref().unwrap().val().inner();
            let outputs = (outputs + bias.unsqueeze()).permute([0, 3, 1, 2]);
            assert_tensor_close(&outputs, &expected, setup.tolerance, &at);

            let other = Tensor::cat(vec![kernels.clone(), kernels], 1);
            let error = layer.geometry().matrix(other).unwrap_err();
            let name = |error| match error {
                Error::Shape { parameter, .. } => parameter,
                other => panic!("{other}"),
            };
            assert_eq!(name(error), "kernels");
            let other = Tensor::cat(vec![matrix.clone(), matrix], 0);
            let error = layer.geometry().kernels(other).unwrap_err();
            assert_eq!(name(error), "matrix");
        }
    }
}

#[test]
fn patches_of_an_impossible_geometry_are_refused() {
    type Change = fn(&mut Conv2d);
    let patches = |change: Change| {
        let mut geometry = Conv2d::new([1, 2], [2, 2]);
        change(&mut geometry);
        let images = Tensor::<4>::ones([1, 1, 4, 4], &setups()[0].device);
        panic_of(|| drop(geometry.patches(images)))
    };
    let refused: [(Change, &str); 6] = [
        (|geometry| geometry.stride[0] = 0, "stride is 0; allowed: "),
        (
            |geometry| geometry.dilation[1] = 0,
            "dilation is 0; allowed: ",
        ),
        (
            |geometry| geometry.kernel_size[0] = 0,
            "kernel_size is 0; allowed: ",
        ),
        (
            |geometry| geometry.channels[0] = 3,
            "the input has shape [1, 1, 4, 4], expected [batch, 3,",
        ),
        (
            |geometry| geometry.dilation[0] = usize::MAX,
            "dilation is 18446744073709551615; allowed: at most 4294967295",
        ),
        (
            |geometry| geometry.kernel_size[1] = 5,
            "a window of [2, 5] with dilation [1, 1] does not fit",
        ),
    ];
    for (change, start) in refused {
        let message = patches(change);
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn an_image_of_zeros_gives_the_bias_of_a_shunting_convolution() {
    for setup in setups() {
        for case in cases() {
            let rng = &mut rng(4);
            let layer: Conv<Shunting> = one(&setup, rng, &case);
            let images = Images::random::<Shunting>(&setup, rng, &case);
            let x = leaf(&images.x.zeros_like());
            let out = layer.forward(x.clone());
            let at = setup.at(&case);
            let found = case.to_rows(&values(&out));
            let bias = values(&layer.bias.as_ref().unwrap().val());
            let expected = bias.repeat(found.len() / bias.len());
            assert_close(&found, &expected, setup.tolerance, &at);
            // Without activity only the bias learns; the error at x is large but finite.
            let grads = (out * images.upstream).sum().backward();
            for matrix in [&layer.w_ex, &layer.w_ix] {
                let grad = values(&matrix.grad(&grads).unwrap());
                assert!(grad.iter().all(|g| *g == 0.0), "{at}");
            }
            let to_x = values(&x.grad(&grads).unwrap());
            assert!(to_x.iter().all(|g| g.is_finite()), "{at}");
        }
    }
}

#[test]
fn initial_weights_are_those_of_the_dense_layer_of_a_patch() {
    let device = Device::flex();
    let (channels, kernel) = ([3, 20], [2, 5]);
    type Draw<'a> = &'a dyn Fn(&mut ChaCha8Rng) -> Vec<(String, Vec<f64>)>;
    let same = |conv: Draw, dense: Draw| {
        assert_eq!(conv(&mut rng(1)), dense(&mut rng(1)));
    };
    macro_rules! pairs {
        ($conv:ident, $dense:ident: $($change:tt)*) => {
            same(
                &|rng| {
                    let config = $conv::new(channels, kernel)$($change)*;
                    weights(&config.try_init_with(&device, rng).unwrap())
                },
                &|rng| {
                    let config = $dense::new(30, 20)$($change)*;
                    weights(&config.try_init_with(&device, rng).unwrap())
                },
            )
        };
    }
    let one = Inhibitory::Count(1);
    pairs!(ShuntingConv2dConfig, ShuntingLinearConfig: );
    pairs!(ShuntingConv2dConfig, ShuntingLinearConfig: .with_first_layer(true).with_bias(false));
    pairs!(ShuntingConv2dConfig, ShuntingLinearConfig: .with_iid_inhibition(true));
    pairs!(ShuntingConv2dConfig, ShuntingLinearConfig: .with_inhibitory(one));
    pairs!(EiConv2dConfig, EiLinearConfig: .with_initializer(EiInitializer::Iclr));
    pairs!(EiConv2dConfig, EiLinearConfig: .with_initializer(EiInitializer::Exponential));
    pairs!(EiConv2dConfig, EiLinearConfig: );
}

#[test]
fn the_last_channels_of_a_column_convolution_inhibit_at_every_place() {
    let device = Device::flex();
    let config = ColumnEiConv2dConfig::new([5, 300], [2, 3]).with_ratio(2.0);
    let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
    let signs = [1.0, 1.0, 1.0, -1.0, -1.0].repeat(6);
    assert_eq!(values(&layer.signs.val()), signs);
    assert_eq!(layer.inhibitory_inputs(), 12);
    let kernels = layer.geometry().kernels(layer.effective_weights()).unwrap();
    for (channel, sign) in [1.0, 1.0, 1.0, -1.0, -1.0].into_iter().enumerate() {
        let of_channel = values(&kernels.clone().narrow(1, channel, 1));
        assert!(of_channel.iter().all(|w| w * sign > 0.0));
    }
    // With fan-in 30, as in the dense layer.
    let dense = ColumnEiLinearConfig::new(30, 300).with_ratio(1.5);
    let dense = dense.try_init_with(&device, &mut rng(2)).unwrap();
    assert_eq!(dense.inhibitory_inputs(), 12);
    let means = |w: &ColumnEi| {
        let (w, signs) = (w.w_ex.val(), w.signs.val().unsqueeze_dim::<2>(1));
        [1.0, -1.0].map(|sign| {
            let chosen = signs.clone().equal_elem(sign).float();
            values(&((w.clone() * chosen.clone()).sum() / (chosen.sum() * 300.0)))[0]
        })
    };
    for (found, expected) in means(&layer).into_iter().zip(means(&dense)) {
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }
}

#[test]
fn an_i_norm_convolution_starts_out_as_layer_norm_over_channels() {
    let device = Device::flex();
    for (channels, kernel) in [([2, 7], [3, 2]), ([1, 16], [3, 3])] {
        let layer = INormConv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Same)
            .try_init_with(&device, &mut rng(6))
            .unwrap();
        let features = channels[0] * kernel[0] * kernel[1];
        assert_eq!(layer.u_ix.as_ref().unwrap().dims(), [features, channels[1]]);
        let mut conv = Conv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Same)
            .with_bias(false)
            .init(&device);
        conv.weight = Param::from_tensor(layer.geometry().kernels(layer.w_ex.val()).unwrap());
        let uniform = crate::common::uniform(&mut rng(7), [3, channels[0], 6, 5], 0.2, 1.0);
        let data = TensorData::new(uniform, [3, channels[0], 6, 5]);
        let x = Tensor::<4>::from_data(data, &device);
        let a = conv.forward(x.clone());
        let deviation = a.clone() - a.mean_dim(1);
        let variance = deviation.clone().square().mean_dim(1);
        let expected = deviation / (variance + 1e-5).sqrt();
        assert_tensor_close(&layer.forward(x), &expected, 1e-3, "layer norm");
    }
}
