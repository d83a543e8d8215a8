//! Tests of the names and formats of data, with files that the tests write.

use std::fs;

use super::testing::{gzip, idx, images, labels, load, npy, npz, refused, tiny, write_tiny};
use super::*;

/// The name, the numbers of images, the shape and the number of classes.
fn summary(data: &Dataset) -> (&str, usize, usize, String, usize) {
    let (train, test) = (data.train().len(), data.test().len());
    let shape = data.shape().to_string();
    (data.name(), train, test, shape, data.classes())
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
    // A level higher, and without `raw`.
    assert_eq!(load(root.path()).unwrap().name(), "KMNIST");
    write_tiny(&torch.join("MNIST/raw"));
    refused(&torch, ["several data sets; allowed: one of"]);
    let plain = root.path().join("plain");
    write_tiny(&plain.join("mnist"));
    assert_eq!(load(&plain).unwrap().name(), "mnist");
    let labels = IdxFile::TestLabels.name();
    fs::remove_file(plain.join("mnist").join(labels)).unwrap();
    let reason = format!("plain/mnist: no file {labels} or");
    refused(&plain, [reason.as_str()]);
    write_tiny(&plain.join("mnist/backup"));
    refused(&plain, [reason.as_str()]);
    fs::remove_dir_all(&torch).unwrap();
    refused(root.path(), [reason.as_str()]);

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
    let write = |name: String, bytes: Vec<u8>| {
        fs::write(place.join(name + ".gz"), gzip(&bytes)).unwrap();
    };
    let extended = |count: u32| {
        let rows = (0..count).flat_map(|i| [i % 10, 1, 2, 3, 4, 5, 6, 7]);
        let rows: Vec<u8> = rows.flat_map(u32::to_be_bytes).collect();
        idx(&[0x0C02, count, 8], &rows)
    };
    for (part, count) in [("train", 12), ("test", 3)] {
        write(format!("qmnist-{part}-images-idx3-ubyte"), images(count));
        let labels = extended(count.into());
        write(format!("qmnist-{part}-labels-idx2-int"), labels);
    }
    let data = load(place).unwrap();
    assert_eq!(summary(&data), ("qmnist", 12, 3, "1x28x28".into(), 10));
    assert_eq!(data.test().labels(), [0, 1, 2]);

    let letters = |set: &str| {
        for (part, count) in [("train", 26), ("test", 3)] {
            let letters: Vec<u8> = (1..=count).collect();
            let labels = idx(&[2049, count.into()], &letters);
            write(format!("{set}-{part}-images-idx3-ubyte"), images(count));
            write(format!("{set}-{part}-labels-idx1-ubyte"), labels);
        }
        load(&place.join(set)).unwrap()
    };
    let data = letters("emnist-letters");
    refused(place, ["emnist-letters, ", "qmnist"]);
    let expected = ("emnist-letters", 26, 3, "1x28x28".into(), 26);
    assert_eq!(summary(&data), expected);
    assert_eq!(data.test().labels(), [0, 1, 2]);
    // Under another name the labels stay as they are, and the data are other data.
    let other = letters("other");
    assert_eq!(other.classes(), 27);
    assert_ne!(other.sha256(), data.sha256());
}

#[test]
fn other_shapes_and_classes_are_read_and_must_agree() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let write = |file: IdxFile, bytes| fs::write(place.join(file.name()), bytes).unwrap();
    write_tiny(place);
    write(IdxFile::TestLabels, idx(&[2049, 3], &[0, 9, 10]));
    refused(place, ["label 0 to 9 in", "but 0 to 10 in"]);

    let wide = |count: u8| {
        let values = vec![9; 10 * usize::from(count)];
        idx(&[2051, count.into(), 2, 5], &values)
    };
    write_tiny(place);
    write(IdxFile::TrainImages, wide(12));
    refused(place, ["2x5 images in", "to train on but 28x28 images in"]);
    let train: Vec<u8> = (200..212).collect();
    write(IdxFile::TestImages, wide(3));
    write(IdxFile::TrainLabels, idx(&[2049, 12], &train));
    write(IdxFile::TestLabels, idx(&[2049, 3], &train[..3]));
    let data = load(place).unwrap();
    let found = (data.shape().to_string(), data.classes());
    assert_eq!(found, ("1x2x5".into(), 212));
    assert!(data.source().contains("2x5, 212 classes) in "));
    write(IdxFile::TestLabels, labels(3));
    refused(place, ["label 200 to 211 in"]);
}

#[test]
fn arrays_of_a_program_are_a_data_set_by_name() {
    let split = |height: usize, fill| {
        let shape = Shape::new(1, height, 2);
        Split::new(shape, 2, vec![fill; 4 * height], vec![0, 1]).unwrap()
    };
    let data = Dataset::new("dots", split(2, 1), split(2, 2)).unwrap();
    assert_eq!(
        data.source(),
        "dots (2 training and 2 test images, 2x2, 2 classes)"
    );
    let other = Dataset::new("dots", split(2, 1), split(2, 3)).unwrap();
    assert_ne!(data.sha256(), other.sha256());
    let error = Dataset::new("dots", split(2, 1), split(3, 1)).unwrap_err();
    let beginning = "1x2x2 images of 2 classes to train on but 1x3x2";
    assert!(error.to_string().starts_with(beginning), "{error}");

    let spec = DataSetSpec {
        name: "no-dots",
        description: "",
        load: || {
            let split = Split::new(Shape::new(0, 1, 1), 2, vec![], vec![])?;
            Dataset::new("no-dots", split.clone(), split)
        },
    };
    let set = DataSet::define(spec).unwrap();
    assert_eq!("no-dots".parse::<DataSet>().unwrap(), set);
    let error = (set.load)().unwrap_err().to_string();
    assert!(error.starts_with("images of 0x1x1"), "{error}");
}

#[test]
fn cifar_10_is_read_from_its_batches() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("cifar-10-batches-bin");
    fs::create_dir(&place).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(place.join(name), bytes).unwrap();
    let record = |label: u8| [vec![label], vec![label; 1024], vec![7; 2048]].concat();
    for (first, name) in (0..).zip(cifar::TRAIN) {
        write(name, &[record(first), record(first + 5)].concat());
    }
    refused(&place, ["no file test_batch.bin"]);
    let zipped = format!("{}.gz", cifar::TEST);
    write(&zipped, &gzip(&record(3)));
    let of_zipped = load(&place).unwrap();
    fs::remove_file(place.join(zipped)).unwrap();
    write(cifar::TEST, &record(3));
    for path in [&place, root.path()] {
        let data = load(path).unwrap();
        assert_eq!(data.sha256(), of_zipped.sha256());
        let expected = ("cifar-10-batches-bin", 10, 1, "3x32x32".into(), 10);
        assert_eq!(summary(&data), expected);
        assert_eq!(data.train().labels(), [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]);
        assert_eq!(data.test().image(0)[1023..1025], [3, 7]);
    }
    for (bytes, reason) in [
        (&record(10)[..], "label 10 at index 0, must be 0 to 9"),
        (&[0; 3072], "3072 bytes, must be 3073 for each image"),
        (&[], "0 bytes, must be 3073"),
    ] {
        write(cifar::TEST, bytes);
        refused(&place, [reason]);
    }
}

#[test]
fn tables_are_read_and_a_wrong_value_is_named() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let write = |part: &str, text: &str| {
        fs::write(place.join(format!("fashion-mnist_{part}.csv")), text).unwrap()
    };
    let header = "label,pixel1,pixel2,pixel3,pixel4";
    write("train", &format!("{header}\n3,0,1,2,255\n0,4,5,6,7\n"));
    let reason = "it holds fashion-mnist_train.csv, and must hold";
    refused(place, [reason]);
    write("test", &format!("{header}\n3,9,9,9,8\n"));
    let data = load(place).unwrap();
    let found = (data.shape().to_string(), data.classes());
    assert_eq!(found, ("1x2x2".into(), 4));
    assert_eq!(data.train().image(1), [4, 5, 6, 7]);
    assert_eq!(data.train().labels(), [3, 0]);
    let of_columns = "2 columns of pixels, must be a square number";
    for (text, reason) in [
        ("label,a\n1,2\n", "1x1 images in"),
        ("label,a,b\n1,2,3\n", of_columns),
        ("a,b\n1,2\n", "first column \"a\", must be \"label\""),
        (
            "label,a\n1,256\n",
            "line 2: value \"256\", must be 0 to 255",
        ),
        ("label,a\n1,\u{1b}\n", "line 2: value \"\\u{1b}\", must be"),
        ("label,a\n1,2,3\n", "3 fields"),
        ("label,a\n", "no rows"),
        ("", "first column"),
        ("<html>", "a web page"),
    ] {
        write("train", text);
        refused(place, [reason]);
    }
}

#[test]
fn numpy_arrays_are_read_channel_by_channel() {
    let root = tempfile::tempdir().unwrap();
    let path = &root.path().join("mine.npz");
    let labels = npy(&[2], &[0_i64, 1]);
    let write = |arrays: &[(&str, Vec<u8>)]| fs::write(path, npz(arrays)).unwrap();
    let four = |x_train: Vec<u8>, x_test: Vec<u8>| {
        write(&[
            ("x_train", x_train),
            ("y_train", labels.clone()),
            ("x_test", x_test),
            ("y_test", labels.clone()),
        ]);
    };
    let colour: Vec<u8> = (0..12).collect();
    four(npy(&[2, 1, 2, 3], &colour), npy(&[2, 1, 2, 3], &colour));
    let data = load(path).unwrap();
    assert_eq!(summary(&data), ("mine", 2, 2, "3x1x2".into(), 2));
    assert_eq!(data.train().image(1), [6, 9, 7, 10, 8, 11]);

    let levels = [0.0_f32, 1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 1.0];
    four(npy(&[2, 4], &levels), npy(&[2, 2, 2], &[0.2_f64; 8]));
    let data = load(path).unwrap();
    assert_eq!(data.train().image(0), [0, 255, 128, 26]);
    assert_eq!(data.test().image(0), [51; 4]);

    let good = npy(&[2, 2, 2], &[0_u8; 8]);
    let bytes = |shape: &[u64]| npy(shape, &vec![0_u8; shape.iter().product::<u64>() as usize]);
    let of_value = "x_train: value 1.5 at index 0, must be uint8, or a float of 0 to 1";
    let of_shape = "x_train: shape [2, 3], must be [n, height, width]";
    // The parser of headers takes twice as long for each level of nesting.
    let mut nested = good.clone();
    nested[12..72].fill(b'(');
    // Of version 2, whose headers have a length of four bytes.
    let mut long = good.clone();
    long[6] = 2;
    long[8..12].fill(255);
    for (x_train, reason) in [
        (npy(&[2, 4], &[1.5_f32; 8]), of_value),
        (
            npy(&[2, 4], &[0_i32; 8]),
            "x_train: type '<i4', must be uint8",
        ),
        (bytes(&[2, 3]), of_shape),
        (bytes(&[2, 3, 8, 8]), "with up to 4 channels"),
        (bytes(&[3, 4]), "mine.npz holds 3 images but y_train of"),
        (
            bytes(&[2, 1]),
            "mine.npz to train on but 2x2 images in x_test",
        ),
        (bytes(&[2, 4])[..130].to_vec(), "x_train: cannot be read"),
        (nested, "with 61 opening brackets"),
        (long, "a header of 4294967307 bytes"),
    ] {
        four(x_train, good.clone());
        refused(path, [reason]);
    }
    write(&[("x_train", good.clone()), ("images", good)]);
    let reason = "no array y_train, x_test, y_test; it holds x_train, images,";
    refused(path, [reason]);
    fs::write(path, "no archive").unwrap();
    refused(path, ["not a .npz file"]);
}

#[test]
fn what_cannot_be_read_is_told_with_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("place");
    refused(&place, ["no such file or folder", "only Fashion-MNIST by"]);
    fs::create_dir(&place).unwrap();
    refused(&place, ["no data; it holds no files"]);
    for index in 0..8 {
        fs::write(place.join(format!("{index}.jpg")), "").unwrap();
    }
    let first_six = "it holds 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg and 2 more";
    refused(&place, [first_six]);
    refused(&place.join("1.jpg"), ["neither a folder nor a .npz file"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let path = root.path().join(IdxFile::TestLabels.name());
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    refused(root.path(), ["a pipe or a device; must be a file"]);
}
