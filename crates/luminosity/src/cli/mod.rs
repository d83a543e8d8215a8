//! The command line. Results go to standard output, all other messages to standard error.

mod args;
mod commands;
mod progress;
mod sweep;

use std::ffi::OsString;
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
        Some(Command::Report(arguments)) => sweep::report(&arguments),
        Some(Command::Pack(arguments)) => sweep::pack(&arguments),
        Some(Command::Unpack(arguments)) => sweep::unpack(&arguments),
        Some(Command::Data(data)) => commands::data(&data),
    };
    conclude(result)
}

fn conclude(result: Result<ExitCode, Error>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error}"));
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
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => conclude(Err(Error::io("write to", "standard output".as_ref(), e))),
        };
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|l| !l.starts_with("Usage:") && !l.starts_with("For more"));
    let lines = lines.filter(|l| !l.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    say(&format!("{message}; see --help"));
    ExitCode::from(2)
}

/// Writes one line to standard error, even if a name in it has line breaks; ignores a closed standard error.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", one_line(line));
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // The reader needs no more output.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|e| Error::io("write to", "standard output".as_ref(), e)),
    }
}
