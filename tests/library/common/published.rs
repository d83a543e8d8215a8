//! The network of `tests/import/fixture.py`, and the files of this script.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Tensor, activation::relu};
use ei_norm::import::{KeyMap, Weights};
use ei_norm::{
    EiLinear, EiWeights, GradNormConfig, GradNormMode, INormLinear, INormWeights,
    InhibitoryPlasticity,
};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Setup;
use super::circuits::EVERYTHING;

/// A network with layers of sizes 7-6-5-3.
#[derive(Module, Debug)]
pub struct Net {
    pub hidden: Vec<INormLinear>,
    pub readout: EiLinear,
}

impl Net {
    /// A network of constants, without autodiff.
    pub fn new(setup: &Setup) -> Self {
        let of_paper = InhibitoryPlasticity::of_paper(true);
        Self::with(setup, GradNormMode::Identity, of_paper, |value| value)
    }

    /// A network in which every parameter learns.
    pub fn learning(setup: &Setup, mode: GradNormMode) -> Self {
        Self::with(setup, mode, EVERYTHING, Tensor::autodiff)
    }

    fn with(
        setup: &Setup,
        mode: GradNormMode,
        plasticity: InhibitoryPlasticity,
        place: fn(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        let full = |value: f64, [rows, columns]: [usize; 2]| {
            place(setup.tensor(vec![value; rows * columns], [rows, columns]))
        };
        let quarter = |shape| full(0.25, shape);
        let bias = |n| Some(full(0.5, [1, n]).reshape([n]));
        let device = quarter([1, 1]).device();
        let hidden = |n_in, n_e, n_i, n_d| {
            let weights = INormWeights {
                w_ex: quarter([n_in, n_e]),
                w_ix: quarter([n_in, n_i]),
                w_ei: quarter([n_i, n_e]),
                divisive: Some((quarter([n_in, n_d]), quarter([n_d, n_e]))),
                bias: bias(n_e),
                grad_norm: GradNormConfig::new(n_e).with_mode(mode).init(&device),
                plasticity,
                epsilon: 1e-5,
                over: Default::default(),
            };
            INormLinear::from_weights(weights).unwrap()
        };
        let readout = EiWeights {
            w_ex: quarter([5, 3]),
            inhibition: Some((quarter([5, 1]), quarter([1, 3]))),
            bias: bias(3),
        };
        Self {
            hidden: vec![hidden(7, 6, 2, 6), hidden(6, 5, 1, 5)],
            readout: EiLinear::from_weights(readout).unwrap(),
        }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self
            .hidden
            .iter()
            .fold(x, |x, layer| relu(layer.forward(x)));
        self.readout.forward(x)
    }

    /// Every value, as bytes.
    pub fn bits(&self) -> Vec<u8> {
        let map = KeyMap::of(self);
        Weights::of(self, &map).unwrap().to_safetensors().unwrap()
    }
}

pub fn published() -> KeyMap {
    KeyMap::published([
        ("fc0", "hidden.0"),
        ("fc1", "hidden.1"),
        ("fc_output", "readout"),
    ])
}

/// The path of a file beside the script.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/import")
        .join(name)
}

fn suffix(dtype: DType) -> &'static str {
    if dtype == DType::F64 { "f64" } else { "f32" }
}

pub fn torch_file(dtype: DType) -> PathBuf {
    fixture(&format!("{}.pt", suffix(dtype)))
}

/// The results of PyTorch.
pub fn expected(what: &str, dtype: DType) -> Vec<f64> {
    let text = std::fs::read_to_string(fixture("expected.txt")).unwrap();
    let name = format!("{what}_{} ", suffix(dtype));
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    let numbers = line.unwrap().split(' ');
    numbers.map(|number| number.parse().unwrap()).collect()
}

/// A tensor of a file: its type, its shape and its bytes.
pub type Raw = (Dtype, Vec<usize>, Vec<u8>);

/// The weights of [`torch_file`].
pub fn published_weights(dtype: DType) -> Weights {
    Weights::from_pytorch(torch_file(dtype), None).unwrap()
}

/// The tensors of the published weights by key.
pub fn published_tensors(dtype: DType) -> Vec<(String, Raw)> {
    let bytes = published_weights(dtype).to_safetensors().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(key, view)| {
            let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            (key.to_owned(), tensor)
        })
        .collect()
}

/// The bytes of a safetensors file with these tensors.
pub fn bytes_of<K: AsRef<str>>(tensors: &[(K, Raw)]) -> Vec<u8> {
    let views = tensors.iter().map(|(key, (dtype, shape, data))| {
        let view = TensorView::new(*dtype, shape.clone(), data);
        (key.as_ref(), view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// The weights of a file with these tensors.
pub fn file_of<K: AsRef<str>>(tensors: &[(K, Raw)]) -> Weights {
    Weights::from_safetensors(&bytes_of(tensors)).unwrap()
}
