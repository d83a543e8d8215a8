//! Random mutations of all input formats: no reader panics, and accepted inputs are within their bounds.
//! `LUMINOSITY_MUTATIONS` sets the number of inputs of each kind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ei_norm::import::Weights;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::idx::Kind;
use crate::data::testing::{gzip, idx, npy, npz};
use crate::data::{Dataset, Selection};
use crate::network::Task;
use crate::report::testing;
use crate::saved::ModelFiles;
use crate::store::{self, Manifest, record};
use crate::sweep::{Preset, Request, SweepRun};
use crate::{DeviceName, RunConfig, condition, data, run};

/// Texts in place of a number that tend to break readers.
const HOSTILE: [&str; 12] = [
    "-1",
    "0",
    "8.1",
    "1e999",
    "-0.0",
    "1e-320",
    "NaN",
    "null",
    "99999",
    "4611686018427387904",
    "18446744073709551616",
    "\"junk\"",
];

/// Makes one to three changes to a text or to bytes.
fn mutate(original: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..=64)).min(bytes.len());
        match rng.random_range(0..7) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            5 => bytes[at..end].fill(rng.random()),
            _ => {
                let is_number = |b: &u8| b.is_ascii_digit() || b".-".contains(b);
                if let Some(start) = bytes[at..].iter().position(|b| b.is_ascii_digit()) {
                    let start = at + start;
                    let length = bytes[start..].iter().take_while(|b| is_number(b)).count();
                    let number = HOSTILE[rng.random_range(0..HOSTILE.len())];
                    bytes.splice(start..start + length, number.bytes());
                }
            }
        }
    }
    bytes
}

/// Calls `read` with each original, which it must accept, and with mutations; prints how many it accepted.
fn attack(kind: &str, originals: &[Vec<u8>], share: usize, read: impl Fn(&[u8]) -> bool) {
    let asked = std::env::var("LUMINOSITY_MUTATIONS").ok();
    let inputs = asked.map_or(3000, |n| n.parse().unwrap()) / share;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut accepted, mut slowest) = (0, 0.0f64);
    for original in originals {
        assert!(read(original), "{kind}");
    }
    for _ in 0..inputs {
        let original = &originals[rng.random_range(0..originals.len())];
        let input = mutate(original, &mut rng);
        let began = Instant::now();
        accepted += usize::from(read(&input));
        slowest = slowest.max(began.elapsed().as_secs_f64());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM"));
    let peak = peak.unwrap_or_default();
    println!("{kind}: {inputs} inputs, {accepted} accepted, slowest {slowest:.3} s, {peak}");
}

fn request() -> Request {
    Request {
        conditions: vec![condition::INORM],
        epochs: 2,
        ..Preset::Quick.request()
    }
}

fn manifest() -> Manifest {
    Manifest::new(&request(), testing::DATA, DeviceName::Cpu)
}

/// The lines of a packed store.
fn lines() -> Vec<Vec<u8>> {
    let runs = request().runs();
    let line = |run: &SweepRun| record::line(&run.id(), &testing::record(run)).unwrap();
    runs.iter().take(3).map(line).collect()
}

#[test]
fn records_and_manifests() {
    let manifest = manifest();
    attack("records", &lines(), 1, |input| {
        let found = record::decode(&manifest, None, input);
        found.is_ok_and(|(_, record)| {
            assert!((0.0..=1.0).contains(&record.run.test_accuracy));
            record.run.history.len() == 2
        })
    });
    let original = serde_json::to_vec(&manifest).unwrap();
    attack("manifests", &[original], 1, |input| {
        let found = Manifest::decode(input);
        found
            .is_ok_and(|manifest| manifest.request().unwrap().runs().len() <= manifest.jobs().len())
    });
}

#[test]
fn configurations() {
    let text = format!(
        "conditions = [\"inorm\", \"inorm+full\"]\nepsilons = [0.0, 0.75]\nsettings = {}\nseeds = 2\n\
         epochs = 3\nlambda = 0.01\nlambdas = [0.1, 1.0]\nwidth = 24\nlr = 0.01\n\n[ranges]\n\
         lr_ei = [0.001, 0.1]\nlr_ix = [0.01, 1.0]\n",
        request().settings
    );
    attack("configurations", &[text.into_bytes()], 1, |input| {
        let text = String::from_utf8_lossy(input);
        let request = toml::from_str::<Request>(&text);
        request.is_ok_and(|request| request.validate().is_ok())
    });
}

#[test]
fn packed_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.jsonl.gz");
    let mut plain = vec![serde_json::to_vec(&manifest()).unwrap()];
    plain.extend(lines());
    let plain = [plain.join(&b'\n'), b"\n".to_vec()].concat();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        store::read(&path).is_ok_and(|contents| !contents.records.is_empty())
    };
    attack("packed stores", &[gzip(&plain)], 3, read);
    attack("lines of packed stores", &[plain], 3, |input| {
        read(&gzip(input))
    });
}

#[test]
fn idx_files() {
    let images = idx(&[2051, 3, 5, 4], &[7; 60]);
    let labels = idx(&[2049, 3], &[0, 1, 2]);
    for (kind, original) in [(Kind::Images, images), (Kind::Labels, labels)] {
        let read = |input: &[u8]| {
            let found = data::idx::read("file", kind, 1 << 20, input);
            found.is_ok_and(|idx| idx.values.len() == idx.count * idx.sides[0] * idx.sides[1])
        };
        let packed = gzip(&original);
        attack(kind.name(), &[original], 1, read);
        attack(&format!("gzipped {}", kind.name()), &[packed], 1, read);
    }
}

#[test]
fn tables() {
    let folder = tempfile::tempdir().unwrap();
    let table = "label,a,b,c,d\n0,0,255,3,4\n1,1,2,3,4\n2,0,0,0,7\n";
    let [train, test] = ["fashion-mnist_train.csv", "fashion-mnist_test.csv"];
    std::fs::write(folder.path().join(test), table).unwrap();
    let selection = Selection::Directory(folder.path().to_owned());
    attack("tables", &[table.into()], 3, |input| {
        std::fs::write(folder.path().join(train), input).unwrap();
        Dataset::load(&selection).is_ok_and(|data| data.train().pixels() == 4)
    });
}

/// The formats of imported weights: PyTorch files, safetensors and an index of safetensors files.
#[test]
fn foreign_weights() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/import");
    let fixture = |name: &str| std::fs::read(fixtures.join(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let pickles = ["f32.pt", "f64.pt", "views.pt", "checkpoint.pt"].map(fixture);
    let tensors = Weights::from_pytorch(fixtures.join("f32.pt"), None).unwrap();
    let tensors = tensors.to_safetensors().unwrap();
    attack("pt", &pickles, 3, |input| {
        std::fs::write(path("weights.pt"), input).unwrap();
        let read = |within| Weights::from_pytorch(path("weights.pt"), within).is_ok();
        read(None) | read(Some("state_dict"))
    });
    std::fs::write(path("weights.safetensors"), &tensors).unwrap();
    let keys = Weights::from_safetensors(&tensors).unwrap();
    let files: BTreeMap<_, _> = keys
        .keys()
        .map(|key| (key, "weights.safetensors"))
        .collect();
    let index = serde_json::to_vec(&serde_json::json!({ "weight_map": files })).unwrap();
    attack("safetensors", &[tensors], 1, |input| {
        Weights::from_safetensors(input).is_ok()
    });
    attack("indices of safetensors", &[index], 3, |input| {
        std::fs::write(path("index.json"), input).unwrap();
        Weights::from_safetensors_file(path("index.json")).is_ok()
    });
}

#[test]
fn npz_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    let bits: [u8; 96] = std::array::from_fn(|i| (i % 2) as u8);
    let original = npz(&[
        ("x_train", npy(&[6, 4, 4], &bits)),
        ("y_train", npy(&[6], &bits[..6])),
        ("x_test", npy(&[2, 4, 4], &bits[..32])),
        ("y_test", npy(&[2], &bits[..2])),
    ]);
    let selection = Selection::Directory(path.clone());
    attack("npz", &[original], 3, |input| {
        std::fs::write(&path, input).unwrap();
        Dataset::load(&selection).is_ok_and(|data| !data.train().is_empty())
    });
}

#[test]
fn models() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::load(&Selection::Default).unwrap();
    let config = RunConfig {
        width: 4,
        depth: 1,
        max_steps: Some(1),
        ..RunConfig::new(condition::INORM, 0)
    };
    let device = DeviceName::Flex;
    let go_on = &mut |_: run::Progress<'_>| std::ops::ControlFlow::Continue(());
    let trained = run::run(&config, &data, device, go_on).unwrap();
    let device = device.open().unwrap();
    for ending in ["bpk", "safetensors"] {
        let files = ModelFiles::named(&folder.path().join(format!("model.{ending}")));
        files
            .save(trained.network.as_ref(), &trained.record)
            .unwrap();
        let load = || {
            let record = files.record();
            record.is_ok_and(|record| files.load(&record, Task::of(&data), &device).is_ok())
        };
        let write = |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).unwrap();
        let record = std::fs::read(&files.record).unwrap();
        let weights = std::fs::read(&files.weights).unwrap();
        attack(&format!("records of {ending}"), &[record], 10, |input| {
            write(&files.record, input);
            load()
        });
        // Without a digest, which would detect every mutation.
        write(&files.record, &serde_json::to_vec(&trained.record).unwrap());
        attack(ending, &[weights], 10, |input| {
            write(&files.weights, input);
            load()
        });
    }
}
