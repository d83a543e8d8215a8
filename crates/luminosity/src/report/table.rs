//! A table of text, for CSV files and for the page.

use super::text::escape;
use crate::Error;

/// Named columns and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// The table as CSV with a header.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, which names the file `name`.
    pub fn csv(&self, name: &str) -> Result<Vec<u8>, Error> {
        let fail = |e: &dyn std::fmt::Display| Error::file(std::path::Path::new(name), e);
        let mut csv = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            csv.write_record(row).map_err(|e| fail(&e))?;
        }
        csv.into_inner().map_err(|e| fail(&e))
    }

    /// The table as HTML. The first cell of a row is its heading.
    pub fn html(&self) -> String {
        let first = self.rows.first();
        let head = self.columns.iter().enumerate().map(|(i, name)| {
            let below = first.and_then(|row| row.get(i));
            match below.is_some_and(|text| is_text(text)) {
                true => cell("th scope=\"col\" class=\"text\"", name),
                false => cell("th scope=\"col\"", name),
            }
        });
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().enumerate().map(|(i, text)| match i {
                0 => cell("th scope=\"row\"", text),
                _ if is_text(text) => cell("td class=\"text\"", text),
                _ => cell("td", text),
            });
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        });
        format!(
            "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
            head.collect::<String>(),
            rows.collect::<String>()
        )
    }
}

/// Whether a cell is words, which start at the left, rather than a number.
fn is_text(cell: &str) -> bool {
    cell.starts_with(char::is_alphabetic)
}

fn cell(tag: &str, text: &str) -> String {
    let name = tag.split(' ').next().unwrap_or(tag);
    format!("<{tag}>{}</{name}>", escape(text))
}
