use super::*;
use crate::record::SweepRecord;
use crate::report::testing::{complete, expected, records, report};

/// The names of all tags; checks that every opened tag is closed, in order.
fn tags(html: &str) -> Vec<&str> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").unwrap().1;
            continue;
        }
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        assert!(!tag.contains('<'), "{tag}");
        let name = tag.split([' ', '/', '\n']).find(|n| !n.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            open.push(name);
        }
        all.push(name);
    }
    assert_eq!(open, Vec::<&str>::new());
    all
}

#[test]
fn the_page_is_well_formed_and_stands_alone() {
    let report = complete();
    let html = html(&report);
    let tags = tags(&html);
    for tag in ["script", "img", "link", "iframe", "object"] {
        assert!(!tags.contains(&tag), "{tag}");
    }
    assert!(!html.contains("src=") && !html.contains("@import") && !html.contains("url("));
    assert!(!html.contains("href=\"http"));
    let drawings = tags.iter().filter(|t| **t == "svg");
    assert_eq!(drawings.count(), 2 * report.plots.len());
    assert_eq!(report.plots.len(), 14);
    for plot in &report.plots {
        assert!(html.contains(&plot.figure.svg));
        assert!(html.contains(&format!("href=\"{}.svg\"", plot.spec.name)));
    }
    for (name, _) in TABLES {
        assert!(html.contains(&format!("href=\"{name}\"")));
    }
}

#[test]
fn links_and_bytes_are_those_of_the_files() {
    let report = complete();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/report");
    let written = report.write(&folder).unwrap();
    assert!(written[0].ends_with("report.html"));
    let page = std::fs::read_to_string(&written[0]).unwrap();
    assert_eq!(page, html(&report));
    for link in page.split("href=\"").skip(1) {
        let target = link.split('"').next().unwrap();
        match target.strip_prefix('#') {
            Some(id) => assert!(page.contains(&format!("id=\"{id}\"")), "{id}"),
            None => assert!(folder.join(target).is_file(), "{target}"),
        }
    }
    let again = report.files();
    assert_eq!(written.len(), again.len());
    for (path, (name, content)) in written.iter().zip(again) {
        assert!(path.ends_with(&name));
        assert_eq!(std::fs::read(path).unwrap(), content, "{name}");
    }
}

#[test]
fn the_answer_comes_first_and_names_the_data() {
    let report = complete();
    let html = html(&report);
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    let order = [
        "Fashion-MNIST under variable luminosity",
        "data-main=\"effect\"",
        "data-main=\"figure\"",
        "id=\"verdicts\"",
        "id=\"figures\"",
    ];
    assert!(order.map(place).is_sorted());
    assert_eq!(html.matches("class=\"bar\"").count(), 4);
    assert!(html.contains("Of 10 claims: 10 agrees."));
    assert!(!html.contains("different devices"));
}

#[test]
fn claims_without_runs_are_a_list_below_the_judged_ones() {
    let judged = ["inorm", "inorm+full"];
    let judged = |r: &SweepRecord| judged.contains(&r.run.config.condition.name());
    let html = html(&report(records().into_iter().filter(judged), &[]));
    tags(&html);
    assert!(html.contains("Of 10 claims: 4 agrees, 6 not run."));
    let (articles, list) = html.split_once("Not run:").unwrap();
    assert_eq!(html.matches("<article").count(), 4);
    assert_eq!(articles.matches("<article").count(), 4);
    assert!(list.contains("<li>Centering errors"), "{list}");
}

#[test]
fn claims_are_judged_on_the_papers_task_alone_and_mixed_devices_are_named() {
    let mut records = records();
    records[0].run.data_sha256 = "of other images".to_owned();
    for (i, record) in records.iter_mut().enumerate() {
        record.run.version = ["1.0.0", "1.0.1"][i % 2].to_owned();
        record.run.data = "KMNIST (60,000 training and 10,000 test images) in /data".to_owned();
        record.run.timing.machine =
            Some(["a, 1 core", "b, 2 cores", "b, 9 cores"][i % 3].to_owned());
        record.run.timing.population = [None, Some(8)][i % 2];
    }
    let report = report(records, &expected());
    assert!(report.verdicts.is_empty());
    let html = html(&report);
    tags(&html);
    for text in [
        "runs are of KMNIST under variable luminosity (mlp) and differ in data, so no claim",
        "alone and in populations, which round differently: cpu; a; b; alone; in populations.",
        "different versions of the program, whose numbers are the same bits: 1.0.0; 1.0.1.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("verdicts.csv") && !html.contains("class=\"ruling\""));
    let files = report.files();
    assert!(files.iter().all(|(name, _)| name != "verdicts.csv"));
}

#[test]
fn what_records_say_is_text() {
    let mut records = records();
    for record in &mut records {
        record.run.data = "<script>alert(1)</script> & \"more\"".to_owned();
        record.run.device = "</dd></main>".to_owned();
    }
    let html = html(&report(records, &expected()));
    tags(&html);
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
}
