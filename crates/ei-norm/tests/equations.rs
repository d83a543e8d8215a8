//! The equations of the documentation: `equations/*.tex`, rendered as MathML, which browsers show
//! without a script. To render after a change:
//! `EI_NORM_RENDER=1 cargo test --release --workspace --test equations`.

use std::fs;
use std::path::{Path, PathBuf};

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

fn library() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files under `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn rendered_equations_are_those_of_their_sources() {
    let converter = LatexToMathML::new(MathCoreConfig::default()).unwrap();
    let sources = files(&library().join("equations"), "tex");
    assert!(!sources.is_empty());
    for source in sources {
        let tex = fs::read_to_string(&source).unwrap();
        let rendering = converter
            .convert_with_local_state(tex.trim(), MathDisplay::Block)
            .unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        let rendered = source.with_extension("html");
        // In one line, for no blank one may stand in HTML within Markdown. With room below: rustdoc gives
        // what is taller than its line a scroll bar.
        let html = format!(
            "<div style=\"padding: 0.2em 0 0.4em\">{}</div>\n",
            rendering.mathml.trim()
        );
        if std::env::var_os("EI_NORM_RENDER").is_some() {
            fs::write(&rendered, &html).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&rendered).unwrap_or_default(),
            html,
            "{} is not what {} renders to",
            rendered.display(),
            source.display()
        );
    }
}

#[test]
fn every_equation_is_shown() {
    let code: Vec<String> = files(&library().join("src"), "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for rendered in files(&library().join("equations"), "html") {
        let name = rendered.file_name().unwrap().to_string_lossy().into_owned();
        let wanted = format!("equations/{name}\"");
        assert!(
            code.iter().any(|text| text.contains(&wanted)),
            "{name} is in no documentation"
        );
        assert!(
            rendered.with_extension("tex").exists(),
            "{name} has no source"
        );
    }
}
