//! A table, with all digits in CSV files and with few on the page.

use std::borrow::Borrow;

use super::text::{self, escape};

/// A column of a table of `T`: its names for programs and for readers, and the cell of a row. A column without
/// the second name is not shown to readers.
pub type Column<T> = (&'static str, &'static str, fn(&T) -> Cell);

/// A table for programs and for readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    names: Vec<[&'static str; 2]>,
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
pub fn fixed(v: impl Into<Option<f64>>, digits: usize) -> Cell {
    let v = v.into();
    value(text::exact(v), text::fixed(v, digits))
}

/// A difference.
pub fn difference(v: impl Into<Option<f64>>, digits: usize) -> Cell {
    let v = v.into();
    value(text::exact(v), text::signed(v.unwrap_or(f64::NAN), digits))
}

/// A p-value.
pub fn p(v: impl Into<Option<f64>>) -> Cell {
    let v = v.into();
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
    /// The table with a row for each value.
    pub fn new<T>(columns: &[Column<T>], values: impl Iterator<Item = impl Borrow<T>>) -> Self {
        let row = |value: &T| columns.iter().map(|(.., cell)| cell(value)).collect();
        Self {
            names: columns.iter().map(|c| [c.0, c.1]).collect(),
            rows: values.map(|value| row(value.borrow())).collect(),
        }
    }

    /// The table as CSV with a header.
    pub fn csv(&self) -> Vec<u8> {
        let header = self.names.iter().map(|[name, _]| *name).collect();
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.iter().map(|cell| cell.exact.as_str()).collect());
        csv(std::iter::once(header).chain(rows))
    }

    /// The table as HTML, in a scrollable box. The first cell of a row is its heading.
    pub fn html(&self) -> String {
        let class = |cell: &Cell| if cell.words { " class=\"text\"" } else { "" };
        let line = |cell: &dyn Fn(usize) -> String| {
            let shown = (0..self.names.len()).filter(|i| !self.names[*i][1].is_empty());
            format!("<tr>{}</tr>", shown.map(cell).collect::<String>())
        };
        let head = line(&|i| {
            let class = self.rows.first().map_or("", |row| class(&row[i]));
            format!("<th scope=\"col\"{class}>{}</th>", escape(self.names[i][1]))
        });
        let rows = self.rows.iter().map(|row| {
            let cells = line(&|i| {
                let (class, text) = (class(&row[i]), escape(&row[i].short));
                match i {
                    0 => format!("<th scope=\"row\"{class}>{text}</th>"),
                    _ => format!("<td{class}>{text}</td>"),
                }
            });
            cells + "\n"
        });
        format!(
            "<div class=\"wide\"><table>\n<thead>{head}</thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
            rows.collect::<String>()
        )
    }
}

/// Rows of the same length as CSV.
pub fn csv<'a>(rows: impl Iterator<Item = Vec<&'a str>>) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.write_record(row).expect("rows of the same length");
    }
    csv.into_inner().expect("memory takes all bytes")
}
