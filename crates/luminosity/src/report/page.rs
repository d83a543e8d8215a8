//! The page: one HTML file without scripts and external resources.

use super::effect::{self, Effect, FEWEST, MAIN, REFERENCES, RESAMPLES};
use super::plot::{self, BEST, Kind, Plot};
use super::sample::diverged;
use super::text::{self, epsilon, escape};
use super::verdict::{Ruling, Verdict};
use super::{Report, TABLES, runs, statistics};

const STYLE: &str = include_str!("style.css");

/// The whole document.
pub fn html(report: &Report) -> String {
    let sections = [
        ("answer", "The answer", answer(report)),
        ("verdicts", "The paper's claims", verdicts(report)),
        ("figures", "Figures", figures(report)),
        ("statistics", "Statistics", statistics(report)),
        ("run", "What was run", run(report)),
        ("protocol", "Protocol", protocol(report)),
        ("files", "Files", files(report)),
    ];
    let links = sections
        .iter()
        .map(|(id, title, _)| format!("<a href=\"#{id}\">{title}</a>\n"));
    let links = format!("<nav>\n{}</nav>\n", links.collect::<String>());
    let bodies = sections.iter().enumerate().map(|(i, (id, title, body))| {
        let links = if i == 1 { links.as_str() } else { "" };
        format!("{links}<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>\n")
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>Inhibitory normalization of error signals: report</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Inhibitory normalization of error signals</h1>\n\
         <p class=\"sub\">On {}; after Eyono, Levenstein, Ghosh, Cornford and Richards (2026)</p>\n\
         <main>\n{}</main>\n</body>\n</html>\n",
        escape(&report.task.words()),
        bodies.collect::<String>()
    )
}

/// The main effect as a sentence, a list and a figure.
fn answer(report: &Report) -> String {
    let effects: Vec<&Effect> = report.main_effects().collect();
    let (finished, expected) = report.samples.counts();
    let unfinished = (finished < expected).then(|| {
        let runs = text::count(expected, "run");
        format!(
            "This report is of an unfinished sweep: {} of {runs} missing.",
            expected - finished
        )
    });
    let notes = unfinished.into_iter().chain(runs::pooled(&report.runs));
    [
        paragraph("lead", &effect::answer(&effects)),
        notes.map(|note| paragraph("note", &note)).collect(),
        effect_list(&effects, report.samples.unit),
        drawings(report, |name| name == plot::MAIN),
    ]
    .concat()
}

/// The paired difference at each ε with its interval, on one axis.
fn effect_list(effects: &[&Effect], unit: &str) -> String {
    if effects.is_empty() {
        return String::new();
    }
    let (of, over) = MAIN;
    let ends = |e: &Effect| {
        let difference = e.paired.difference;
        e.paired.interval.unwrap_or((difference, difference))
    };
    let low = effects.iter().fold(0.0, |low, e| ends(e).0.min(low));
    let high = effects.iter().fold(0.0, |high, e| ends(e).1.max(high));
    let width = (high - low).max(f64::MIN_POSITIVE);
    let place = |points: f64| 100.0 * (points - low) / width;
    let items = effects.iter().map(|e| {
        let (from, to) = ends(e);
        format!(
            "<li><b>{}</b> <strong>{}</strong> <span>{}</span>\n\
             <div class=\"bar\" aria-hidden=\"true\"><u style=\"left:{:.1}%\"></u>\
             <i style=\"left:{:.1}%;width:{:.1}%\"></i><s style=\"left:{:.1}%\"></s></div></li>\n",
            escape(&epsilon(e.epsilon)),
            e.paired.points(1),
            escape(&e.detail(unit)),
            place(0.0),
            place(from),
            place(to) - place(from),
            place(e.paired.difference),
        )
    });
    format!(
        "<div data-main=\"effect\">\n<h3>{} over {}, paired within {unit}s</h3>\n<ul class=\"effects\">\n{}</ul>\n\
         <p class=\"small\">Dots are medians, bars 95 % intervals; the line is no difference.</p>\n</div>\n",
        escape(of),
        escape(over),
        items.collect::<String>()
    )
}

fn verdicts(report: &Report) -> String {
    let task = &report.task;
    if report.verdicts.is_empty() {
        let sentence = format!(
            "The paper's claims are about multilayer perceptrons of two hidden layers on Fashion-MNIST under \
             variable luminosity. These runs are of {} ({}) and differ in {}, so no claim is judged by them.",
            task.words(),
            task.network,
            task.differences.join(", ")
        );
        return paragraph("", &sentence);
    }
    let count = |ruling: Ruling| {
        let own = report.verdicts.iter().filter(|v| v.ruling == ruling);
        (own.count(), ruling.words())
    };
    let counts = Ruling::ALL.map(count).into_iter().filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, words)| format!("{n} {words}")).collect();
    let introduction = format!(
        "Of {} claims: {}. Published are 30 settings, 50 epochs and 60,000 training images; these runs are of {}. \
         Differences are paired within {unit}s, in points with their 95 % interval; fewer than {FEWEST} {unit}s \
         allow none.",
        report.verdicts.len(),
        counts.join(", "),
        task.data,
        unit = report.samples.unit,
    );
    let is_run = |v: &&Verdict| v.ruling != Ruling::NotRun;
    let (run, not_run): (Vec<_>, Vec<_>) = report.verdicts.iter().partition(is_run);
    let name = |v: &Verdict| format!("{} ({})", v.claim.text, v.claim.figure);
    let not_run: Vec<String> = not_run.into_iter().map(name).collect();
    [
        paragraph("", &introduction),
        run.into_iter().map(verdict).collect(),
        remainder(["<p>Not run:</p>\n", ""], &not_run),
    ]
    .concat()
}

fn verdict(v: &Verdict) -> String {
    let class = match v.ruling {
        Ruling::Agrees => "agrees",
        Ruling::Differs => "differs",
        _ => "open",
    };
    let ours: Vec<_> = v.ours.iter().map(|part| escape(part)).collect();
    format!(
        "<article class=\"{class}\">\n<h3><span class=\"ruling\">{}</span> {}</h3>\n<dl>\n\
         <dt>Published</dt><dd>{} ({})</dd>\n<dt>Here</dt><dd>{}</dd>\n<dt>Decided by</dt><dd>{}</dd>\n</dl>\n</article>\n",
        v.ruling.words(),
        escape(v.claim.text),
        escape(v.claim.published),
        escape(v.claim.figure),
        ours.join("<br/>"),
        escape(&v.claim.rule.words())
    )
}

fn figures(report: &Report) -> String {
    let missing = remainder(["<p>Not drawn:</p>\n", ""], &report.no_plots);
    drawings(report, |name| name != plot::MAIN) + &missing
}

/// The figures whose name is in a part of the page.
fn drawings(report: &Report, part: fn(&str) -> bool) -> String {
    let own = report.plots.iter().filter(|plot| part(plot.spec.name));
    own.map(|plot| figure(report, plot)).collect()
}

fn figure(report: &Report, plot: &Plot) -> String {
    let name = escape(plot.spec.name);
    let title = escape(&plot.title);
    let reference = |e: &Effect| e.over == plot::REFERENCE;
    let marks = match plot.spec.kind {
        Kind::Main(_) | Kind::Boxes(_) if report.effects.iter().any(reference) => format!(
            " Marks: Wilcoxon tests of the pairs against {}, not corrected for their number.",
            plot::REFERENCE
        ),
        _ => String::new(),
    };
    let left_out = match plot.left_out {
        0 => String::new(),
        n => format!(
            " Left out: {} at or below {} %.",
            text::count(n, "value"),
            report.samples.chance_in_short()
        ),
    };
    let main = match plot.spec.name {
        plot::MAIN => " data-main=\"figure\"",
        _ => "",
    };
    format!(
        "<figure id=\"{name}\"{main}>\n<h3>{title}</h3>\n<div class=\"drawing\" role=\"img\" aria-label=\"{title}\">\n\
         {}</div>\n<figcaption>{} <a href=\"{name}.svg\">SVG</a> <a href=\"{name}.png\">PNG</a></figcaption>\n</figure>\n",
        plot.figure.svg,
        escape(&[plot.caption.as_str(), &marks, &left_out].concat())
    )
}

fn statistics(report: &Report) -> String {
    let tables = REFERENCES.iter().map(|reference| {
        let table = effect::table(report.effects.iter().filter(|e| e.over == *reference));
        let heading = format!("<h3>Against {reference} at the same ε</h3>\n");
        match table.rows.is_empty() {
            true => String::new(),
            false => heading + &table.html(),
        }
    });
    format!(
        "<h3>Accuracies</h3>\n{}{}{}",
        statistics::table(&report.samples).html(),
        tables.collect::<String>(),
        paragraph(
            "small",
            "The difference is the median of the paired differences, W and p are of Wilcoxon's test of the pairs, \
             Holm's correction is over all conditions and ε of a table. Shares of accuracy and error are of the \
             other condition's median. Unpaired: Mann–Whitney, as in the paper. All tests are two-sided, and exact \
             up to 50 pairs.",
        )
    )
}

fn run(report: &Report) -> String {
    let samples = &report.samples;
    let (finished, expected) = samples.counts();
    let diverged: usize = samples.cells.iter().map(|c| diverged(&c.units)).sum();
    let runs = format!(
        "{finished} of {expected} finished, {} missing, {diverged} diverged",
        expected - finished
    );
    let facts = runs::facts(&report.runs);
    let facts = std::iter::once(("runs", runs)).chain(facts);
    let conditions = samples.conditions.iter();
    let conditions = conditions.map(|c| (c.name(), c.description.to_owned()));
    let line = |(name, what): (&str, String)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(&what))
    };
    let missing: Vec<String> = samples.missing().collect();
    let details = ["<details>\n<summary>Missing</summary>\n", "</details>\n"];
    format!(
        "<dl>\n{}</dl>\n<h3>Conditions</h3>\n<dl>\n{}</dl>\n{}",
        facts.map(line).collect::<String>(),
        conditions.map(line).collect::<String>(),
        remainder(details, &missing)
    )
}

fn protocol(report: &Report) -> String {
    let sample = match report.samples.unit {
        "seed" => "The sample is the seed: the same ones for every condition and ε.",
        _ => {
            "The sample is the setting of hyper-parameters: the same ones for every condition and ε, the mean over \
              seeds where there are several."
        }
    };
    let lines = [
        sample.to_owned(),
        format!(
            "Accuracy is the test accuracy after the last epoch. A run whose loss, weights or measures stopped \
             being finite numbers has diverged and counts with {chance} %. Box plots leave out what is at or below {chance} %, as the paper \
             does; medians and tests keep it.",
            chance = report.samples.chance_in_short()
        ),
        "Tests are computed on numbers of correct answers, so that equal accuracies tie."
            .to_owned(),
        format!(
            "Every figure but that of λ shows λ = {}. Moments, alignments and λ_max are means over fixed batches of \
             test images at the end of the last epoch.",
            report.samples.lambda
        ),
        format!(
            "Intervals are percentile bootstrap intervals of 95 % of medians, from {RESAMPLES} resamples of a fixed \
             seed. Fewer than {FEWEST} values have none, as their median may lie beyond all of them with a \
             probability of more than 5 %."
        ),
        format!(
            "The {BEST} best of an ε are chosen on the test accuracy, as in the paper, which makes them optimistic."
        ),
    ];
    list(&lines)
}

fn files(report: &Report) -> String {
    let there = |name: &str| name != "verdicts.csv" || !report.verdicts.is_empty();
    let tables = TABLES.iter().filter(|(name, _)| there(name));
    let links = tables.map(|(name, what)| format!("<a href=\"{name}\">{name}</a>: {what}"));
    items(links)
}

fn paragraph(class: &str, text: &str) -> String {
    match class {
        "" => format!("<p>{}</p>\n", escape(text)),
        class => format!("<p class=\"{class}\">{}</p>\n", escape(text)),
    }
}

/// A list of lines of text between two pieces of HTML; nothing without lines.
fn remainder([before, after]: [&str; 2], lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        lines => [before, &list(lines), after].concat(),
    }
}

/// A list of lines of text.
fn list(lines: &[String]) -> String {
    items(lines.iter().map(|line| escape(line)))
}

/// A list of items that are HTML already.
fn items(items: impl Iterator<Item = String>) -> String {
    let items = items.map(|item| format!("<li>{item}</li>\n"));
    format!("<ul>\n{}</ul>\n", items.collect::<String>())
}

#[cfg(test)]
mod tests;
