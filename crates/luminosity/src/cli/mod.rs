//! The command line. Results go to standard output, all other messages to standard error.

mod args;
mod commands;
mod progress;
mod sweep;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::Error;
use crate::error::one_line;
use args::{Arguments, Command};

/// Runs the program and returns its exit code: 0 for success, 2 for errors of the command line, 130 after an
/// interruption, 1 for other errors. Errors are one line on standard error.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let result = match arguments.command {
        None => commands::compare(&arguments.compare),
        Some(Command::Train(train)) => commands::train(&train),
        Some(Command::Eval(eval)) => commands::eval(&eval),
        Some(Command::Sweep(arguments)) => sweep::sweep(&arguments),
        Some(Command::Report { store, out }) => sweep::report(&store, &out),
        Some(Command::Pack { store, file }) => sweep::pack(&store, &file),
        Some(Command::Unpack { file, store }) => sweep::unpack(&file, &store),
        Some(Command::Data(data)) => commands::data(&data),
    };
    conclude(result)
}

fn conclude(result: Result<ExitCode, Error>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints help unchanged; prints the sentences of an error in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let printed = error.print().map(|()| ExitCode::SUCCESS);
        return conclude(printed.map_err(on_standard_output));
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|l| !l.starts_with("Usage:") && !l.starts_with("For more"));
    let lines = lines.filter(|l| !l.is_empty());
    let message = args::in_words(lines.collect::<Vec<_>>().join(" "));
    say(format_args!("{message}; see --help"));
    ExitCode::from(2)
}

/// Writes one line to standard error, even if a name in it has line breaks; ignores a closed standard error.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", one_line(&line.to_string()));
}

/// Writes a text and a line break to standard output.
fn print(text: impl Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(format!("{text}\n").as_bytes());
    let written = written.and_then(|()| out.flush());
    match written {
        // The reader needs no more output.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(on_standard_output),
    }
}

fn on_standard_output(error: std::io::Error) -> Error {
    Error::io("write to", "standard output".as_ref(), error)
}
