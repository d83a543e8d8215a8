//! Tests of the names and formats of data, with files that the tests write.

use std::fs;
use std::io::Write;
use std::path::Path;

use npyz::WriterBuilder;
use zip::write::SimpleFileOptions;

use super::files::IdxFile;
use super::testing::{environment, gzip, idx, images, labels, tiny, write_tiny};
use super::*;

fn load(path: &Path) -> Result<Dataset, Error> {
    let selection = Selection::Directory(path.to_owned());
    Dataset::load_in(&selection, &environment(path))
}

fn refusal(path: &Path) -> String {
    let text = load(path).unwrap_err().to_string();
    assert!(!text.contains('\n'));
    text
}

fn summary(data: &Dataset) -> (&str, usize, usize, String, usize) {
    let (train, test) = (data.train().len(), data.test().len());
    (
        data.name(),
        train,
        test,
        data.shape().to_string(),
        data.classes(),
    )
}

#[test]
fn folders_are_found_as_downloads_leave_them() {
    let root = tempfile::tempdir().unwrap();
    let torch = root.path().join("torch");
    write_tiny(&torch.join("KMNIST/raw"));
    for place in [&torch, &torch.join("KMNIST"), &torch.join("KMNIST/raw")] {
        let data = load(place).unwrap();
        assert_eq!(summary(&data), ("KMNIST", 12, 3, "1x28x28".into(), 10));
    }
    write_tiny(&torch.join("MNIST/raw"));
    assert!(refusal(&torch).contains("several data sets; allowed: one of"));

    let nested = root.path().join("nested");
    for file in IdxFile::ALL {
        let dotted = file.name().replace("-idx", ".idx");
        fs::create_dir_all(nested.join(&dotted)).unwrap();
        fs::write(nested.join(&dotted).join(&dotted), tiny(file)).unwrap();
    }
    assert_eq!(load(&nested).unwrap().name(), "nested");
}

#[test]
fn relatives_of_mnist_are_read_by_their_names() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let write = |name: &str, bytes: Vec<u8>| fs::write(place.join(name), gzip(&bytes)).unwrap();
    let extended = |count: u32| {
        let rows: Vec<u8> = (0..count)
            .flat_map(|i| [i % 10, 1, 2, 3, 4, 5, 6, 7])
            .flat_map(u32::to_be_bytes)
            .collect();
        idx(&[0x0C02, count, 8], &rows)
    };
    for (part, count) in [("train", 12), ("test", 3)] {
        write(
            &format!("qmnist-{part}-images-idx3-ubyte.gz"),
            images(count),
        );
        write(
            &format!("qmnist-{part}-labels-idx2-int.gz"),
            extended(count.into()),
        );
    }
    let data = load(place).unwrap();
    assert_eq!(summary(&data), ("qmnist", 12, 3, "1x28x28".into(), 10));
    assert_eq!(data.test().labels(), [0, 1, 2]);

    for (part, count) in [("train", 26), ("test", 3)] {
        let letters: Vec<u8> = (1..=count).collect();
        write(
            &format!("emnist-letters-{part}-images-idx3-ubyte.gz"),
            images(count),
        );
        write(
            &format!("emnist-letters-{part}-labels-idx1-ubyte.gz"),
            idx(&[2049, count.into()], &letters),
        );
    }
    let message = refusal(place);
    assert!(
        message.contains("emnist-letters, ") && message.contains("qmnist"),
        "{message}"
    );
    let data = load(&place.join("emnist-letters")).unwrap();
    assert_eq!(
        summary(&data),
        ("emnist-letters", 26, 3, "1x28x28".into(), 26)
    );
    assert_eq!(data.test().labels(), [0, 1, 2]);
    // Under another name the labels stay as they are, and the data are other data.
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(rest) = name.strip_prefix("emnist-letters-") {
            fs::copy(&path, place.join(format!("other-{rest}"))).unwrap();
        }
    }
    let other = load(&place.join("other")).unwrap();
    assert_eq!(other.classes(), 27);
    assert_ne!(other.sha256(), data.sha256());
}

#[test]
fn other_shapes_and_classes_are_read_and_must_agree() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    write_tiny(place);
    fs::write(
        place.join(IdxFile::TestLabels.name()),
        idx(&[2049, 3], &[0, 9, 10]),
    )
    .unwrap();
    let message = refusal(place);
    assert!(
        message.contains("label 0 to 9 in") && message.contains("but 0 to 10 in"),
        "{message}"
    );

    let wide = |count: u8| {
        idx(
            &[2051, count.into(), 2, 5],
            &vec![9; 10 * usize::from(count)],
        )
    };
    write_tiny(place);
    fs::write(place.join(IdxFile::TrainImages.name()), wide(12)).unwrap();
    assert!(refusal(place).contains("2x5 images in"));
    fs::write(place.join(IdxFile::TestImages.name()), wide(3)).unwrap();
    let train: Vec<u8> = (200..212).collect();
    fs::write(
        place.join(IdxFile::TrainLabels.name()),
        idx(&[2049, 12], &train),
    )
    .unwrap();
    fs::write(
        place.join(IdxFile::TestLabels.name()),
        idx(&[2049, 3], &train[..3]),
    )
    .unwrap();
    let data = load(place).unwrap();
    assert_eq!(
        (data.shape().to_string(), data.classes()),
        ("1x2x5".into(), 212)
    );
    assert!(data.source().to_string().contains("2x5, 212 classes) in "));
    fs::write(place.join(IdxFile::TestLabels.name()), labels(3)).unwrap();
    assert!(refusal(place).contains("label 200 to 211 in"));
}

#[test]
fn arrays_of_a_program_are_a_data_set_by_name() {
    let shape = |height| Shape {
        channels: 1,
        height,
        width: 2,
    };
    let split = |height: usize, fill| {
        Split::new(shape(height), 2, vec![fill; 4 * height], vec![0, 1]).unwrap()
    };
    let data = Dataset::new("dots", split(2, 1), split(2, 2)).unwrap();
    assert_eq!(
        data.source().to_string(),
        "dots (2 training and 2 test images, 2x2, 2 classes)"
    );
    let other = Dataset::new("dots", split(2, 1), split(2, 3)).unwrap();
    assert_ne!(data.sha256(), other.sha256());
    let message = Dataset::new("dots", split(2, 1), split(3, 1))
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("1x2x2 images of 2 classes to train on but 1x3x2"),
        "{message}"
    );

    let spec = DataSetSpec {
        name: "no-dots",
        description: "",
        load: || {
            let split = Split::new(
                Shape {
                    channels: 0,
                    height: 1,
                    width: 1,
                },
                2,
                vec![],
                vec![],
            )?;
            Dataset::new("no-dots", split.clone(), split)
        },
    };
    let set = DataSet::define(spec).unwrap();
    assert_eq!("no-dots".parse::<DataSet>().unwrap(), set);
    assert!(
        (set.load)()
            .unwrap_err()
            .to_string()
            .starts_with("images of 0x1x1")
    );
}

#[test]
fn cifar_10_is_read_from_its_batches() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("cifar-10-batches-bin");
    fs::create_dir(&place).unwrap();
    let record = |label: u8| [vec![label], vec![label; 1024], vec![7; 2048]].concat();
    for (index, name) in cifar::TRAIN.into_iter().enumerate() {
        let first = index as u8;
        fs::write(
            place.join(name),
            [record(first), record(first + 5)].concat(),
        )
        .unwrap();
    }
    assert!(refusal(&place).contains("no file test_batch.bin"));
    let plain = place.join(cifar::TEST);
    let zipped = place.join(format!("{}.gz", cifar::TEST));
    fs::write(&zipped, gzip(&record(3))).unwrap();
    let of_zipped = load(&place).unwrap();
    fs::remove_file(zipped).unwrap();
    fs::write(plain, record(3)).unwrap();
    for path in [&place, root.path()] {
        let data = load(path).unwrap();
        assert_eq!(data.sha256(), of_zipped.sha256());
        assert_eq!(
            summary(&data),
            ("cifar-10-batches-bin", 10, 1, "3x32x32".into(), 10)
        );
        assert_eq!(data.train().labels(), [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]);
        assert_eq!(data.test().image(0)[1023..1025], [3, 7]);
    }
    for (bytes, reason) in [
        (record(10), "label 10 at index 0, must be 0 to 9"),
        (vec![0; 3072], "3072 bytes, must be 3073 for each image"),
        (Vec::new(), "0 bytes, must be 3073"),
    ] {
        fs::write(place.join(cifar::TEST), bytes).unwrap();
        assert!(refusal(&place).contains(reason));
    }
}

#[test]
fn tables_are_read_and_a_wrong_value_is_named() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let write = |part: &str, text: &str| {
        fs::write(place.join(format!("fashion-mnist_{part}.csv")), text).unwrap()
    };
    write(
        "train",
        "label,pixel1,pixel2,pixel3,pixel4\n3,0,1,2,255\n0,4,5,6,7\n",
    );
    assert!(refusal(place).contains("it holds fashion-mnist_train.csv, and must hold"));
    write("test", "label,pixel1,pixel2,pixel3,pixel4\n3,9,9,9,8\n");
    let data = load(place).unwrap();
    assert_eq!(
        (data.shape().to_string(), data.classes()),
        ("1x2x2".into(), 4)
    );
    assert_eq!(
        (data.train().image(1), data.train().labels()),
        (&[4, 5, 6, 7][..], &[3, 0][..])
    );
    for (text, reason) in [
        (
            "label,a,b\n1,2,3\n",
            "2 columns of pixels, must be a square number",
        ),
        ("a,b\n1,2\n", "first column \"a\", must be \"label\""),
        (
            "label,a\n1,256\n",
            "line 2: value \"256\", must be 0 to 255",
        ),
        ("label,a\n1,2,3\n", "3 fields"),
        ("label,a\n", "no rows"),
        ("", "first column"),
        ("<html>", "a web page"),
    ] {
        write("train", text);
        let message = refusal(place);
        assert!(message.contains(reason), "{message}");
    }
}

/// A `.npz` file of the arrays.
fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        archive
            .start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn numpy_arrays_are_read_channel_by_channel() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("mine.npz");
    let labels = npy(&[2], &[0_i64, 1]);
    let four = |x_train: Vec<u8>, x_test: Vec<u8>| {
        let arrays = [
            ("x_train", x_train),
            ("y_train", labels.clone()),
            ("x_test", x_test),
            ("y_test", labels.clone()),
        ];
        npz(&path, &arrays);
    };
    let colour: Vec<u8> = (0..12).collect();
    four(npy(&[2, 1, 2, 3], &colour), npy(&[2, 1, 2, 3], &colour));
    let data = load(&path).unwrap();
    assert_eq!(summary(&data), ("mine", 2, 2, "3x1x2".into(), 2));
    assert_eq!(data.train().image(1), [6, 9, 7, 10, 8, 11]);

    four(
        npy(&[2, 4], &[0.0_f32, 1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 1.0]),
        npy(&[2, 2, 2], &[0.2_f64; 8]),
    );
    let data = load(&path).unwrap();
    assert_eq!(data.train().image(0), [0, 255, 128, 26]);
    assert_eq!(data.test().image(0), [51; 4]);

    let good = || npy(&[2, 2, 2], &[0_u8; 8]);
    for (x_train, reason) in [
        (
            npy(&[2, 4], &[1.5_f32; 8]),
            "x_train: value 1.5 at index 0, must be uint8, or a float of 0 to 1",
        ),
        (
            npy(&[2, 4], &[0_i32; 8]),
            "x_train: type '<i4', must be uint8",
        ),
        (
            npy(&[2, 3], &[0_u8; 6]),
            "x_train: shape [2, 3], must be [n, height, width]",
        ),
        (npy(&[2, 3, 8, 8], &[0_u8; 384]), "with up to 4 channels"),
        (npy(&[3, 4], &[0_u8; 12]), "3 images but 2 in y_train"),
        (
            npy(&[2, 1], &[0_u8; 2]),
            "1x1x1 in x_train but of 1x2x2 in x_test",
        ),
        (
            npy(&[2, 4], &[0_u8; 8])[..130].to_vec(),
            "x_train: cannot be read",
        ),
    ] {
        four(x_train, good());
        let message = refusal(&path);
        assert!(message.contains(reason), "{message}");
    }
    // The parser of headers takes twice as long for each level of nesting.
    let mut nested = good();
    nested[12..72].fill(b'(');
    four(nested, good());
    assert!(
        refusal(&path).contains("with 61 opening brackets"),
        "{}",
        refusal(&path)
    );
    let mut long = good();
    // Of version 2, whose headers have a length of four bytes.
    long[6] = 2;
    long[8..12].fill(255);
    four(long, good());
    assert!(
        refusal(&path).contains("a header of 4294967307 bytes"),
        "{}",
        refusal(&path)
    );
    npz(&path, &[("x_train", good()), ("images", good())]);
    assert!(refusal(&path).contains("no array y_train, x_test, y_test; it holds x_train, images,"));
    fs::write(&path, "no archive").unwrap();
    assert!(refusal(&path).contains("not a .npz file"));
}

#[test]
fn what_cannot_be_read_is_told_with_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("place");
    assert!(refusal(&place).contains("no such file or folder"));
    fs::create_dir(&place).unwrap();
    assert!(refusal(&place).contains("no data; it holds no files"));
    for index in 0..8 {
        fs::write(place.join(format!("{index}.jpg")), "").unwrap();
    }
    let message = refusal(&place);
    assert!(
        message.contains("it holds 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg and 2 more"),
        "{message}"
    );
    assert!(refusal(&place.join("1.jpg")).contains("neither a folder nor a .npz file"));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let path = root.path().join(IdxFile::TestLabels.name());
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    assert!(refusal(root.path()).ends_with("a pipe or a device; must be a file"));
}
