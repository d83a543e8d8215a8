//! Holds the library against golden cases: `cargo run --release --example parity -- DIR`.

fn main() {
    let cases = ei_norm_suite::golden::read_folder(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap();
    let f64_ = std::env::args().nth(2).unwrap() == "f64";
    let dtype = if f64_ { burn::tensor::DType::F64 } else { burn::tensor::DType::F32 };
    for case in &cases {
        let v = ei_norm_suite::golden::run(case, &burn::tensor::Device::flex(), dtype, false);
        println!("{} {} {:?}", v.passed(), v.name, v.outcome);
    }
}
