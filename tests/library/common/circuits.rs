//! Every circuit with random weights, its output in plain autodiff, and its equations in plain f64
//! arithmetic.

use burn::module::Module;
use burn::tensor::Tensor;
use ei_norm::circuit::{Circuit, ColumnEi, Ei, INorm, LearnsLocally, Shunting};
use ei_norm::dale::mask;
use ei_norm::layer::{Conv2d, Dense, Layer, Recurrent};
use ei_norm::{
    ColumnEiWeights, Currents, EiWeights, GradNormConfig, GradNormMode, INormWeights,
    InhibitoryPlasticity, RnnState, ShuntingWeights,
};

use super::parameters::{Pass, assert_same_pass, assert_teaches_nothing, gradients, weights};
use super::recurrent::{LAMBDA, derivatives, dot, times};
use super::{ChaCha8Rng, Setup, leaf, uniform, values};

/// ε of the I-Norm circuits; it is large so that its effect is visible.
pub const EPSILON: f64 = 0.03;

/// All inhibitory matrices of an I-Norm circuit learn.
pub const EVERYTHING: InhibitoryPlasticity = InhibitoryPlasticity {
    w_ix: true,
    w_ei: true,
    u_ix: true,
    u_ei: true,
};

/// The result of a layer: its output, and the local loss if there is one.
pub type Output<const D: usize> = (Tensor<D>, Option<Tensor<1>>);

/// The output, the local loss, and the gradients of x, if it learns, and of all parameters, for an error at
/// the output of this shape.
pub fn pass<const I: usize, const D: usize>(
    module: &impl Module,
    x: Tensor<I>,
    upstream: impl FnOnce([usize; D]) -> Tensor<D>,
    forward: impl FnOnce(Tensor<I>) -> Output<D>,
) -> Pass {
    let (out, local) = forward(x.clone());
    let upstream = upstream(out.dims());
    let dtype = upstream.dtype();
    assert_eq!((out.dims(), out.dtype()), (upstream.dims(), dtype));
    // A learning value, in case no parameter learns.
    let anchor = leaf(&Tensor::zeros([1], (&upstream.device(), dtype)));
    let loss = (out.clone() * upstream).sum() + anchor;
    let loss = local.iter().fold(loss, |sum, local| {
        assert_eq!((local.dims(), local.dtype()), ([1], dtype));
        sum + local.clone() * LAMBDA
    });
    let grads = loss.backward();
    let mut pass: Pass = vec![
        ("out".into(), Some(values(&out))),
        ("local".into(), local.as_ref().map(values)),
        ("x".into(), x.grad(&grads).map(|grad| values(&grad))),
    ];
    pass.extend(gradients(module, &grads));
    pass
}

/// Fails unless the currents are the same up to rounding, once `arrange` has changed the layout of those that
/// were found.
#[track_caller]
pub fn assert_same_currents<const I: usize, const D: usize>(
    found: &Currents<I>,
    expected: &Currents<D>,
    arrange: impl Fn(&Tensor<I>) -> Vec<f64>,
    tolerance: f64,
    at: &str,
) {
    fn pass<const D: usize>(of: &Currents<D>, values: impl Fn(&Tensor<D>) -> Vec<f64>) -> Pass {
        vec![
            ("excitatory".into(), Some(values(&of.excitatory))),
            ("subtractive".into(), Some(values(&of.subtractive))),
            ("divisive".into(), of.divisive.as_ref().map(values)),
        ]
    }
    let (found, expected) = (pass(found, arrange), pass(expected, values));
    assert_same_pass(&found, &expected, tolerance, at);
}

/// Fails unless the output for an empty x has this shape, the losses are 0, and their errors teach nothing.
#[track_caller]
pub fn assert_empty<const I: usize, const D: usize>(
    module: &impl Module,
    x: &Tensor<I>,
    (out, local): Output<D>,
    shape: [usize; D],
    at: &str,
) {
    let dtype = x.dtype();
    assert_eq!((out.dims(), out.dtype()), (shape, dtype), "{at}");
    if let Some(local) = &local {
        let found = (values(local), local.dtype());
        assert_eq!(found, (vec![0.0], dtype), "{at}: local loss");
    }
    // The local loss can be part of the loss of a training loop.
    let loss = local.into_iter().fold(out.sum(), |sum, local| sum + local);
    assert_eq!(values(&loss), [0.0], "{at}");
    let grads = loss.backward();
    assert_eq!(x.grad(&grads).unwrap().dims(), x.dims(), "{at}");
    assert_teaches_nothing(module, &grads, at);
}

/// A circuit with random weights.
pub struct Trial<C> {
    /// The name for messages.
    pub name: String,
    pub circuit: C,
    /// Whether the scalar equations describe its gradients: no mask, and errors are not changed.
    pub in_scalars: bool,
}

/// A circuit that is tested in every geometry.
pub trait Tried: Circuit {
    /// The tolerance of a pass over rows, in units of the setup's tolerance: a pass has sums of products of a
    /// few factors, and two circuits divide.
    const ROUNDING: f64;

    /// Every variant of the circuit, with random tracked weights.
    fn all(setup: &Setup, rng: &mut ChaCha8Rng, sizes: [usize; 2]) -> Vec<Trial<Self>>;

    /// The variant with all parts: inhibition, a bias, and normalized errors if possible.
    fn one(setup: &Setup, rng: &mut ChaCha8Rng, sizes: [usize; 2]) -> Self {
        Self::all(setup, rng, sizes).swap_remove(0).circuit
    }

    /// A random input, non-negative if necessary.
    fn input<const D: usize>(setup: &Setup, rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
        setup.random(rng, shape)
    }

    /// The output of rows in plain autodiff.
    fn plain(&self, rows: Tensor<2>) -> Output<2> {
        (self.output(&self.currents(rows)), None)
    }

    /// A dense layer.
    fn apply<const D: usize>(layer: &Layer<Self, Dense>, x: Tensor<D>) -> Output<D> {
        (layer.forward(x), None)
    }

    /// A convolution.
    fn convolve(layer: &Layer<Self, Conv2d>, x: Tensor<4>) -> Output<4> {
        (layer.forward(x), None)
    }

    /// A recurrent layer, with the local loss if there is one; padded if there are lengths.
    fn run(
        layer: &Layer<Self, Recurrent>,
        x: Tensor<3>,
        state: Option<RnnState>,
        lengths: Option<&[usize]>,
    ) -> (Tensor<3>, RnnState, Option<Tensor<1>>) {
        let (states, last) = match lengths {
            Some(lengths) => layer.padded(lengths).forward(x, state),
            None => layer.forward(x, state),
        };
        (states, last, None)
    }

    /// One step of a recurrent layer.
    fn step(
        layer: &Layer<Self, Recurrent>,
        x: Tensor<2>,
        state: Option<RnnState>,
    ) -> (RnnState, Option<Tensor<1>>) {
        (layer.step(x, state), None)
    }
}

/// Draws random weights: positive ones, or of any sign.
struct Draw<'a>(&'a Setup, &'a mut ChaCha8Rng);

impl Draw<'_> {
    fn positive<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.between(shape, 0.0, 1.0)
    }

    fn free<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.between(shape, -2.0, 2.0)
    }

    fn between<const D: usize>(&mut self, shape: [usize; D], low: f64, high: f64) -> Tensor<D> {
        let values = uniform(self.1, shape, low, high);
        self.0.tensor(values, shape).autodiff()
    }

    fn mask(&mut self, shape: [usize; 2]) -> Tensor<2, burn::tensor::Bool> {
        mask::random(shape, 0.6, &self.0.device, self.1).unwrap()
    }
}

/// Random weights of an EI layer with `[d_input, n_i, d_output]` units.
pub fn ei(setup: &Setup, rng: &mut ChaCha8Rng, [d, n_i, n]: [usize; 3]) -> EiWeights {
    let draw = &mut Draw(setup, rng);
    EiWeights {
        w_ex: draw.positive([d, n]),
        inhibition: Some((draw.positive([d, n_i]), draw.positive([n_i, n]))),
        bias: Some(draw.free([n])),
    }
}

/// A small number of units, 1 to 4.
fn units(size: usize) -> usize {
    1 + (size + 1) % 4
}

fn trial<C: Tried>(name: impl Into<String>, weights: C::Weights, in_scalars: bool) -> Trial<C> {
    Trial {
        name: format!("{} {}", C::NAME, name.into()),
        circuit: C::from_weights(weights).unwrap(),
        in_scalars,
    }
}

impl Tried for Ei {
    const ROUNDING: f64 = 4.0;

    fn all(setup: &Setup, rng: &mut ChaCha8Rng, [d, n]: [usize; 2]) -> Vec<Trial<Self>> {
        let (n_i, draw) = (units(n), &mut Draw(setup, rng));
        let mut of = |inhibition: bool, bias: bool| EiWeights {
            w_ex: draw.positive([d, n]),
            inhibition: inhibition.then(|| {
                let w_ei = draw.positive([n_i, n]) * (1.0 / n_i as f64);
                (draw.positive([d, n_i]), w_ei)
            }),
            bias: bias.then(|| draw.free([n])),
        };
        let mut all = vec![
            trial("inhibition and bias", of(true, true), true),
            trial("inhibition", of(true, false), true),
            trial("bias", of(false, true), true),
            trial("neither", of(false, false), true),
            trial("masked", of(true, true), false),
        ];
        let masked: &mut Ei = &mut all[4].circuit;
        masked.w_ex.set_mask(draw.mask([d, n])).unwrap();
        let w_ix = masked.w_ix.as_mut().unwrap();
        w_ix.set_mask(draw.mask([d, n_i])).unwrap();
        all
    }
}

/// The divisive inhibition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divisive {
    None,
    /// A single value in U_ei: if U_ei does not learn, q is one number for each row.
    Uniform,
    Mixed,
}

impl Divisive {
    pub const ALL: [Self; 3] = [Self::Mixed, Self::Uniform, Self::None];
}

/// Random weights of an I-Norm circuit.
pub fn i_norm(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d, n]: [usize; 2],
    divisive: Divisive,
    plasticity: InhibitoryPlasticity,
    mode: GradNormMode,
) -> INormWeights {
    let (n_i, n_d) = (units(n), units(d));
    let draw = &mut Draw(setup, rng);
    let w_ex = draw.positive([d, n]);
    let u_ei = match divisive {
        Divisive::Uniform => setup.tensor(vec![0.4; n_d * n], [n_d, n]).autodiff(),
        _ => draw.positive([n_d, n]),
    };
    INormWeights {
        w_ix: draw.positive([d, n_i]),
        w_ei: draw.positive([n_i, n]) * (1.0 / n_i as f64),
        divisive: (divisive != Divisive::None).then(|| (draw.free([d, n_d]), u_ei)),
        bias: Some(draw.free([n])),
        grad_norm: GradNormConfig::new(n)
            .with_mode(mode)
            .with_epsilon(EPSILON)
            .try_init_with(&w_ex.device(), draw.1)
            .unwrap(),
        w_ex,
        plasticity,
        epsilon: EPSILON,
        over: Default::default(),
    }
}

impl Tried for INorm {
    const ROUNDING: f64 = 20.0;

    fn all(setup: &Setup, rng: &mut ChaCha8Rng, sizes: [usize; 2]) -> Vec<Trial<Self>> {
        let mut all = Vec::new();
        let mut modes = GradNormMode::ALL;
        modes.sort_by_key(|mode| *mode != GradNormMode::Full);
        for mode in modes {
            for divisive in Divisive::ALL {
                let of_paper = InhibitoryPlasticity::of_paper(divisive != Divisive::None);
                for plasticity in [EVERYTHING, of_paper] {
                    let name = format!("{divisive:?} {mode:?} {plasticity:?}");
                    let weights = i_norm(setup, rng, sizes, divisive, plasticity, mode);
                    let is_plain = mode == GradNormMode::Identity;
                    all.push(trial(name, weights, is_plain));
                }
            }
        }
        let mode = GradNormMode::Full;
        let weights = i_norm(setup, rng, sizes, Divisive::Mixed, EVERYTHING, mode);
        let mut masked: Trial<Self> = trial("masked", weights, false);
        let draw = &mut Draw(setup, rng);
        let circuit = &mut masked.circuit;
        let u_ix = circuit.u_ix.as_mut().unwrap();
        for weight in [&mut circuit.w_ex, &mut circuit.w_ix, u_ix] {
            weight.set_mask(draw.mask(weight.dims())).unwrap();
        }
        all.push(masked);
        all
    }

    fn plain(&self, rows: Tensor<2>) -> Output<2> {
        let currents = self.currents(rows);
        let z = self.grad_norm.forward(self.output(&currents));
        (z, Some(self.local_loss(&currents)))
    }

    fn apply<const D: usize>(layer: &Layer<Self, Dense>, x: Tensor<D>) -> Output<D> {
        let (z, local) = layer.forward_with_local_loss(x);
        (z, Some(local))
    }

    fn convolve(layer: &Layer<Self, Conv2d>, x: Tensor<4>) -> Output<4> {
        let (z, local) = layer.forward_with_local_loss(x);
        (z, Some(local))
    }

    fn run(
        layer: &Layer<Self, Recurrent>,
        x: Tensor<3>,
        state: Option<RnnState>,
        lengths: Option<&[usize]>,
    ) -> (Tensor<3>, RnnState, Option<Tensor<1>>) {
        let (states, last, local) = match lengths {
            Some(lengths) => layer.padded(lengths).forward_with_local_loss(x, state),
            None => layer.forward_with_local_loss(x, state),
        };
        (states, last, Some(local))
    }

    fn step(
        layer: &Layer<Self, Recurrent>,
        x: Tensor<2>,
        state: Option<RnnState>,
    ) -> (RnnState, Option<Tensor<1>>) {
        let (state, local) = layer.step_with_local_loss(x, state);
        (state, Some(local))
    }
}

impl Tried for Shunting {
    const ROUNDING: f64 = 10.0;

    fn all(setup: &Setup, rng: &mut ChaCha8Rng, [d, n]: [usize; 2]) -> Vec<Trial<Self>> {
        let (n_i, draw) = (units(n), &mut Draw(setup, rng));
        let mut of = |bias: bool, epsilon| ShuntingWeights {
            w_ex: draw.positive([d, n]),
            w_ix: draw.between([d, n_i], 0.1, 1.0),
            w_ei: draw.between([n_i, n], 0.1, 1.0),
            alpha: draw.between([n_i], -1.0, 1.0),
            gain: draw.between([n], 0.5, 2.0),
            bias: bias.then(|| draw.between([n], -1.0, 1.0)),
            epsilon,
        };
        let mut all = vec![
            trial("bias", of(true, 1e-8), true),
            trial("no bias", of(false, 0.1), false),
            trial("masked", of(true, 0.1), false),
        ];
        let masked: &mut Shunting = &mut all[2].circuit;
        masked.w_ex.set_mask(draw.mask([d, n])).unwrap();
        masked.w_ix.set_mask(draw.mask([d, n_i])).unwrap();
        all
    }

    fn input<const D: usize>(setup: &Setup, rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
        setup.tensor(uniform(rng, shape, 0.05, 1.0), shape)
    }
}

impl Tried for ColumnEi {
    const ROUNDING: f64 = 4.0;

    fn all(setup: &Setup, rng: &mut ChaCha8Rng, [d, n]: [usize; 2]) -> Vec<Trial<Self>> {
        let draw = &mut Draw(setup, rng);
        let mut of = |bias: bool| ColumnEiWeights {
            w_ex: draw.positive([d, n]),
            signs: draw.free([d]).sign(),
            bias: bias.then(|| draw.free([n])),
        };
        let mut all = vec![
            trial("bias", of(true), true),
            trial("no bias", of(false), true),
            trial("masked", of(true), false),
        ];
        let masked: &mut ColumnEi = &mut all[2].circuit;
        masked.w_ex.set_mask(draw.mask([d, n])).unwrap();
        all
    }
}

/// The values of a layer for one row, in plain f64 arithmetic.
pub struct Row {
    /// The input of the circuit.
    pub v: Vec<f64>,
    /// The excitatory current with the bias, the subtractive inhibition, and the divisive inhibition.
    pub a: Vec<f64>,
    pub s: Vec<f64>,
    pub q: Vec<f64>,
    pub z: Vec<f64>,
}

/// Parameters in plain f64 arithmetic, by name.
pub struct Scalars<'a> {
    pub names: &'a [String],
    pub all: &'a [Vec<f64>],
}

impl<'a> Scalars<'a> {
    /// The parameter with this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&'a [f64]> {
        let index = self.names.iter().position(|n| n == name)?;
        Some(&self.all[index])
    }

    fn weight(&self, name: &str) -> &'a [f64] {
        self.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// s and q, or γ of a shunting circuit.
    fn inhibition(&self, v: &[f64], d_output: usize) -> [Vec<f64>; 2] {
        let Some(w_ix) = self.get("w_ix") else {
            return [vec![0.0; d_output], vec![1.0; d_output]];
        };
        let (h, w_ei) = (times(v, w_ix), self.weight("w_ei"));
        let q = match (self.get("alpha"), self.get("u_ix")) {
            (Some(alpha), _) => {
                let h: Vec<f64> = h.iter().zip(alpha).map(|(h, a)| h * a.exp()).collect();
                times(&h, w_ei).iter().map(|p| p + 1e-8).collect()
            }
            (None, Some(u_ix)) => {
                let squares: Vec<f64> = times(v, u_ix).iter().map(|d| d * d).collect();
                let power = times(&squares, self.weight("u_ei"));
                power.iter().map(|p| (p + EPSILON).sqrt()).collect()
            }
            (None, None) => vec![1.0; d_output],
        };
        [times(&h, w_ei), q]
    }

    /// Computes a row; if `constant` is given, s and q are taken from it.
    pub fn row(&self, v: Vec<f64>, constant: Option<&Row>) -> Row {
        let signed: Vec<f64> = match self.get("signs") {
            Some(signs) => v.iter().zip(signs).map(|(v, sign)| v * sign).collect(),
            None => v.clone(),
        };
        let a = times(&signed, self.weight("w_ex"));
        let n = a.len();
        let [s, q] = match constant {
            Some(row) => [row.s.clone(), row.q.clone()],
            None => self.inhibition(&v, n),
        };
        let bias = self.get("bias").map_or(vec![0.0; n], <[f64]>::to_vec);
        let gain = self.get("gain");
        let z = |i: usize| match gain {
            Some(gain) => gain[i] * (a[i] - s[i]) / q[i] + bias[i],
            None => (a[i] + bias[i] - s[i]) / q[i],
        };
        let z = (0..n).map(z).collect();
        let a = match gain {
            Some(_) => a,
            None => a.iter().zip(&bias).map(|(a, b)| a + b).collect(),
        };
        Row { v, a, s, q, z }
    }

    /// The local loss of an I-Norm circuit; the inputs and the excitatory currents are constants.
    pub fn local_loss(&self, rows: &[Row]) -> f64 {
        let of_row = |row: &Row| {
            let [s, q] = self.inhibition(&row.v, row.a.len());
            let n = s.len() as f64;
            let z: Vec<f64> = (0..s.len()).map(|i| (row.a[i] - s[i]) / q[i]).collect();
            let mean = z.iter().sum::<f64>() / n;
            let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n;
            match self.get("u_ix") {
                Some(_) => mean.powi(2) + (variance - 1.0).powi(2),
                None => mean.powi(2),
            }
        };
        rows.iter().map(of_row).sum::<f64>() / rows.len() as f64
    }
}

/// The same as [`pass`] in scalar arithmetic; `rows_of` makes the rows of the circuit from x.
pub fn pass_in_scalars<C: Tried>(
    circuit: &C,
    x: &[f64],
    upstream: &[f64],
    rows_of: impl Fn(&[f64]) -> Vec<f64>,
) -> Pass {
    let is_local = C::NAME == INorm::NAME;
    let [d_input, _] = circuit.sizes();
    let of_circuit = weights(circuit).into_iter();
    let named = [("x".to_owned(), x.to_vec())].into_iter().chain(of_circuit);
    let (names, all): (Vec<_>, Vec<_>) = named.unzip();
    let names = &names[..];
    let run = |all: &[Vec<f64>], constants: Option<&[Row]>| -> Vec<Row> {
        let (scalars, rows) = (Scalars { names, all }, rows_of(&all[0]));
        let rows = rows.chunks_exact(d_input).enumerate();
        let row = |(index, v): (usize, &[f64])| {
            scalars.row(v.to_vec(), constants.map(|rows| &rows[index]))
        };
        rows.map(row).collect()
    };
    let known = run(&all, None);
    let out = |rows: &[Row]| rows.iter().map(|row| row.z.clone()).collect::<Vec<_>>();
    let local = |all: &[Vec<f64>]| {
        let scalars = Scalars { names, all };
        is_local.then(|| scalars.local_loss(&known))
    };
    let gradients = derivatives(&all, |all| {
        let rows = run(all, is_local.then_some(&known[..]));
        dot(&out(&rows).concat(), upstream) + LAMBDA * local(all).unwrap_or(0.0)
    });
    let mut pass: Pass = vec![
        ("out".into(), Some(out(&known).concat())),
        ("local".into(), local(&all).map(|local| vec![local])),
    ];
    pass.extend(names.iter().cloned().zip(gradients.into_iter().map(Some)));
    pass
}

/// Fails unless a pass has the values of a pass in scalar arithmetic, its output up to `tolerance`.
#[track_caller]
pub fn assert_same_as_scalars(mut found: Pass, mut expected: Pass, tolerance: f64, at: &str) {
    let output = |pass: &Pass| pass[..1].to_vec();
    assert_same_pass(&output(&found), &output(&expected), tolerance, at);
    // Parameters that do not learn have derivatives too, but no gradient.
    let mut has_gradient = found.iter().map(|(_, grad)| grad.is_some());
    expected.retain(|_| has_gradient.next().unwrap());
    found.retain(|(_, grad)| grad.is_some());
    // Finite differences round more than f64.
    assert_same_pass(&found, &expected, tolerance.max(1e-8), at);
}
