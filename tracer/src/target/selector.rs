//! Label selectors, as `kubectl -l` takes them. Pure.
//!
//! The language is that of `k8s.io/apimachinery`, `pkg/labels`: requirements with commas between
//! them, of which each must hold. `!=` and `notin` hold for pods that lack the label as well.
//! Labels are compared as text: which texts may be labels is the API server's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;

use crate::text::escape;

/// The longest selector that is read, in bytes.
const LONGEST: usize = 4096;

/// The labels of a pod.
pub type PodLabels = BTreeMap<String, String>;

/// Which labels pods must have. The empty one holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    demand: Demand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Demand {
    Exists,
    Lacks,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
}

/// A selector that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{}` is no label selector: {why}\n\nhint: write it as for kubectl -l: app=web,tier!=cache or 'app in (web, api)'",
    escape(.text)
)]
pub struct SelectorError {
    /// As typed.
    text: String,
    /// What is wrong with it.
    why: String,
}

impl Selector {
    /// Holds for every pod.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Does a pod with these labels fulfil it?
    pub fn holds(&self, labels: &PodLabels) -> bool {
        self.requirements.iter().all(|one| match (&one.demand, labels.get(&one.key)) {
            (Demand::Exists, value) => value.is_some(),
            (Demand::Lacks, value) => value.is_none(),
            (Demand::In(wanted), value) => value.is_some_and(|value| wanted.contains(value)),
            (Demand::NotIn(wanted), value) => !value.is_some_and(|value| wanted.contains(value)),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let refused = |why: &str| SelectorError { text: text.to_owned(), why: why.to_owned() };
        if text.trim().is_empty() {
            return Err(refused("it is empty"));
        }
        if text.len() > LONGEST {
            return Err(refused("it is too long"));
        }
        let parts = split(text).ok_or_else(|| refused("a parenthesis is missing"))?;
        let requirements: Result<_, String> = parts.into_iter().map(requirement).collect();
        Ok(Self { text: text.to_owned(), requirements: requirements.map_err(|why| refused(&why))? })
    }
}

/// At the commas that are in no parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut is_inside) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b')' if is_inside == (byte == b'(') => return None,
            b'(' | b')' => is_inside = byte == b'(',
            b',' if !is_inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!is_inside).then_some(parts)
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let text = text.trim();
    let one = |value: &str| BTreeSet::from([value.to_owned()]);
    let (key, demand) = if let Some(key) = text.strip_prefix('!') {
        (key, Demand::Lacks)
    } else if let Some((key, values)) = text.split_once('(') {
        let (key, word) = key.trim().split_once(char::is_whitespace).unwrap_or((key, ""));
        let values = values.strip_suffix(')').ok_or("something follows a parenthesis")?;
        let values: BTreeSet<String> =
            values.split(',').map(|value| value.trim().to_owned()).collect();
        for value in &values {
            is_value(value)?;
        }
        let demand = match word.trim() {
            "in" => Demand::In(values),
            "notin" => Demand::NotIn(values),
            _ => return Err("write `in` or `notin` before a parenthesis".to_owned()),
        };
        (key, demand)
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, Demand::NotIn(one(value.trim())))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key, Demand::In(one(value.trim())))
    } else {
        (text, Demand::Exists)
    };
    if let Demand::In(values) | Demand::NotIn(values) = &demand {
        values.iter().try_for_each(|value| is_value(value))?;
    }
    let key = key.trim();
    let (prefix, name) =
        key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let fits = !name.is_empty()
        && name.len() <= 63
        && prefix.is_none_or(|prefix| !prefix.is_empty() && prefix.len() <= 253)
        && [name, prefix.unwrap_or_default()].iter().all(|part| part.bytes().all(is_label_byte));
    if !fits {
        return Err(format!("`{}` is no label", escape(key)));
    }
    Ok(Requirement { key: key.to_owned(), demand })
}

/// The values of labels have at most 63 letters, digits, `-`, `_` and `.`.
fn is_value(value: &str) -> Result<(), String> {
    if value.len() <= 63 && value.bytes().all(is_label_byte) {
        return Ok(());
    }
    Err(format!("`{}` is no value of a label", escape(value)))
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> PodLabels {
        let pairs = text.split(',').filter(|pair| !pair.is_empty());
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn selectors_hold_as_kubectls_do() {
        for (selector, held, not_held) in [
            (
                "app=web",
                &["app=web", "app=web,tier=x"][..],
                &["app=api", "", "application=web"][..],
            ),
            ("app==web", &["app=web"], &["app=api"]),
            ("app!=web", &["app=api", ""], &["app=web"]),
            ("app", &["app=", "app=x"], &["", "web=app"]),
            ("!app", &["", "web=app"], &["app="]),
            ("app=", &["app="], &["", "app=x"]),
            ("app in (web, api)", &["app=web", "app=api"], &["app=db", ""]),
            ("app notin (web,api)", &["app=db", ""], &["app=web"]),
            (
                "app=web,tier!=cache",
                &["app=web", "app=web,tier=x"],
                &["app=web,tier=cache", "tier=x"],
            ),
            (
                "app.kubernetes.io/name=web , tier in (a,b)",
                &["app.kubernetes.io/name=web,tier=b"],
                &["name=web,tier=b", "app.kubernetes.io/name=web"],
            ),
        ] {
            let read: Selector = selector.parse().expect(selector);
            assert_eq!(read.to_string(), selector);
            for text in held {
                assert!(read.holds(&labels(text)), "{selector}: {text}");
            }
            for text in not_held {
                assert!(!read.holds(&labels(text)), "{selector}: {text}");
            }
        }
        assert!(Selector::default().holds(&labels("")) && Selector::default().is_empty());
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let long = format!("app={}", "a".repeat(64));
        for (text, part) in [
            ("", "empty"),
            (" ", "empty"),
            ("app=web,", "`` is no label"),
            ("=web", "`` is no label"),
            ("app=a b", "`a b` is no value"),
            ("app in (a", "parenthesis"),
            ("app in a)", "parenthesis"),
            ("app near (a)", "`in` or `notin`"),
            ("app in (a) x", "follows a parenthesis"),
            ("app in ((a))", "parenthesis"),
            ("a/b/c=d", "`a/b/c` is no label"),
            ("app=\u{1b}[2J", "no value"),
            (long.as_str(), "no value"),
        ] {
            let error = text.parse::<Selector>().expect_err(text).to_string();
            assert!(error.contains(part) && error.contains("hint: "), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'), "{text:?}");
        }
        assert!("a".repeat(LONGEST + 1).parse::<Selector>().is_err());
    }
}
