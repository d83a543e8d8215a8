//! The real program in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_luminosity");

/// An empty folder in which the program runs.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Makes the folder `tiny` with square images of these classes to train on, and the same to test with.
    pub fn tiny_images(&self, side: u32, classes: &[u8]) {
        let words =
            |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
        let count = classes.len() as u32;
        let pixels: Vec<u8> = (0..count * side * side)
            .map(|i| (i * 31 % 256) as u8)
            .collect();
        std::fs::create_dir_all(self.path("tiny")).unwrap();
        for part in ["train", "t10k"] {
            let images = [words(&[2051, count, side, side]), pixels.clone()].concat();
            self.write(&format!("tiny/{part}-images-idx3-ubyte"), images);
            let labels = [words(&[2049, count]), classes.to_vec()].concat();
            self.write(&format!("tiny/{part}-labels-idx1-ubyte"), labels);
        }
    }

    /// A program in this folder, without the user's choice of data.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.0).env_remove("EI_NORM_DATA");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the program with arguments that are separated by spaces.
    pub fn start(&self, arguments: &str) -> Child {
        let arguments = arguments.split(' ').filter(|word| !word.is_empty());
        self.command(PROGRAM).args(arguments).spawn().unwrap()
    }

    pub fn run(&self, arguments: &str) -> Output {
        self.start(arguments).wait_with_output().unwrap()
    }

    /// The standard output of a command that succeeds.
    pub fn stdout(&self, arguments: &str) -> String {
        stdout(&self.run(arguments))
    }

    /// Checks that a command ends with this code, nothing on standard output, and one line with all of the words on
    /// standard error, besides the line about the data.
    #[track_caller]
    pub fn refuses(&self, arguments: &str, code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {text}");
        assert!(output.stdout.is_empty(), "{arguments}");
        let errors: Vec<_> = text.lines().filter(|l| !l.starts_with("Data: ")).collect();
        assert_eq!(errors.len(), 1, "{arguments}: {text}");
        for word in words {
            assert!(errors[0].contains(word), "{arguments}: {word:?} in {text}");
        }
    }
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends a signal to the program and returns what it wrote until its end.
#[cfg(unix)]
pub fn interrupt(child: Child, signal: &str) -> Output {
    let (flag, pid) = (format!("-{signal}"), child.id().to_string());
    Command::new("kill").args([flag, pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{signal}");
    output
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
    files
        .map(|file| name(file).into_string().unwrap())
        .collect()
}

/// A record without the fields that depend on the clock.
pub fn timeless(mut record: Value) -> Value {
    record.as_object_mut().unwrap().remove("timing").unwrap();
    record
}
