//! The page: one file of HTML without scripts and without anything from elsewhere.

use super::gain::{self, FORWARD, Gain};
use super::plot::Plot;
use super::statistics::{self, REFERENCES};
use super::text::{self, escape};
use super::verdict::{BEST, Ruling, Verdict};
use super::{Report, claim};

const STYLE: &str = include_str!("style.css");

/// The whole document.
pub fn html(report: &Report) -> String {
    let sections = [
        ("answer", "The answer", answer(report)),
        ("run", "What was run", run(report)),
        ("verdicts", "The paper's claims", verdicts(report)),
        (
            "gains",
            "Forward + error against forward only",
            gains(report),
        ),
        ("figures", "Figures", figures(report)),
        ("statistics", "Statistics", statistics(report)),
        ("protocol", "Protocol", protocol(report)),
        ("files", "Files", files(report)),
    ];
    let links = sections
        .iter()
        .map(|(id, title, _)| format!("<a href=\"#{id}\">{title}</a>\n"));
    let bodies = sections.iter().map(|(id, title, body)| {
        format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>\n")
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>Inhibitory normalization of error signals: report</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Inhibitory normalization of error signals</h1>\n\
         <p class=\"sub\">A reproduction of Eyono, Levenstein, Ghosh, Cornford and Richards (2026) on \
         Fashion-MNIST under variable luminosity</p>\n<nav>\n{}</nav>\n<main>\n{}</main>\n</body>\n</html>\n",
        links.collect::<String>(),
        bodies.collect::<String>()
    )
}

fn answer(report: &Report) -> String {
    let main: Vec<&Gain> = report.main_gains().collect();
    let largest = main.last().map_or_else(
        || format!("There is no setting yet in which inorm+full and {FORWARD} can be compared."),
        |gain| gain.sentence(),
    );
    let count = |ruling| {
        report
            .verdicts
            .iter()
            .filter(|v| v.ruling == ruling)
            .count()
    };
    let verdicts = format!(
        "Of {} claims of the paper our numbers agree with {}, differ from {}, and are too few for {}.",
        report.verdicts.len(),
        count(Ruling::Agrees),
        count(Ruling::Differs),
        count(Ruling::TooFewRuns)
    );
    let missing = report.coverage.expected() - report.coverage.finished();
    let unfinished = match missing {
        0 => String::new(),
        n => paragraph(
            "note",
            &format!(
                "This report is of an unfinished sweep: {} of {} missing.",
                n,
                text::count(report.coverage.expected(), "run")
            ),
        ),
    };
    paragraph("lead", &largest) + &paragraph("", &verdicts) + &unfinished
}

fn run(report: &Report) -> String {
    let facts = report
        .facts
        .list
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
    let missing = report.missing();
    let missing = match missing.is_empty() {
        true => String::new(),
        false => details("Missing", &list(missing.iter().map(|line| escape(line)))),
    };
    format!(
        "<dl>\n{}</dl>\n<h3>Finished runs</h3>\n{}{}{missing}",
        facts.collect::<String>(),
        report.coverage.table(&report.samples).html(),
        details("Hyper-parameters", &report.facts.settings.html())
    )
}

fn verdicts(report: &Report) -> String {
    let rows = report.verdicts.iter().map(verdict);
    let introduction = format!(
        "Published are 30 settings, 50 epochs and 60,000 training images; what was run here is listed \
         above. Fewer than {} settings decide nothing.",
        claim::FEWEST
    );
    paragraph("", &introduction) + &rows.collect::<String>()
}

fn verdict(v: &Verdict) -> String {
    let class = match v.ruling {
        Ruling::Agrees => "agrees",
        Ruling::TooFewRuns => "open",
        Ruling::Differs => "differs",
    };
    let ours = v.ours.split("; ").map(escape);
    format!(
        "<article class=\"{class}\">\n<h3><span class=\"ruling\">{}</span> {}</h3>\n<dl>\n\
         <dt>Published</dt><dd>{} ({})</dd>\n<dt>Here</dt><dd>{}</dd>\n<dt>Decided by</dt><dd>{}</dd>\n</dl>\n</article>\n",
        v.ruling.words(),
        escape(v.claim.text),
        escape(v.claim.published),
        escape(v.claim.figure),
        ours.collect::<Vec<_>>().join("<br/>"),
        escape(&v.claim.rule.words())
    )
}

fn gains(report: &Report) -> String {
    if report.gains.is_empty() {
        return paragraph("", "There are no settings that both have.");
    }
    let sentences = list(report.main_gains().map(|gain| escape(&gain.sentence())));
    sentences
        + &gain::for_readers(&report.gains).html()
        + &paragraph(
            "small",
            "Points, relative accuracy and share of the remaining error are of the medians over the \
             settings that both have; the paired difference is the median of the differences within a \
             setting, with its 95 % bootstrap interval.",
        )
}

fn figures(report: &Report) -> String {
    let plots = report.plots.iter().map(figure);
    let missing = match report.no_plots.is_empty() {
        true => String::new(),
        false => {
            let lines = report.no_plots.iter().map(|line| escape(line));
            paragraph("", "Not drawn:") + &list(lines)
        }
    };
    plots.collect::<String>() + &missing
}

fn figure(plot: &Plot) -> String {
    let name = escape(plot.spec.name);
    let title = escape(plot.spec.title);
    let left_out = match plot.left_out {
        0 => String::new(),
        n => format!(" Left out: {} at or below 10 %.", text::count(n, "setting")),
    };
    format!(
        "<figure id=\"{name}\">\n<h3>{title}</h3>\n<div class=\"drawing\" role=\"img\" aria-label=\"{title}\">\n\
         {}</div>\n<figcaption>{}{left_out} <a href=\"{name}.csv\">numbers</a> \
         <a href=\"{name}.svg\">SVG</a> <a href=\"{name}.png\">PNG</a></figcaption>\n</figure>\n",
        plot.figure.svg,
        escape(plot.spec.caption)
    )
}

fn statistics(report: &Report) -> String {
    let rows = &report.rows;
    let tests = REFERENCES.iter().enumerate().map(|(index, reference)| {
        let table = statistics::tests_for_readers(rows, index);
        let title = format!("Tests against {reference} at the same ε");
        match table.rows.is_empty() {
            true => String::new(),
            false => format!("<h3>{}</h3>\n{}", escape(&title), table.html()),
        }
    });
    format!(
        "<h3>Accuracies</h3>\n{}{}{}",
        statistics::samples_for_readers(rows).html(),
        tests.collect::<String>(),
        paragraph(
            "small",
            "The difference is the median of the differences within a setting. U and p: Mann–Whitney; W \
             and p (paired): Wilcoxon; all two-sided. Holm: over all conditions and ε of a table.",
        )
    )
}

fn protocol(report: &Report) -> String {
    let lines = [
        "The sample is the setting of hyper-parameters: the same ones for every condition and ε, the mean \
         over seeds where there are several.",
        "Accuracy is the test accuracy after the last epoch. A run whose loss stopped being a number has \
         diverged and counts with 10 %. Box plots leave out runs at or below 10 %, as the paper does; \
         medians and tests keep them.",
        "Tests are computed on numbers of correct answers, so that equal accuracies tie.",
    ];
    let lines = lines.iter().map(|line| escape(line));
    let numbers = [
        format!(
            "Every figure but that of λ shows λ = {}. Moments, alignments and λ_max are means over fixed \
             batches of test images at the end of the last epoch.",
            report.samples.lambda
        ),
        format!(
            "Intervals are percentile bootstrap intervals of 95 % from {} resamples of a fixed seed.",
            statistics::RESAMPLES
        ),
        format!(
            "The {BEST} best settings of an ε are chosen on the test accuracy, as in the paper, which makes \
             them optimistic."
        ),
    ];
    list(lines.chain(numbers.iter().map(|line| escape(line))))
}

fn files(report: &Report) -> String {
    let tables = [
        ("statistics.csv", "every number of the statistics"),
        ("gains.csv", "forward + error against forward only"),
        ("verdicts.csv", "the claims and our numbers"),
    ];
    let tables = tables.map(|(name, what)| format!("<a href=\"{name}\">{name}</a>: {what}"));
    let plots = report.plots.iter().map(|plot| {
        let name = escape(plot.spec.name);
        format!(
            "<a href=\"{name}.csv\">{name}.csv</a>: {}",
            escape(plot.spec.title)
        )
    });
    list(tables.into_iter().chain(plots))
}

fn paragraph(class: &str, text: &str) -> String {
    match class {
        "" => format!("<p>{}</p>\n", escape(text)),
        class => format!("<p class=\"{class}\">{}</p>\n", escape(text)),
    }
}

/// A list of what is HTML already.
fn list(items: impl Iterator<Item = String>) -> String {
    let items = items.map(|item| format!("<li>{item}</li>\n"));
    format!("<ul>\n{}</ul>\n", items.collect::<String>())
}

/// Something that is HTML already, folded away.
fn details(summary: &str, content: &str) -> String {
    format!(
        "<details>\n<summary>{}</summary>\n{content}</details>\n",
        escape(summary)
    )
}

#[cfg(test)]
mod tests;
