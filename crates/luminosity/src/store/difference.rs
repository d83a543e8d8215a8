//! Where two JSON values part.

use serde_json::Value;

/// The longest value that is shown whole.
const LONGEST: usize = 120;

/// The first place where two values differ.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    /// The way to it, such as `asked.seeds[3]`.
    pub key: String,
    /// What one has there, or `nothing`.
    pub left: String,
    /// What the other has there.
    pub right: String,
}

/// The first difference, or none.
pub(super) fn first(left: &Value, right: &Value) -> Option<Difference> {
    descend(String::new(), Some(left), Some(right))
}

fn descend(key: String, left: Option<&Value>, right: Option<&Value>) -> Option<Difference> {
    match (left, right) {
        (Some(left), Some(right)) if left == right => None,
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let keys = left.keys().chain(right.keys());
            keys.into_iter().find_map(|name| {
                let dot = if key.is_empty() { "" } else { "." };
                descend(format!("{key}{dot}{name}"), left.get(name), right.get(name))
            })
        }
        // A list that grew is better told by its first new element than by two whole lists.
        (Some(Value::Array(left)), Some(Value::Array(right))) => (0..left.len().max(right.len()))
            .find_map(|i| descend(format!("{key}[{i}]"), left.get(i), right.get(i))),
        (left, right) => Some(Difference {
            key,
            left: show(left),
            right: show(right),
        }),
    }
}

fn show(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let case = |left: Value, right: Value| {
            first(&left, &right).map(|d| format!("{} {} {}", d.key, d.left, d.right))
        };
        let base = json!({"a": {"epochs": 3, "seeds": [1, 2]}, "b": null});
        assert_eq!(case(base.clone(), base.clone()), None);
        let mut other = base.clone();
        other["a"]["epochs"] = json!(4);
        assert_eq!(case(base.clone(), other).unwrap(), "a.epochs 3 4");
        let mut other = base.clone();
        other["a"]["seeds"] = json!([1, 2, 9]);
        assert_eq!(case(base.clone(), other).unwrap(), "a.seeds[2] nothing 9");
        let mut other = base.clone();
        other["c"] = json!("x".repeat(500));
        let shown = case(base.clone(), other).unwrap();
        assert!(shown.starts_with("c nothing \"xxx") && shown.chars().count() < 140);
        assert_eq!(
            case(base, json!(7)).unwrap().split(' ').next_back(),
            Some("7")
        );
    }
}
