use std::collections::BTreeMap;

use super::*;
use crate::data::Selection;
use crate::network::{CONV, RNN};
use crate::optimizer::OptimizerName;
use crate::{Condition, condition};

/// Networks that differ in all settings that may differ within a population.
fn configs(condition: Condition, steps: usize) -> Vec<RunConfig> {
    let of = |seed: u64, width, epsilon, factor: f64| RunConfig {
        seed,
        width,
        epsilon,
        epochs: 1,
        max_steps: Some(steps),
        lr: 0.008 * factor,
        lr_ei: 0.003 / factor,
        lr_ix: 0.5 * factor,
        lambda: 0.01 * factor,
        ..RunConfig::new(condition, seed)
    };
    vec![
        of(0, 40, 0.75, 1.0),
        of(1, 23, 0.0, 0.3),
        of(5, 61, 0.25, 0.7),
    ]
}

fn go_on() -> Box<Observer<'static>> {
    Box::new(|_| ControlFlow::Continue(()))
}

fn data() -> Dataset {
    Dataset::load(&Selection::Default).unwrap()
}

fn run_all(configs: &[RunConfig], progress: &mut Observer<'_>) -> Result<Vec<RunRecord>, Error> {
    let configs: Vec<&RunConfig> = configs.iter().collect();
    run_population(&configs, &data(), DeviceName::Flex, progress)
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, at: &str) {
    let difference = (found - expected).abs();
    assert!(
        difference <= tolerance * expected.abs().max(1.0),
        "{at}: {found}, expected {expected}"
    );
}

/// Compares the losses, accuracy and parameters of each network with those of the network alone.
fn check(configs: &[RunConfig]) {
    let data = data();
    let configs: Vec<&RunConfig> = configs.iter().collect();
    let population = configs[0].network.functions.population.unwrap();
    let together = (population.train)(&configs, &data, DeviceName::Flex, &mut go_on());
    for (config, trained) in configs.iter().zip(together.unwrap()) {
        let record = trained.record;
        let at = format!(
            "{} {:?}, {}, {:?}, clip {:?}, width {}",
            config.network,
            config.options,
            config.condition,
            config.optimizer,
            config.clip_errors,
            config.width
        );
        let alone = run(config, &data, DeviceName::Flex, &mut go_on()).unwrap();
        assert_eq!(Some(trained.losses.len()), config.max_steps, "{at}");
        for (found, expected) in trained.losses.iter().zip(&alone.losses) {
            assert_close(f64::from(*found), f64::from(*expected), 1e-4, &at);
        }
        record.validate().unwrap();
        assert_eq!(record.timing.population, Some(3));
        assert_eq!(record.outcome, Outcome::Completed);
        let (found, expected) = (record.test_accuracy, alone.record.test_accuracy);
        assert_close(found, expected, 0.01, &at);
        let all: BTreeMap<_, _> = trained.network.parameters().into_iter().collect();
        for (name, expected) in alone.network.parameters() {
            let at = format!("{at}, {name}");
            assert_eq!(all[&name].shape(), expected.shape(), "{at}");
            for (found, expected) in all[&name].iter::<f64>().zip(expected.iter::<f64>()) {
                assert_close(found, expected, 1e-3, &at);
            }
        }
    }
}

#[test]
fn a_network_of_a_population_learns_as_it_does_alone() {
    let others = [OptimizerName::Momentum, OptimizerName::Adam];
    let others = others.map(|optimizer| (condition::INORM_FULL, optimizer));
    let extra = [condition::INORM_LEARNED_LATERAL, condition::INORM_LN];
    let plain = condition::PAPER.into_iter().chain(extra);
    let plain = plain.map(|condition| (condition, OptimizerName::Sgd));
    for (condition, optimizer) in plain.chain(others) {
        // If forward-only inhibition learns at its limit, rounding grows tenfold in twenty steps.
        let mut configs = configs(condition, 30);
        for config in &mut configs {
            config.optimizer = optimizer;
            // Steps with momentum become ten times as large in the end; the size of steps of Adam is the
            // rate.
            match optimizer {
                OptimizerName::Sgd => {}
                OptimizerName::Momentum => {
                    (config.lr, config.lr_ix) = (config.lr / 10.0, config.lr_ix / 10.0)
                }
                OptimizerName::Adam => (config.lr, config.lr_ix) = (1e-3, 2e-3),
            }
        }
        check(&configs);
    }
}

#[test]
fn the_error_of_each_example_of_each_network_is_clipped() {
    let mut configs = configs(condition::INORM_FULL, 20);
    for config in &mut configs {
        config.clip_errors = Some(1e-3);
    }
    check(&configs);
}

#[test]
fn convolutions_and_recurrent_layers_learn_in_populations() {
    let conditions = [
        condition::LN_PLUS,
        condition::INORM_FULL,
        condition::INORM_LEARNED_LATERAL,
        condition::INORM_LN,
    ];
    // Where an image is dark, `ln+` over the map is 0 up to rounding, whose sign decides what ReLU passes; and `inorm+ln`
    // divides errors by nearly 0.
    let options = [
        (CONV, 8, "map", 0, &conditions[..]),
        (CONV, 8, "map", 1, &conditions[1..]),
        (RNN, 3, "bias", 1, &conditions[..3]),
    ];
    for (network, divisor, option, value, conditions) in options {
        for condition in conditions {
            let mut configs = configs(*condition, 4);
            for config in &mut configs {
                let mut own = RunConfig::of(network, *condition, config.seed);
                own.max_steps = config.max_steps;
                own.width = config.width / divisor;
                own.epsilon = config.epsilon;
                own.depth = 2;
                own.lr *= config.lr / 0.008;
                // Without this floor, inhibition amplifies rounding a thousandfold where an image is dark.
                let floor = ("norm-epsilon".to_owned(), 1000);
                own.options = [(option.to_owned(), value), floor].into();
                *config = own;
            }
            check(&configs);
        }
    }
}

#[test]
fn a_network_that_diverges_touches_no_other() {
    let mut configs = configs(condition::INORM_FULL, 60);
    configs[1].lr = 1e30;
    let records = run_all(&configs, &mut go_on()).unwrap();
    let alone = run(&configs[1], &data(), DeviceName::Flex, &mut go_on()).unwrap();
    assert_eq!(records[1].outcome, Outcome::Diverged);
    assert_eq!(records[1].steps, alone.record.steps);
    for record in [&records[0], &records[2]] {
        assert_eq!(record.outcome, Outcome::Completed);
        assert!(record.train_loss.is_some_and(f64::is_finite));
    }
    records.iter().for_each(|record| record.validate().unwrap());
}

#[test]
fn each_network_of_a_population_has_a_patience_of_its_own() {
    let mut configs = configs(condition::LN_PLUS, 1);
    for config in &mut configs {
        config.max_steps = None;
        (config.epochs, config.batch_size, config.patience) = (6, 500, Some(2));
    }
    // One network does not learn, the others do.
    let still = &mut configs[1];
    (still.lr, still.lr_ei, still.lr_ix) = (0.0, 0.0, 0.0);
    let records = run_all(&configs, &mut go_on()).unwrap();
    let lengths: Vec<usize> = records.iter().map(|record| record.history.len()).collect();
    assert!(
        lengths[1] == 3 && lengths[0] > 3 && lengths[2] > 3,
        "{lengths:?}"
    );
    for record in records {
        // Nine tenths of the images, 500 at a time.
        assert_eq!(record.steps, 18 * record.history.len());
        record.validate().unwrap();
    }
}

#[test]
fn a_population_that_is_broken_off_says_so_of_each_network() {
    let mut stop = |progress: Progress<'_>| match progress.step < 7 {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let records = run_all(&configs(condition::INORM, 50), &mut stop).unwrap();
    assert_eq!(records.len(), 3);
    for record in records {
        assert_eq!((record.outcome, record.steps), (Outcome::Interrupted, 7));
    }
}

#[test]
fn what_cannot_be_in_a_population_is_refused() {
    let refused = |change: fn(&mut RunConfig)| {
        let mut configs = configs(condition::INORM, 5);
        change(&mut configs[2]);
        run_all(&configs, &mut go_on()).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|config| config.depth = 3));
    assert!(refused(|config| config.batch_size = 16));
    assert!(refused(|config| config.condition = condition::LN_PLUS));
    assert!(refused(|config| config.lr = -1.0));
}
