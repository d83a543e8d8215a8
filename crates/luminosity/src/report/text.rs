//! Numbers and names as text.

/// The text in place of a missing number.
pub const NONE: &str = "–";

/// Escapes text for HTML, between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Characters that HTML does not allow in a document.
            c if c.is_control() && !c.is_whitespace() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number for a CSV file, with all its digits; empty if there is no number.
pub fn exact(value: Option<f64>) -> String {
    value
        .filter(|v| v.is_finite())
        .map_or_else(String::new, |v| v.to_string())
}

/// A number for readers.
pub fn fixed(value: Option<f64>, digits: usize) -> String {
    match value.filter(|v| v.is_finite()) {
        Some(v) => minus(format!("{v:.digits$}")),
        None => NONE.to_owned(),
    }
}

/// A difference for readers, with its sign.
pub fn signed(value: f64, digits: usize) -> String {
    match value.is_finite() {
        true => minus(format!("{value:+.digits$}")),
        false => NONE.to_owned(),
    }
}

/// A p-value for readers, with two digits; below a thousandth as a bound.
pub fn p_value(p: Option<f64>) -> String {
    match p.filter(|p| p.is_finite()) {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) if p < 0.01 => format!("{p:.4}"),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
        None => NONE.to_owned(),
    }
}

/// `p = 0.012` or `p < 0.001`.
pub fn p_equals(p: f64) -> String {
    match p_value(Some(p)) {
        text if text.starts_with('<') => format!("p {text}"),
        text => format!("p = {text}"),
    }
}

/// The mark of a p-value in a figure; empty without a test.
pub fn stars(p: Option<f64>) -> &'static str {
    match p {
        Some(p) if p < 0.001 => "***",
        Some(p) if p < 0.01 => "**",
        Some(p) if p < 0.05 => "*",
        Some(_) => "n.s.",
        None => "",
    }
}

/// The name of a range of luminosity.
pub fn epsilon(epsilon: f64) -> String {
    format!("ε = {epsilon}")
}

/// A count with its noun: `1 run`, `2 runs`.
pub fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// Removes the minus of a rounded zero, and uses a minus sign that is as wide as a plus.
fn minus(text: String) -> String {
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| "0.".contains(c)) => zero.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_itself() {
        assert_eq!(
            escape("<script>alert('a' & \"b\")</script>\u{0}"),
            "&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;\u{fffd}"
        );
    }

    #[test]
    fn numbers_are_rounded_for_readers_alone() {
        assert_eq!(exact(Some(0.1 + 0.2)), "0.30000000000000004");
        assert_eq!(exact(Some(f64::NAN)), "");
        assert_eq!(signed(-0.004, 2), "0.00");
        assert_eq!(signed(-1.26, 1), "−1.3");
        assert_eq!(signed(1.26, 1), "+1.3");
        assert_eq!(fixed(None, 1), NONE);
        assert_eq!(p_equals(0.0004), "p < 0.001");
        assert_eq!(p_equals(0.0125), "p = 0.013");
        let marks = [0.0009, 0.009, 0.049, 0.05].map(|p| stars(Some(p)));
        assert_eq!(marks, ["***", "**", "*", "n.s."]);
    }
}
