//! The comparison with networks of another kind: does the result carry over?

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Args, Command, FromArgMatches};

use super::args::CompareArguments;
use super::{commands, conclude, refuse};
use crate::Learner;

/// Steps of a run that only shows that everything works.
const SMOKE_STEPS: usize = 5;

/// A program that compares conditions in networks of its own.
#[derive(Debug, Clone, Copy)]
pub struct CarryOver {
    /// Its name.
    pub name: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    /// How it is called, for `--help`.
    pub examples: &'static str,
    /// What `--width` means here.
    pub width: &'static str,
    /// Options and their defaults where they differ from those of the `luminosity` example.
    pub defaults: &'static [(&'static str, &'static str)],
}

/// Runs the program: the options, data, training and results of the `luminosity` example's
/// comparison, with networks `N`. `--smoke` makes a few steps only.
pub fn carry_over<N: Learner>(
    program: CarryOver,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let smoke = Arg::new("smoke")
        .long("smoke")
        .action(ArgAction::SetTrue)
        .help("A few steps with one seed, to see that everything works");
    let mut command = CompareArguments::augment_args(Command::new(program.name))
        .about(program.about)
        .after_help(program.examples)
        .allow_negative_numbers(true)
        .arg(smoke)
        .mut_arg("width", |arg| arg.help(program.width));
    for &(option, value) in program.defaults {
        command = command.mut_arg(option, |arg| arg.default_value(value));
    }
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Ok((CompareArguments::from_arg_matches(&matches)?, matches)));
    let (mut asked, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    let smoke = matches.get_flag("smoke");
    if smoke {
        asked.seeds = 1;
    }
    conclude(commands::compare::<N>(&asked, smoke.then_some(SMOKE_STEPS)))
}
