//! The command line. Results go to standard output; what is said on the way, to standard error.

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
use crate::data::one_line;
use args::{Arguments, Command};

/// Runs the program: 0 if all went well, 2 if the command line is to blame, 1 for the rest. Errors
/// are one line on standard error.
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

/// Help as it is; of an error the sentences, in one line.
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

/// Writes a line to standard error, one also where a name in it has several; that nobody reads it is no
/// reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", one_line(line));
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // The reader has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|e| Error::io("write to", std::path::Path::new("standard output"), e))
        }
    }
}
