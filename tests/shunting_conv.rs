//! `ShuntingConv2d` against a scalar reference in f64, Burn's convolutions in plain autodiff, and the
//! dense layer; Dale's law in training, corrected descent, records, and what it refuses.

#![cfg(feature = "flex")]

mod common;

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use common::convolution::{by_channel, case, cases, mix, turned};
use common::shunting::{self, EPSILON, Pass, assert_same_pass};
use common::training::{Way, assert_unchanged, keeps_dales_law, parameters};
use common::{
    ChaCha8Rng, Setup, assert_close, assert_same, leaf, panic_of, rng, setups, uniform, values,
};
use ei_norm::dale::{self, Role, Roles};
use ei_norm::optim::CorrectedSgdConfig;
use ei_norm::{
    ConvGeometry, Error, Inhibitory, ShuntingConv2d, ShuntingConv2dConfig, ShuntingConv2dWeights,
    ShuntingLinear, ShuntingLinearConfig,
};

/// A convolution, its image and an error for its output; the same as a batch of patches.
struct Case {
    of: common::convolution::Case,
    image: Vec<f64>,
    upstream: Vec<f64>,
    /// Matrices are `[inputs, outputs]` with the features in the order of Burn's kernels.
    patches: shunting::Case,
}

impl Case {
    fn random(rng: &mut ChaCha8Rng, of: common::convolution::Case) -> Self {
        let image = uniform(rng, of.input(), 0.05, 1.0);
        let upstream = uniform(rng, of.output(), -1.0, 1.0);
        let [batch, n_e, rows, columns] = of.output();
        let sizes = [batch * rows * columns, of.features(), n_e, of.inhibitory[0]];
        let mut patches = shunting::Case::random(rng, sizes);
        patches.x = of.unfold(&image);
        patches.upstream = of.to_rows(&upstream);
        Self {
            of,
            image,
            upstream,
            patches,
        }
    }

    /// A matrix from patches to `outputs` as kernels.
    fn kernels(&self, setup: &Setup, matrix: &[f64], outputs: usize) -> Tensor<4> {
        let [height, width] = self.of.kernel;
        let values = turned(matrix, [self.of.features(), outputs]);
        let shape = [outputs, self.of.channels[0], height, width];
        setup.tensor(values, shape).autodiff()
    }

    fn weights(&self, setup: &Setup) -> ShuntingConv2dWeights {
        let of = &self.patches;
        let vector = |values: &[f64]| setup.tensor(values.to_vec(), [values.len()]).autodiff();
        let w_ei = setup.tensor(of.w_ei.clone(), [of.n_i, of.d_output]);
        ShuntingConv2dWeights {
            w_ex: self.kernels(setup, &of.w_ex, of.d_output),
            w_ix: self.kernels(setup, &of.w_ix, of.n_i),
            w_ei: w_ei.autodiff(),
            alpha: vector(&of.alpha),
            gain: vector(&of.gain),
            bias: Some(vector(&of.bias)),
        }
    }

    fn layer(&self, setup: &Setup) -> ShuntingConv2d {
        let geometry = self.of.geometry.clone();
        ShuntingConv2d::from_weights(self.weights(setup), geometry, EPSILON).unwrap()
    }

    fn image(&self, setup: &Setup) -> Tensor<4> {
        setup.tensor(self.image.clone(), self.of.input())
    }

    fn upstream(&self, setup: &Setup) -> Tensor<4> {
        setup.tensor(self.upstream.clone(), self.of.output())
    }

    /// The equations number by number, patch by patch.
    fn reference(&self) -> Pass {
        let (d, of) = (self.of.features(), &self.patches);
        let to_layout = |(name, values): (&'static str, Vec<f64>)| match name {
            "x" => (name, self.of.fold(&values)),
            "w_ex" => (name, turned(&values, [d, of.d_output])),
            "w_ix" => (name, turned(&values, [d, of.n_i])),
            _ => (name, values),
        };
        of.reference().into_iter().map(to_layout).collect()
    }

    /// The formula with Burn's convolutions.
    fn plain(&self, setup: &Setup) -> Pass {
        let weights = self.weights(setup);
        let x = leaf(&self.image(setup));
        let [w_ex, w_ix] = [leaf(&weights.w_ex), leaf(&weights.w_ix)];
        let w_ei = leaf(&weights.w_ei);
        let bias = leaf(&weights.bias.unwrap());
        let [alpha, gain] = [leaf(&weights.alpha), leaf(&weights.gain)];
        let h = self.of.convolve(x.clone(), w_ix.clone());
        let divided = mix(h.clone() * by_channel(alpha.clone().exp()), w_ei.clone()) + EPSILON;
        let current = self.of.convolve(x.clone(), w_ex.clone()) - mix(h, w_ei.clone());
        let out = by_channel(gain.clone()) * current / divided + by_channel(bias.clone());
        self.pass(setup, out, x, [w_ex, w_ix], w_ei, [alpha, gain, bias])
    }

    fn of_layer(&self, setup: &Setup, layer: &ShuntingConv2d) -> Pass {
        let x = leaf(&self.image(setup));
        let out = layer.forward(x.clone());
        assert_eq!((out.dims(), out.dtype()), (self.of.output(), setup.dtype));
        let bias = layer.bias.as_ref().unwrap().val();
        let kernels = [layer.w_ex.val(), layer.w_ix.val()];
        let vectors = [layer.alpha.val(), layer.gain.val(), bias];
        self.pass(setup, out, x, kernels, layer.w_ei.val(), vectors)
    }

    /// Output, a row a position, and what the error at the output sends to each of these.
    fn pass(
        &self,
        setup: &Setup,
        out: Tensor<4>,
        x: Tensor<4>,
        [w_ex, w_ix]: [Tensor<4>; 2],
        w_ei: Tensor<2>,
        [alpha, gain, bias]: [Tensor<1>; 3],
    ) -> Pass {
        let rows = self.of.to_rows(&values(&out));
        let grads = (out * self.upstream(setup)).sum().backward();
        let maps = |w: Tensor<4>| values(&w.grad(&grads).unwrap());
        let vector = |w: Tensor<1>| values(&w.grad(&grads).unwrap());
        vec![
            ("out", rows),
            ("x", maps(x)),
            ("w_ex", maps(w_ex)),
            ("w_ix", maps(w_ix)),
            ("w_ei", values(&w_ei.grad(&grads).unwrap())),
            ("alpha", vector(alpha)),
            ("gain", vector(gain)),
            ("bias", vector(bias)),
        ]
    }
}

#[test]
fn output_and_gradients_match_the_reference_and_plain_autodiff() {
    for setup in setups() {
        for (seed, of) in cases().into_iter().enumerate() {
            let case = Case::random(&mut rng(seed as u64), of);
            let found = case.of_layer(&setup, &case.layer(&setup));
            let at = setup.at(&case.of);
            let tolerance = 10.0 * setup.tolerance;
            assert_same_pass(&found, &case.reference(), tolerance, &format!("{at} f64"));
            assert_same_pass(
                &found,
                &case.plain(&setup),
                tolerance,
                &format!("{at} plain"),
            );
        }
    }
}

#[test]
fn a_kernel_that_covers_the_image_is_the_dense_layer() {
    let of = case(
        (5, [3, 4], [2, 5], [2, 5]),
        ([1, 1], [1, 1], PaddingConfig2d::Valid),
        [[0, 0]; 2],
        [2, 1],
    );
    for setup in setups() {
        let case = Case::random(&mut rng(3), of.clone());
        let mut found = case.of_layer(&setup, &case.layer(&setup));
        let d = of.features();
        for (name, outputs) in [("w_ex", 4), ("w_ix", 2)] {
            let (_, kernels) = found.iter_mut().find(|(n, _)| *n == name).unwrap();
            *kernels = turned(kernels, [outputs, d]);
        }
        // The patches are the images, flattened.
        assert_eq!(case.patches.x, case.image);
        let expected = case.patches.of_layer(&setup);
        let at = setup.at("dense");
        assert_same_pass(&found, &expected, 10.0 * setup.tolerance, &at);
    }
}

#[test]
fn initial_weights_are_those_of_the_dense_layer() {
    let device = Device::flex();
    let (channels, [height, width]) = ([3, 20], [2, 5]);
    let config = ShuntingConv2dConfig::new(channels, [height, width]);
    let dense = ShuntingLinearConfig::new(3 * height * width, 20);
    let one = Inhibitory::Count(1);
    for (config, dense) in [
        (config.clone(), dense.clone()),
        (
            config.clone().with_first_layer(true).with_bias(false),
            dense.clone().with_first_layer(true).with_bias(false),
        ),
        (
            config.clone().with_iid_inhibition(true),
            dense.clone().with_iid_inhibition(true),
        ),
        (config.with_inhibitory(one), dense.with_inhibitory(one)),
    ] {
        let layer: ShuntingConv2d = config.try_init_with(&device, &mut rng(1)).unwrap();
        let dense: ShuntingLinear = dense.try_init_with(&device, &mut rng(1)).unwrap();
        let n_i = dense.inhibitory_units();
        assert_eq!(layer.inhibitory_maps(), n_i);
        for (found, expected) in [(&layer.w_ex, &dense.w_ex), (&layer.w_ix, &dense.w_ix)] {
            let [outputs, ..] = found.dims();
            assert_eq!(found.dims(), [outputs, 3, height, width]);
            let mut found = values(&found.val());
            let mut expected = turned(&values(&expected.val()), [30, outputs]);
            // The same draw for each map; which feature gets which number does not matter.
            for (found, expected) in found.chunks_mut(30).zip(expected.chunks_mut(30)) {
                found.sort_by(f64::total_cmp);
                expected.sort_by(f64::total_cmp);
                assert_eq!(found, expected);
            }
        }
        assert_eq!(values(&layer.w_ei.val()), values(&dense.w_ei.val()));
        assert_eq!(values(&layer.gain.val()), vec![1.0; 20]);
        let alpha = ((std::f64::consts::TAU - 1.0) / 30.0).sqrt().ln();
        assert_close(&values(&layer.alpha.val()), &vec![alpha; n_i], 1e-6, "α");
        let bias = layer.bias.as_ref().map(|b| values(&b.val()));
        assert_eq!(bias, dense.bias.as_ref().map(|b| values(&b.val())));
        assert_eq!(layer.epsilon(), 1e-8);
        dale::check(&layer).unwrap();
    }
}

#[test]
fn an_image_of_zeros_gives_the_bias() {
    for setup in setups() {
        for of in cases() {
            let case = Case::random(&mut rng(4), of);
            let layer = case.layer(&setup);
            let x = leaf(&case.image(&setup).zeros_like());
            let out = layer.forward(x.clone());
            let at = setup.at(&case.of);
            let found = case.of.to_rows(&values(&out));
            let rows = found.len() / case.patches.d_output;
            let expected = case.patches.bias.repeat(rows);
            assert_close(&found, &expected, setup.tolerance, &at);
            // Nothing is active, so nothing but the bias learns; the error at x is large but finite.
            let grads = (out * case.upstream(&setup)).sum().backward();
            for kernels in [&layer.w_ex, &layer.w_ix] {
                let grad = values(&kernels.val().grad(&grads).unwrap());
                assert!(grad.iter().all(|g| *g == 0.0), "{at}");
            }
            let to_x = values(&x.grad(&grads).unwrap());
            assert!(to_x.iter().all(|g| g.is_finite()), "{at}");
        }
    }
}

#[test]
fn a_batch_of_nothing_has_the_shape_of_an_output_and_teaches_nothing() {
    for setup in setups() {
        for mut of in cases() {
            let case = Case::random(&mut rng(5), of.clone());
            let layer = case.layer(&setup);
            of.batch = 0;
            let x = leaf(&setup.tensor(vec![], of.input()));
            let out = layer.forward(x.clone());
            assert_eq!((out.dims(), out.dtype()), (of.output(), setup.dtype));
            let grads = out.sum().backward();
            assert_eq!(x.grad(&grads).unwrap().dims(), of.input());
            let grad = values(&layer.w_ex.val().grad(&grads).unwrap());
            assert!(grad.iter().all(|g| *g == 0.0), "{}", setup.at(&of));
        }
    }
}

#[test]
fn training_keeps_dales_law_and_everything_learns() {
    let of = case(
        (6, [2, 5], [5, 4], [3, 2]),
        ([1, 2], [1, 1], PaddingConfig2d::Explicit(1, 0, 1, 0)),
        [[1, 1], [0, 0]],
        [2, 1],
    );
    for setup in setups() {
        let case = Case::random(&mut rng(6), of.clone());
        let (x, target) = (case.image(&setup), case.upstream(&setup));
        for way in Way::ALL {
            let before = case.layer(&setup);
            let lr = match way {
                Way::ProjectedSgd => 1.0,
                _ => 0.03,
            };
            let at = setup.at(way);
            let loss = |layer: &ShuntingConv2d| {
                let z = layer.forward(x.clone().autodiff());
                (z - target.clone().autodiff()).square().mean()
            };
            let (after, left) = keeps_dales_law(before.clone(), way, lr, loss, &at);
            assert!(left < 0.8, "{at}: {left}");
            assert_unchanged(&before, &after, &[], &at);
        }
    }
}

#[test]
fn roles_are_those_of_the_circuit_and_corrected_descent_scales_by_them() {
    for setup in setups() {
        // d = 3 · 2 · 3 = 18, n_e = 4.
        let case = Case::random(&mut rng(7), cases().swap_remove(0));
        let layer = case.layer(&setup);
        let roles = Roles::of(&layer);
        let bias = layer.bias.as_ref().unwrap();
        for (role, id) in [
            (Role::Excitatory, layer.w_ex.id),
            (Role::InhibitoryIn, layer.w_ix.id),
            (Role::InhibitoryOut, layer.w_ei.id),
            (Role::Shunting, layer.alpha.id),
            (Role::Gain, layer.gain.id),
            (Role::Bias, bias.id),
        ] {
            assert_eq!(roles.ids(&[role]), [id], "{role:?}");
        }

        const LR: f64 = 0.1;
        let z = layer.forward(case.image(&setup).autodiff());
        let grads = (z * case.upstream(&setup)).sum().backward();
        let before = parameters(&layer);
        let gradients: Vec<_> = {
            let of = |w: &Param<Tensor<4>>| values(&w.val().grad(&grads).unwrap());
            let vector = |w: &Param<Tensor<1>>| values(&w.val().grad(&grads).unwrap());
            let w_ei = values(&layer.w_ei.val().grad(&grads).unwrap());
            vec![
                of(&layer.w_ex),
                of(&layer.w_ix),
                w_ei,
                vector(&layer.alpha),
                vector(&layer.gain),
                vector(bias),
            ]
        };
        let mut optimizer = CorrectedSgdConfig::new().init(&layer).unwrap();
        let grads = GradientsParams::from_grads(grads, &layer);
        let after = parameters(&optimizer.step(LR, layer, grads));
        let factors = [1.0, 0.5, 1.0 / 18.0, 1.0 / 36.0, 1.0, 1.0];
        for (index, factor) in factors.into_iter().enumerate() {
            let (name, before) = &before[index];
            let free = matches!(name.as_str(), "alpha" | "bias");
            let stepped = before.iter().zip(&gradients[index]).map(|(w, g)| {
                let w = w - LR * factor * g;
                if free { w } else { w.max(0.0) }
            });
            let (expected, found) = (stepped.collect::<Vec<_>>(), &after[index].1);
            let at = setup.at(name);
            assert_close(found, &expected, setup.tolerance, &at);
            assert_ne!(found, before, "{at}");
        }
    }
}

#[test]
fn a_record_carries_all_of_it() {
    for setup in setups() {
        for of in cases() {
            let case = Case::random(&mut rng(8), of.clone());
            let saved = case.layer(&setup);
            let other = Case::random(&mut rng(9), of).layer(&setup);
            let x = case.image(&setup).autodiff();
            let expected = saved.forward(x.clone()).inner();
            let at = setup.at(&case.of);
            for ((name, saved), (_, other)) in parameters(&saved).iter().zip(parameters(&other)) {
                assert_ne!(*saved, other, "{at} {name}");
            }
            let loaded = other.load_record(saved.clone().into_record());
            assert_same(&loaded.forward(x).inner(), &expected, &at);
            assert_eq!(parameters(&loaded), parameters(&saved), "{at}");
            assert_eq!(Roles::of(&loaded), Roles::of(&saved), "{at}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    let config = || ShuntingConv2dConfig::new([2, 4], [3, 3]);
    for (config, expected) in [
        (ShuntingConv2dConfig::new([0, 4], [3, 3]), "channels"),
        (ShuntingConv2dConfig::new([2, 0], [3, 3]), "channels"),
        (ShuntingConv2dConfig::new([2, 4], [0, 3]), "kernel_size"),
        (config().with_stride([1, 0]), "stride"),
        (config().with_dilation([0, 1]), "dilation"),
        (config().with_inhibitory(Inhibitory::Count(0)), "inhibitory"),
        (
            config().with_inhibitory(Inhibitory::Fraction(1.5)),
            "the fraction of inhibitory units",
        ),
        (config().with_epsilon(-1.0), "epsilon"),
        (config().with_epsilon(f64::NAN), "epsilon"),
    ] {
        match config.try_init(&device).unwrap_err() {
            Error::Config { name, .. } => assert_eq!(name, expected),
            other => panic!("{other}, not about {expected}"),
        }
    }

    let setup = &setups()[0];
    let case = Case::random(&mut rng(1), cases().swap_remove(0));
    let refused = |change: fn(&mut ShuntingConv2dWeights)| {
        let mut weights = case.weights(setup);
        change(&mut weights);
        let geometry = ConvGeometry::default();
        match ShuntingConv2d::from_weights(weights, geometry, EPSILON).unwrap_err() {
            Error::Shape { parameter, .. } => parameter,
            other => panic!("{other}"),
        }
    };
    assert_eq!(
        refused(|w| w.w_ix = w.w_ix.clone().repeat_dim(1, 2)),
        "w_ix"
    );
    assert_eq!(
        refused(|w| w.w_ix = w.w_ix.clone().repeat_dim(3, 2)),
        "w_ix"
    );
    assert_eq!(refused(|w| w.w_ei = w.w_ei.clone().transpose()), "w_ei");
    assert_eq!(refused(|w| w.alpha = w.gain.clone()), "alpha");
    assert_eq!(refused(|w| w.gain = w.alpha.clone()), "gain");
    assert_eq!(refused(|w| w.bias = Some(w.alpha.clone())), "bias");
    let geometry = ConvGeometry {
        stride: [0, 1],
        ..ConvGeometry::default()
    };
    let error = ShuntingConv2d::from_weights(case.weights(setup), geometry, EPSILON).unwrap_err();
    assert!(error.to_string().contains("stride"), "{error}");

    let layer = case.layer(setup);
    let ones = |shape: [usize; 4]| Tensor::<4>::ones(shape, &setup.device).autodiff();
    let message = panic_of(|| drop(layer.forward(ones([1, 2, 5, 5]))));
    assert!(
        message.contains("[1, 2, 5, 5]") && message.contains("[batch, 3"),
        "{message}"
    );
    let message = panic_of(|| drop(layer.forward(ones([1, 3, 1, 5]))));
    assert!(
        message.contains("does not fit") && message.contains("[1, 5]"),
        "{message}"
    );
    let checked = layer.with_input_check("conv0");
    let message = panic_of(|| drop(checked.forward(-ones([1, 3, 5, 5]))));
    assert!(message.contains("`conv0`"), "{message}");
}
