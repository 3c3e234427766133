//! What the sections of the page are made of.

use super::writer::Html;
use crate::workbench::numbers::count;

/// The most rows about recordings, containers and targets.
pub(super) const ROWS: usize = 60;

/// A section with its heading.
pub(super) fn section(page: &mut Html, title: &str, inside: impl FnOnce(&mut Html)) {
    page.line();
    page.element("section", &[], |section| {
        section.leaf("h2", &[], title);
        inside(section);
    });
}

/// How many rows are left out.
pub(super) fn more(all: usize) -> String {
    match all.checked_sub(ROWS) {
        None | Some(0) => String::new(),
        Some(rest) => format!(" and {} more", count(rest)),
    }
}

/// A table with the names and classes of its columns.
pub(super) fn table(
    page: &mut Html,
    sortable: bool,
    heads: &[(&str, &str)],
    rows: impl FnOnce(&mut Html),
) {
    let class = if sortable { "sortable" } else { "" };
    page.element("div", &[("class", "scroll"), ("tabindex", "0")], |scroll| {
        scroll.element("table", &[("class", class)], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for (name, class) in heads {
                        row.leaf("th", &[("scope", "col"), ("class", class)], name);
                    }
                });
            });
            table.element("tbody", &[], rows);
        });
    });
}
