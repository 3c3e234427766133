//! The closing block: what a person reads at the end of a recording or of a derivation.
//!
//! It has at most twelve lines, so that nothing that matters scrolls away. Lists give first, down to
//! a few things and a count; then what matters less is left out, with a line that names the command
//! which shows it. With `-v`, and where no file holds the rest, nothing is left out but the ends of
//! long lists; with both, nothing at all.

use std::{cmp::Reverse, iter};

/// The most lines.
const LINES: usize = 12;
/// What a list keeps as long as there is something that matters less.
const FEW: usize = 3;
/// What a list keeps in any case, at most: a machine has any number of containers.
const MANY: usize = 20;

/// How much something matters: what matters less is left out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Good to know.
    Note,
    /// What a person should look at.
    Finding,
    /// What was found out in all, whether it can be relied on, and where it is.
    Result,
    /// That something is missing: one thing of it stays, whatever else has to go.
    Loss,
    /// What is never left out.
    Always,
}

/// Lines about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClosingPart {
    weight: Weight,
    head: Option<String>,
    /// Each of one or more lines, which stay together.
    items: Vec<String>,
    /// What one of them is called: `and 3 more` of these. Empty: what the head says.
    what: &'static str,
    /// What the first so many are shown as, when there is no room for all; None: as they are, and a
    /// count.
    cuts: Option<Vec<Vec<String>>>,
    /// The command that shows the rest has it. What is not there can be seen in the files.
    is_recorded: bool,
    most: usize,
}

impl ClosingPart {
    /// A list.
    pub(super) fn list(weight: Weight, items: Vec<String>, what: &'static str) -> Self {
        let (head, cuts) = (None, None);
        Self { weight, head, items, what, cuts, is_recorded: true, most: MANY }
    }

    /// Lines that stand or fall together.
    pub(super) fn text(weight: Weight, text: impl Into<String>) -> Self {
        Self { most: 1, ..Self::list(weight, vec![text.into()], "") }
    }

    /// A list of the lines of a text; a hint belongs to the line above it.
    pub(super) fn lines(weight: Weight, text: &str, what: &'static str) -> Self {
        let mut items: Vec<String> = Vec::new();
        for line in text.lines() {
            match items.last_mut().filter(|_| line.starts_with("hint: ")) {
                Some(item) => {
                    item.push('\n');
                    item.push_str(line);
                }
                None => items.push(line.to_owned()),
            }
        }
        Self::list(weight, items, what)
    }

    /// The same below a line that says what the list is of.
    pub(super) fn below(self, head: String) -> Self {
        Self { head: Some(head), ..self }
    }

    /// The same, with a form of its own for each number of lines below that of the list.
    pub(super) fn or(self, cuts: Vec<Vec<String>>) -> Self {
        Self { cuts: Some(cuts), ..self }
    }

    /// The same, however long it is.
    pub(super) fn whole(self) -> Self {
        Self { most: usize::MAX, ..self }
    }

    /// The same, of files: whoever looks at the directory sees the rest.
    pub(super) fn of_files(self) -> Self {
        Self { is_recorded: false, ..self }
    }

    /// How many lines it takes with so many things of the list; None: left out.
    fn lines_with(&self, shown: Option<usize>) -> usize {
        self.render(shown, "").iter().map(|item| item.lines().count()).sum()
    }

    /// The next shorter form; None when there is none.
    fn shorter(&self, shown: Option<usize>) -> Option<Option<usize>> {
        let now = self.lines_with(shown);
        if self.weight == Weight::Always || now == 0 {
            return None;
        }
        let least = usize::from(self.head.is_none());
        let shorter = (least..shown?).rev().find(|fewer| self.lines_with(Some(*fewer)) < now);
        (shorter.is_some() || self.weight != Weight::Loss).then_some(shorter)
    }

    /// How many lines are shown nowhere, and not counted by `and 3 more` either.
    fn unsaid(&self, shown: Option<usize>) -> usize {
        match shown {
            None => self.lines_with(Some(self.items.len())),
            Some(0) => self.items.iter().map(|item| item.lines().count()).sum(),
            Some(_) => 0,
        }
    }

    fn render(&self, shown: Option<usize>, rest: &str) -> Vec<String> {
        let Some(shown) = shown else { return Vec::new() };
        let left = self.items.len() - shown;
        let cut = self.cuts.as_ref().and_then(|cuts| cuts.get(shown.checked_sub(1)?));
        if let Some(cut) = cut.filter(|_| left > 0) {
            return cut.clone();
        }
        let rest = if self.is_recorded { format!(": {rest}") } else { String::new() };
        let more = || format!("and {left} more{}{rest}", noun(left, self.what));
        let more = (shown > 0 && left > 0).then(more);
        self.head.iter().chain(&self.items[..shown]).cloned().chain(more).collect()
    }
}

/// Where everything is that the block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// In a file, which this command shows.
    File(String),
    /// In no file: what the block leaves out is shown nowhere else.
    NoFile,
}

impl Rest {
    /// What shows what is left out.
    fn shown_by(&self) -> &str {
        match self {
            Self::File(command) => command,
            Self::NoFile => "-v shows them",
        }
    }
}

/// The block: its parts in the order in which they are shown.
#[derive(Debug)]
pub(super) struct Block {
    parts: Vec<ClosingPart>,
    rest: Rest,
}

impl Block {
    /// A block of what there is to say.
    pub(super) fn new(parts: Vec<ClosingPart>, rest: Rest) -> Self {
        let parts = parts.into_iter().filter(|part| !part.items.is_empty() || part.head.is_some());
        Self { parts: parts.collect(), rest }
    }

    /// The block as a person reads it.
    pub(super) fn shown(mut self, verbose: bool) -> String {
        if verbose && self.rest == Rest::NoFile {
            self.parts = self.parts.into_iter().map(ClosingPart::whole).collect();
        }
        self.render((!verbose && self.rest != Rest::NoFile).then_some(LINES))
    }

    /// The same in at most so many lines; None: as many as it takes.
    pub(super) fn render(&self, most: Option<usize>) -> String {
        let shown = self.fit(most.unwrap_or(usize::MAX));
        let unsaid = self.unsaid(&shown);
        let rest = (unsaid > 0).then(|| {
            format!("and {unsaid} more{}: {}", noun(unsaid, "line"), self.rest.shown_by())
        });
        // Where the last of it would stand.
        let place =
            iter::zip(&self.parts, &shown).rposition(|(part, shown)| part.unsaid(*shown) > 0);
        let mut lines: Vec<String> = Vec::new();
        for (at, (part, shown)) in iter::zip(&self.parts, shown).enumerate() {
            lines.extend(part.render(shown, self.rest.shown_by()));
            lines.extend(rest.clone().filter(|_| Some(at) == place));
        }
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// How many things of each part are shown, so that the whole fits.
    fn fit(&self, most: usize) -> Vec<Option<usize>> {
        let mut shown: Vec<Option<usize>> =
            self.parts.iter().map(|part| Some(part.items.len().min(part.most))).collect();
        while self.height(&shown) > most {
            let Some((at, shorter)) = self.next_to_give(&shown) else { break };
            shown[at] = shorter;
        }
        self.put_back(&mut shown, most);
        shown
    }

    /// Shows again what there is room for after all: something long may have made much of it.
    fn put_back(&self, shown: &mut [Option<usize>], most: usize) {
        let mut left_out: Vec<usize> = (0..shown.len()).filter(|at| shown[*at].is_none()).collect();
        left_out.sort_by_key(|at| Reverse(self.parts[*at].weight));
        for at in left_out {
            let part = &self.parts[at];
            let all = part.items.len().min(part.most);
            for length in (usize::from(part.head.is_none())..=all).rev() {
                shown[at] = Some(length);
                if self.height(shown) <= most {
                    break;
                }
                shown[at] = None;
            }
        }
    }

    fn height(&self, shown: &[Option<usize>]) -> usize {
        let lines = iter::zip(&self.parts, shown).map(|(part, shown)| part.lines_with(*shown));
        lines.sum::<usize>() + usize::from(self.unsaid(shown) > 0)
    }

    fn unsaid(&self, shown: &[Option<usize>]) -> usize {
        iter::zip(&self.parts, shown).map(|(part, shown)| part.unsaid(*shown)).sum()
    }

    /// Which part gives next, and what is left of it: the longest list with more than a few things;
    /// then what matters least, lists with more than one thing first, and the longest of them.
    fn next_to_give(&self, shown: &[Option<usize>]) -> Option<(usize, Option<usize>)> {
        let parts = iter::zip(&self.parts, shown).enumerate();
        let shorter = parts.filter_map(|(at, (part, shown))| {
            let shorter = part.shorter(*shown)?;
            let things = if part.most > 1 { shown.unwrap_or_default() } else { 0 };
            // Its first thing says that something is missing; the others are one kind of result.
            let weight = if things < 2 { part.weight } else { part.weight.min(Weight::Result) };
            let matters = if things > FEW { None } else { Some((weight, things < 2)) };
            Some(((matters, usize::MAX - part.lines_with(*shown)), at, shorter))
        });
        shorter.min_by_key(|(order, ..)| *order).map(|(_, at, shorter)| (at, shorter))
    }
}

/// The noun behind a number, with a space before it.
fn noun(count: usize, what: &str) -> String {
    match (count, what.split_once(" of ")) {
        _ if what.is_empty() => String::new(),
        (1, _) => format!(" {what}"),
        (_, Some((noun, rest))) => format!(" {noun}s of {rest}"),
        (_, None) => format!(" {what}s"),
    }
}

/// Parts as they are, without a limit but that of long lists.
pub(super) fn in_full(parts: Vec<ClosingPart>) -> String {
    Block::new(parts, Rest::NoFile).render(None)
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
