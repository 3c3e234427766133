//! The results of all kernels and checks, for people.

use std::fmt;
use std::sync::Mutex;

use tests::virtual_machine::{CHECKS, Verdict};

/// How a check ended on a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Passed, failed or skipped.
    pub verdict: Verdict,
    /// How long it took.
    pub seconds: f64,
}

impl Cell {
    /// Of a check that was not reported.
    pub fn lost() -> Self {
        Self { verdict: Verdict::Failed, seconds: 0.0 }
    }
}

/// All of them so far.
#[derive(Debug, Default)]
pub struct Table(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    cells: Vec<(String, String, Cell)>,
    figures: Vec<String>,
}

impl Table {
    /// Notes how a check ended.
    pub fn set(&self, kernel: &str, check: &str, cell: Cell) {
        let mut content = self.0.lock().expect("no holder panics");
        content.cells.push((kernel.to_owned(), check.to_owned(), cell));
    }

    /// Notes a line of figures, once.
    pub fn add_figures(&self, line: String) {
        let figures = &mut self.0.lock().expect("no holder panics").figures;
        if !figures.contains(&line) {
            figures.push(line);
        }
    }
}

impl Content {
    fn cell(&self, kernel: &str, check: &str) -> String {
        let cell = self.cells.iter().rfind(|cell| cell.0 == kernel && cell.1 == check);
        cell.map_or_else(
            || "-".to_owned(),
            |(_, _, cell)| format!("{} {:.1} s", cell.verdict.word(), cell.seconds),
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.0.lock().expect("no holder panics");
        let mut kernels: Vec<&str> = content.cells.iter().map(|cell| cell.0.as_str()).collect();
        kernels.sort_unstable_by_key(|kernel| {
            let numbers: Vec<u32> =
                kernel.split('.').filter_map(|number| number.parse().ok()).collect();
            (numbers.is_empty(), numbers)
        });
        kernels.dedup();
        if kernels.is_empty() {
            return Ok(());
        }
        write!(formatter, "{:14}", "")?;
        kernels.iter().try_for_each(|kernel| write!(formatter, "{kernel:>14}"))?;
        writeln!(formatter)?;
        for check in CHECKS {
            let cells: Vec<String> =
                kernels.iter().map(|kernel| content.cell(kernel, check.name)).collect();
            if cells.iter().any(|cell| cell != "-") {
                write!(formatter, "{:14}", check.name)?;
                cells.iter().try_for_each(|cell| write!(formatter, "{cell:>14}"))?;
                writeln!(formatter)?;
            }
        }
        content.figures.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
