//! A table, with all digits in CSV files and with few on the page.

use super::text::{self, escape};
use crate::Error;

/// A table for programs and for readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Two names for each column: for programs and for readers; a column without the second name is not shown
    /// to readers.
    pub columns: Vec<(&'static str, &'static str)>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// The content of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The text for programs.
    exact: String,
    /// The text for readers.
    short: String,
    /// Whether it is text, which is aligned left.
    words: bool,
}

/// A cell with text.
pub fn words(text: &str) -> Cell {
    Cell {
        words: true,
        ..number(text)
    }
}

/// A number without rounding.
pub fn number(v: impl ToString) -> Cell {
    value(v.to_string(), v.to_string())
}

/// A number that is rounded for readers.
pub fn fixed(v: Option<f64>, digits: usize) -> Cell {
    value(text::exact(v), text::fixed(v, digits))
}

/// A difference.
pub fn difference(v: Option<f64>, digits: usize) -> Cell {
    value(text::exact(v), text::signed(v.unwrap_or(f64::NAN), digits))
}

/// A p-value.
pub fn p(v: Option<f64>) -> Cell {
    value(text::exact(v), text::p_value(v))
}

fn value(exact: String, short: String) -> Cell {
    Cell {
        exact,
        short,
        words: false,
    }
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[(&'static str, &'static str)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// The table as CSV with a header.
    ///
    /// # Errors
    ///
    /// If the table cannot be encoded; the error names the file `name`.
    pub fn csv(&self, name: &str) -> Result<Vec<u8>, Error> {
        let header = self.columns.iter().map(|column| column.0).collect();
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.iter().map(|cell| cell.exact.as_str()).collect());
        csv(name, std::iter::once(header).chain(rows))
    }

    /// The table as HTML, in a scrollable box. The first cell of a row is its heading.
    pub fn html(&self) -> String {
        let line = |cells: Vec<(&str, &str)>, heading: bool| -> String {
            let shown = cells.into_iter().zip(&self.columns).enumerate();
            let shown = shown.filter(|(_, (_, column))| !column.1.is_empty());
            let cells = shown.map(|(i, ((class, text), _))| {
                let (tag, scope) = match (heading, i) {
                    (true, _) => ("th", " scope=\"col\""),
                    (false, 0) => ("th", " scope=\"row\""),
                    _ => ("td", ""),
                };
                format!("<{tag}{scope}{class}>{}</{tag}>", escape(text))
            });
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
        let class = |cell: &Cell| if cell.words { " class=\"text\"" } else { "" };
        let classes = self.rows.first().into_iter().flatten().map(class);
        let head = classes.zip(self.columns.iter().map(|column| column.1));
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().map(|cell| (class(cell), cell.short.as_str()));
            line(cells.collect(), false) + "\n"
        });
        format!(
            "<div class=\"wide\"><table>\n<thead>{}</thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
            line(head.collect(), true),
            rows.collect::<String>()
        )
    }
}

/// Rows as CSV.
///
/// # Errors
///
/// If they cannot be encoded; the error names the file `name`.
pub fn csv<'a>(name: &str, rows: impl Iterator<Item = Vec<&'a str>>) -> Result<Vec<u8>, Error> {
    let fail = |e: &dyn std::fmt::Display| Error::file(std::path::Path::new(name), e);
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.write_record(row).map_err(|e| fail(&e))?;
    }
    csv.into_inner().map_err(|e| fail(&e))
}
