//! Invalid shapes and sizes too large for any machine: refused at the public interface, with the wrong
//! number.

use burn::tensor::Device;
use ei_norm::circuit::{
    Circuit, ColumnEiOptions, EiOptions, INorm, INormOptions, INormWeights, Options, Population,
    ShuntingOptions,
};
use ei_norm::functional::{BackwardRule, Normalization, normalize_backward};
use ei_norm::init::SignedLognormal;
use ei_norm::layer::{Conv2d, Dense, Geometry, LayerConfig, Recurrent};
use ei_norm::{
    ColumnEiLinearConfig, Error, GradNormConfig, INormLinearConfig, INormRnnConfig, Inhibitory,
    LearnedLateralConfig, metric,
};

use crate::common::{panic_of, rng, setups};

#[test]
fn tensors_that_would_broadcast_are_refused_with_both_shapes() {
    let setup = &setups()[0];
    let device = &setup.device;
    let of = |shape: [usize; 2]| setup.positive(&mut rng(1), shape);
    let norm = GradNormConfig::new(4).init(device);
    let column = ColumnEiLinearConfig::new(5, 4).init(device);
    let i_norm = INormLinearConfig::new(5, 4).init(device);
    let population = Population::<INorm>::stack(vec![i_norm.circuit.clone(); 2]).unwrap();
    let of_networks = |networks, features| setup.positive(&mut rng(1), [networks, 3, features]);
    let (layer, exact) = (Normalization::Layer, BackwardRule::Exact);
    let rnn = INormRnnConfig::new(5, 4).init(device);
    let refused: [(&str, &dyn Fn()); 11] = [
        ("`b` has shape [1, 4], expected [3, 4]", &|| {
            metric::cosine(of([3, 4]), of([1, 4]));
        }),
        ("`delta` has shape [1, 4], expected [3, 4]", &|| {
            drop(normalize_backward(
                of([3, 4]),
                of([1, 4]),
                layer,
                exact,
                0.0,
            ));
        }),
        ("axis 1 expected 4, got 1", &|| {
            drop(norm.apply(of([3, 1]), of([3, 1])));
        }),
        ("`delta` has shape [3, 1], expected [3, 4]", &|| {
            drop(norm.apply(of([3, 4]), of([3, 1])));
        }),
        ("`x` has shape [3, 1], expected [3, 5]", &|| {
            drop(column.circuit.currents(of([3, 1])));
        }),
        ("`w_ei` has shape [2, 1], expected [2, 4]", &|| {
            drop(INormWeights::balanced(
                of([5, 4]),
                of([5, 2]),
                of([2, 1]),
                None,
            ));
        }),
        ("`w_ix` has shape [1, 2], expected [5, 2]", &|| {
            drop(INormWeights::balanced(
                of([5, 4]),
                of([1, 2]),
                of([2, 4]),
                None,
            ));
        }),
        (
            "`the normalized error` has shape [3, 1], expected [3, 4]",
            &|| {
                let errors = |error, _| burn::tensor::Tensor::mean_dim(error, 1);
                metric::i_norm_alignment_with(&i_norm, of([3, 5]), errors);
            },
        ),
        ("`x` has shape [1, 3, 5], expected [2, 3, 5]", &|| {
            drop(population.forward(of_networks(1, 5)));
        }),
        ("`z` has shape [2, 3, 1], expected [2, 3, 4]", &|| {
            drop(population.normalize(of_networks(2, 1), layer, exact, 0.0));
        }),
        // In the caller's layout, a batch of 3 sequences of 2 steps.
        ("axis 2 expected 5, got 1", &|| {
            drop(rnn.forward(setup.positive(&mut rng(1), [3, 2, 1]), None));
        }),
    ];
    for (expected, refuse) in refused {
        let message = panic_of(refuse);
        assert!(message.contains(expected), "{message}");
    }
}

fn refused<O: Options, G: Geometry>(circuit: O, geometry: G) {
    let config = LayerConfig { geometry, circuit };
    let error = config
        .try_init_with(&Device::flex(), &mut rng(1))
        .unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Config { .. }), "{message}");
    assert!(message.contains("4294967295"), "{message}");
}

#[test]
fn sizes_that_no_machine_holds_are_errors() {
    const MOST: usize = usize::MAX;
    let dense = |[d_input, d_output]: [usize; 2]| Dense { d_input, d_output };
    for sizes in [[MOST, 4], [4, MOST], [MOST, MOST], [1 << 20, 1 << 20]] {
        refused(EiOptions::default(), dense(sizes));
        refused(INormOptions::default(), dense(sizes));
        refused(ShuntingOptions::default(), dense(sizes));
        refused(ColumnEiOptions::default(), dense(sizes));
        let [d_input, d_hidden] = sizes;
        refused(EiOptions::default(), Recurrent::new(d_input, d_hidden));
        refused(INormOptions::default(), Recurrent::new(d_input, d_hidden));
    }
    for kernel_size in [[1 << 31, 1 << 31], [1 << 20, 1 << 20], [MOST, 2]] {
        refused(EiOptions::default(), Conv2d::new([3, 4], kernel_size));
        refused(INormOptions::default(), Conv2d::new([3, 4], kernel_size));
        refused(ColumnEiOptions::default(), Conv2d::new([3, 4], kernel_size));
    }
    for count in [MOST, 1 << 32] {
        let inhibitory = Inhibitory::Count(count);
        let ei = EiOptions {
            inhibitory,
            ..EiOptions::default()
        };
        refused(ei, dense([5, 4]));
        let shunting = ShuntingOptions {
            inhibitory,
            ..ShuntingOptions::default()
        };
        refused(shunting, dense([5, 4]));
    }
    let device = Device::flex();
    let message = |error: Error| error.to_string();
    for (name, found) in [
        (
            "features",
            GradNormConfig::new(MOST)
                .try_init(&device)
                .err()
                .map(message),
        ),
        (
            "features",
            LearnedLateralConfig::new(MOST)
                .try_init(&device)
                .err()
                .map(message),
        ),
        (
            "the shape of a parameter",
            SignedLognormal::default()
                .draw([MOST, 2], 2, &device, &mut rng(1))
                .err()
                .map(message),
        ),
    ] {
        let found = found.unwrap();
        assert!(
            found.starts_with(name) && found.contains("4294967295"),
            "{found}"
        );
    }
}
