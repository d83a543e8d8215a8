//! Configurations and weights that make no layer. The messages are checked: a message names the value and what
//! is allowed, or the parameter and both shapes.

use crate::common::circuits::{self, Divisive, EVERYTHING, Tried};
use crate::common::{panic_of, rng, setups};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};
use ei_norm::circuit::{
    Circuit, ColumnEi, ColumnEiOptions, Ei, EiOptions, INorm, INormOptions, Options, Shunting,
    ShuntingOptions,
};
use ei_norm::layer::{Conv2d, Dense, Geometry, LayerConfig, Recurrent};
use ei_norm::{
    ColumnEiLinearConfig, ColumnEiRnnConfig, ColumnEiWeights, EiConv2d, EiConv2dConfig,
    EiInitializer, EiLinearConfig, EiRnn, EiRnnConfig, EiWeights, Error, GradNorm, GradNormMode,
    INormConv2d, INormLinearConfig, INormRnn, INormRnnConfig, INormWeights, Inhibitory,
    ShuntingLinearConfig, ShuntingWeights,
};

/// The message with which a configuration is refused.
pub fn refusal<O: Options, G: Geometry>(config: LayerConfig<O, G>) -> String {
    let made = config.try_init_with(&Device::flex(), &mut rng(1));
    let error = made.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    error.to_string()
}

/// Fails unless the message begins like this.
#[track_caller]
fn assert_begins(message: &str, expected: &str) {
    assert!(message.starts_with(expected), "{message}, not {expected}");
}

/// Checks the messages for sizes of 0, in every geometry of a circuit.
fn of_sizes<O: Options>() {
    fn assert_refused<O: Options, G: Geometry>(geometry: G, expected: &str) {
        let circuit = O::default();
        assert_begins(&refusal(LayerConfig { circuit, geometry }), expected);
    }
    for (d_input, d_output, expected) in [(0, 4, "d_input is 0"), (4, 0, "d_output is 0")] {
        assert_refused::<O, _>(Dense { d_input, d_output }, expected);
    }
    for (d_input, d_hidden, expected) in [
        (0, 4, "d_input is 0; allowed: at least 1"),
        (3, 0, "d_hidden is 0; allowed: at least 1"),
    ] {
        assert_refused::<O, _>(Recurrent::new(d_input, d_hidden), expected);
    }
    let conv = |channels, kernel_size, stride, dilation| Conv2d {
        stride,
        dilation,
        ..Conv2d::new(channels, kernel_size)
    };
    for (geometry, expected) in [
        (conv([0, 4], [3, 3], [1, 1], [1, 1]), "channels is"),
        (conv([2, 0], [3, 3], [1, 1], [1, 1]), "channels is"),
        (conv([2, 4], [3, 0], [1, 1], [1, 1]), "kernel_size is"),
        (conv([2, 4], [3, 3], [1, 0], [1, 1]), "stride is"),
        (conv([2, 4], [3, 3], [1, 1], [0, 1]), "dilation is"),
    ] {
        assert_refused::<O, _>(geometry, expected);
    }
}

#[test]
fn sizes_of_zero() {
    of_sizes::<EiOptions>();
    of_sizes::<INormOptions>();
    of_sizes::<ShuntingOptions>();
    of_sizes::<ColumnEiOptions>();
    let message = panic_of(|| drop(EiLinearConfig::new(0, 4).init(&Device::flex())));
    assert_eq!(message, "d_input is 0; allowed: at least 1");
    let message = panic_of(|| drop(INormLinearConfig::new(0, 4).init(&Device::flex())));
    assert_eq!(message, "d_input is 0; allowed: at least 1");
}

/// Checks the messages for options of a circuit with impossible inhibitory units and, if it has an ε, with an
/// impossible ε.
fn options_of_inhibition<O: Options>(
    inhibitory: impl Fn(Inhibitory) -> O,
    epsilon: Option<&dyn Fn(f64) -> O>,
) {
    let assert_refused = |circuit: O, expected: &str| {
        fn message<O: Options, G: Geometry>(circuit: &O, geometry: G) -> String {
            let circuit = circuit.clone();
            refusal(LayerConfig { circuit, geometry })
        }
        let (d_input, d_output) = (4, 4);
        for message in [
            message(&circuit, Dense { d_input, d_output }),
            message(&circuit, Conv2d::new([2, 4], [3, 3])),
            message(&circuit, Recurrent::new(3, 4)),
        ] {
            assert_begins(&message, expected);
        }
    };
    for fraction in [-0.1, 1.5, f64::NAN] {
        let expected = format!("the fraction of inhibitory units is {fraction}; allowed: 0 to 1");
        assert_refused(inhibitory(Inhibitory::Fraction(fraction)), &expected);
    }
    let Some(with_epsilon) = epsilon else {
        return;
    };
    for none in [Inhibitory::Count(0), Inhibitory::Fraction(0.0)] {
        let expected = "inhibitory is 0; allowed: at least 1 inhibitory unit";
        assert_refused(inhibitory(none), expected);
    }
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("epsilon is {value}; allowed:");
        assert_refused(with_epsilon(value), &expected);
    }
}

#[test]
fn options_outside_of_their_range() {
    let ei = |units| EiLinearConfig::new(4, 4).with_inhibitory(units).circuit;
    options_of_inhibition(ei, None);
    let i_norm = || INormLinearConfig::new(4, 4);
    let inhibitory = |units| i_norm().with_inhibitory(units).circuit;
    let epsilon = |epsilon| i_norm().with_epsilon(epsilon).circuit;
    options_of_inhibition(inhibitory, Some(&epsilon));
    let shunting = || ShuntingLinearConfig::new(4, 4);
    let inhibitory = |units| shunting().with_inhibitory(units).circuit;
    let epsilon = |epsilon| shunting().with_epsilon(epsilon).circuit;
    options_of_inhibition(inhibitory, Some(&epsilon));

    let of_ratio = |ratio| refusal(ColumnEiLinearConfig::new(10, 3).with_ratio(ratio));
    assert_begins(&of_ratio(0.0), "ratio is 0");
    assert_begins(&of_ratio(f64::NAN), "ratio is NaN");
    let padding = PaddingConfig2d::Explicit(usize::MAX, 1, 1, 1);
    let padded = refusal(EiConv2dConfig::new([3, 4], [2, 2]).with_padding(padding));
    assert_begins(&padded, "padding is 18446744073709551615");
    let expected = "initializer is Iclr; allowed: Lognormal or Exponential in a recurrent layer";
    let iclr = EiInitializer::Iclr;
    let ei = refusal(EiRnnConfig::new(3, 4).with_initializer(iclr));
    let i_norm = refusal(INormRnnConfig::new(3, 4).with_initializer(iclr));
    assert_eq!([ei, i_norm], [expected; 2]);
}

#[test]
fn sizes_of_one_of_which_nothing_can_be_drawn() {
    let of_ei = |initializer| refusal(EiLinearConfig::new(4, 1).with_initializer(initializer));
    let columns = "d_hidden is 1; allowed: at least 2, one that excites and one that inhibits; more \
                   for a ratio below 1";
    let two_outputs = "d_output is 1; allowed: at least 2";
    let iclr = INormLinearConfig::new(3, 1).with_initializer(EiInitializer::Iclr);
    let iclr = refusal(iclr);
    let two_neurons = "d_hidden is 1; allowed: at least 2";
    for (message, expected) in [
        (of_ei(EiInitializer::Lognormal), two_outputs),
        (of_ei(EiInitializer::Exponential), two_outputs),
        (refusal(INormLinearConfig::new(4, 1)), "d_output is 1"),
        (refusal(EiRnnConfig::new(3, 1)), two_neurons),
        (refusal(INormRnnConfig::new(3, 1)), two_neurons),
        (iclr, two_outputs),
        (
            refusal(EiConv2dConfig::new([3, 1], [2, 2])),
            "channels is 1; allowed: at least 2",
        ),
        (
            refusal(ColumnEiLinearConfig::new(1, 3)),
            "d_input is 1; allowed: at least 2",
        ),
        (refusal(ColumnEiRnnConfig::new(3, 1)), columns),
    ] {
        assert_begins(&message, expected);
    }
    let iclr = EiLinearConfig::new(4, 1).with_initializer(EiInitializer::Iclr);
    assert!(iclr.try_init_with(&Device::flex(), &mut rng(1)).is_ok());
}

/// The message with which weights are refused.
fn misfit<T: std::fmt::Debug>(made: Result<T, Error>) -> String {
    let error = made.unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    error.to_string()
}

/// A change of weights, and the parameter and the two shapes in the message.
type Row<'a, W> = (&'a dyn Fn(&mut W), &'a str, &'a str, &'a str);

/// Fails unless weights are accepted, and refused with the message of each row after its change.
fn assert_misfits<C: Circuit<Weights: Clone>>(fitting: C::Weights, rows: &[Row<C::Weights>]) {
    for (change, parameter, found, expected) in rows {
        let mut weights = fitting.clone();
        change(&mut weights);
        let wanted = format!("`{parameter}` has shape {found}, expected {expected}");
        assert_eq!(misfit(C::from_weights(weights)), wanted);
    }
    assert!(C::from_weights(fitting).is_ok());
}

fn matrix(shape: [usize; 2]) -> Tensor<2> {
    setups()[0].positive(&mut rng(2), shape).autodiff()
}

fn vector(size: usize) -> Tensor<1> {
    setups()[0].positive(&mut rng(3), [size]).autodiff()
}

#[test]
fn ei_weights_of_other_shapes() {
    let inhibition = |w_ix, w_ei| {
        let weights = (matrix(w_ix), matrix(w_ei));
        move |w: &mut EiWeights| w.inhibition = Some(weights.clone())
    };
    assert_misfits::<Ei>(
        circuits::ei(&setups()[0], &mut rng(1), [4, 2, 3]),
        &[
            (&inhibition([5, 2], [2, 3]), "w_ix", "[5, 2]", "[4, 2]"),
            (&inhibition([4, 2], [1, 3]), "w_ei", "[1, 3]", "[2, 3]"),
            (&inhibition([4, 2], [2, 4]), "w_ei", "[2, 4]", "[2, 3]"),
            (&|w| w.bias = Some(vector(4)), "bias", "[4]", "[3]"),
        ],
    );
}

#[test]
fn i_norm_weights_of_other_shapes() {
    let (setup, mode) = (&setups()[0], GradNormMode::Full);
    let divisive = |u_ix, u_ei| {
        let weights = (matrix(u_ix), matrix(u_ei));
        move |w: &mut INormWeights| w.divisive = Some(weights.clone())
    };
    let grad_norm = |w: &mut INormWeights| w.grad_norm = GradNorm::identity(4);
    assert_misfits::<INorm>(
        circuits::i_norm(
            setup,
            &mut rng(1),
            [4, 3],
            Divisive::Mixed,
            EVERYTHING,
            mode,
        ),
        &[
            (&|w| w.w_ix = matrix([3, 1]), "w_ix", "[3, 1]", "[4, 1]"),
            (&|w| w.w_ei = matrix([1, 4]), "w_ei", "[1, 4]", "[1, 3]"),
            (&divisive([3, 5], [5, 3]), "u_ix", "[3, 5]", "[4, 5]"),
            (&divisive([4, 5], [4, 3]), "u_ei", "[4, 3]", "[5, 3]"),
            (&|w| w.bias = Some(vector(4)), "bias", "[4]", "[3]"),
            (&grad_norm, "grad_norm", "[4]", "[3]"),
        ],
    );
}

#[test]
fn shunting_weights_of_other_shapes() {
    assert_misfits::<Shunting>(
        ShuntingWeights {
            w_ex: matrix([18, 4]),
            w_ix: matrix([18, 2]),
            w_ei: matrix([2, 4]),
            alpha: vector(2),
            gain: vector(4),
            bias: None,
            epsilon: 1e-8,
        },
        &[
            (&|w| w.w_ix = matrix([2, 18]), "w_ix", "[2, 18]", "[18, 18]"),
            (&|w| w.w_ei = matrix([4, 2]), "w_ei", "[4, 2]", "[2, 4]"),
            (&|w| w.alpha = vector(4), "alpha", "[4]", "[2]"),
            (&|w| w.gain = vector(2), "gain", "[2]", "[4]"),
            (&|w| w.bias = Some(vector(2)), "bias", "[2]", "[4]"),
        ],
    );
}

#[test]
fn column_weights_of_other_shapes() {
    assert_misfits::<ColumnEi>(
        ColumnEiWeights {
            w_ex: matrix([3, 2]),
            signs: vector(3).sign(),
            bias: None,
        },
        &[
            (&|w| w.signs = vector(2), "signs", "[2]", "[3]"),
            (&|w| w.bias = Some(vector(3)), "bias", "[3]", "[2]"),
        ],
    );
}

#[test]
fn weights_that_do_not_fit_the_geometry() {
    let (conv, rnn) = (|| Conv2d::new([2, 4], [3, 3]), Recurrent::new(3, 4));
    let ei = |w_ex, w_ix| EiWeights {
        w_ex: matrix(w_ex),
        inhibition: Some((matrix(w_ix), matrix([2, 4]))),
        bias: None,
    };
    let subtractive = |rows| {
        let [w_ex, w_ix, w_ei] = [[rows, 4], [rows, 1], [1, 4]].map(matrix);
        INormWeights::subtractive(w_ex, w_ix, w_ei, None)
    };
    let divided = INormWeights {
        divisive: Some((matrix([9, 3]), matrix([3, 4]))),
        ..subtractive(18)
    };
    let ei_conv = misfit(EiConv2d::from_weights(ei([18, 4], [12, 2]), conv()));
    let i_norm_conv = misfit(INormConv2d::from_weights(divided, conv()));
    let ei_rnn = |w_ex, w_ix| EiRnn::from_weights(ei(w_ex, w_ix), rnn);
    let i_norm_rnn = |rows| misfit(INormRnn::from_weights(subtractive(rows), rnn));
    for (message, parameter, found, expected) in [
        (ei_conv, "w_ix", "[12, 2]", "[18, 2]"),
        (i_norm_conv, "u_ix", "[9, 3]", "[18, 3]"),
        (misfit(ei_rnn([4, 4], [4, 2])), "w_ex", "[4, 4]", "[7, 4]"),
        (misfit(ei_rnn([7, 4], [3, 2])), "w_ix", "[3, 2]", "[7, 2]"),
        (i_norm_rnn(3), "w_ex", "[3, 4]", "[7, 4]"),
        (i_norm_rnn(4), "w_ex", "[4, 4]", "[7, 4]"),
    ] {
        let wanted = format!("`{parameter}` has shape {found}, expected {expected}");
        assert_eq!(message, wanted);
    }
    assert!(ei_rnn([7, 4], [7, 2]).is_ok());
}

#[test]
fn numbers_beside_weights_that_fit() {
    let setup = &setups()[0];
    let name = |error: Error| match error {
        Error::Config { name, .. } => name,
        other => panic!("{other}"),
    };
    let (rng, mode) = (&mut rng(1), GradNormMode::Full);
    let weights = circuits::i_norm(setup, rng, [7, 4], Divisive::Mixed, EVERYTHING, mode);
    let error = INorm::from_weights(INormWeights {
        epsilon: -1.0,
        ..weights
    });
    assert_eq!(name(error.unwrap_err()), "epsilon");
    let circuit = INorm::one(setup, rng, [7, 4]);
    let error = INormRnn::new(circuit, Recurrent::new(0, 4)).unwrap_err();
    assert_eq!(error.to_string(), "d_input is 0; allowed: at least 1");
    let signs = ColumnEiWeights {
        w_ex: Tensor::ones([3, 2], &setup.device),
        signs: setup.tensor(vec![1.0, 0.5, -1.0], [3]),
        bias: None,
    };
    let error = ColumnEi::from_weights(signs).unwrap_err().to_string();
    assert!(error.contains("0.5"), "{error}");
}
