//! Golden cases: inputs and results computed in float64 by an independent implementation, and the code that
//! compares this library with them.
//!
//! Matrices in a case are post × pre, as in the paper; the layers store pre × post, so weights and their
//! gradients are transposed when they are read and compared.

mod build;
mod cases;
mod compare;
mod format;

use burn::tensor::{DType, Device};

pub use format::{Case, CaseError, read_folder};

/// The result of one case.
#[derive(Debug)]
pub struct Verdict {
    /// The name of the case's file, without its extension.
    pub name: String,
    /// The largest relative error of any compared value, and the name of that value; or the reason why the
    /// case could not be run.
    pub outcome: Result<(f64, String), CaseError>,
    /// The largest relative error with which the case passes.
    pub bound: f64,
}

impl Verdict {
    /// Whether every value was within the bound.
    pub fn passed(&self) -> bool {
        // Not `error > bound`, so that NaN fails.
        matches!(&self.outcome, Ok((error, _)) if *error <= self.bound)
    }
}

/// Runs one case in `dtype` on `device` (without autodiff; it is added if needed).
pub fn run(case: &Case, device: &Device, dtype: DType, on_gpu: bool) -> Verdict {
    let scope = cases::Scope::new(case, device, dtype);
    let outcome = scope.run();
    Verdict {
        name: case.name.clone(),
        outcome,
        bound: bound(&case.op, dtype, on_gpu),
    }
}

fn bound(op: &str, dtype: DType, on_gpu: bool) -> f64 {
    match (dtype, on_gpu, op == "train") {
        (DType::F64, ..) => 1e-10,
        (_, false, false) => 1e-4,
        (_, false, true) | (_, true, false) => 1e-3,
        (_, true, true) => 1e-2,
    }
}
