//! Charts, as SVG that scales with the page. Words stand beside them, so that they keep their size.

use std::fmt::Write as _;

use super::writer::Html;
use crate::workbench::report::discovery::Discovery;

/// The size of the curve's own coordinates; the page stretches them.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
/// Beginnings of more recordings than this would hide the curve.
const MOST_BOUNDARIES: usize = 40;

/// How many syscalls were known at each time: a stair that rises with each new one.
pub(super) fn discovery(page: &mut Html, discovery: &Discovery) {
    let seconds = discovery.seconds.max(f64::MIN_POSITIVE);
    let total = discovery.total().max(1) as f64;
    let x = |time: f64| (time / seconds).clamp(0.0, 1.0) * WIDTH;
    let y = |count: usize| HEIGHT - count as f64 / total * HEIGHT;
    let mut stair = format!("M0 {HEIGHT}");
    for (time, count) in &discovery.points {
        // Writing to a String cannot fail.
        let _ = write!(stair, "H{:.2}V{:.2}", x(*time), y(*count));
    }
    let _ = write!(stair, "H{WIDTH}");
    let area = format!("{stair}V{HEIGHT}Z");
    let label = format!("{} syscalls were seen, each at its time", discovery.total());
    let size = format!("0 0 {WIDTH} {HEIGHT}");
    let attributes = [
        ("class", "curve"),
        ("viewBox", size.as_str()),
        ("preserveAspectRatio", "none"),
        ("role", "img"),
        ("aria-label", &label),
    ];
    page.element("svg", &attributes, |svg| {
        for quarter in 1..4 {
            line(svg, "grid", (0.0, HEIGHT / 4.0 * f64::from(quarter)), (WIDTH, 0.0));
        }
        if discovery.boundaries.len() <= MOST_BOUNDARIES {
            for boundary in &discovery.boundaries {
                line(svg, "boundary", (x(*boundary), 0.0), (0.0, HEIGHT));
            }
        }
        svg.element("path", &[("class", "area"), ("d", &area)], |_| {});
        svg.element("path", &[("class", "stair"), ("d", &stair)], |_| {});
    });
}

/// A line from a point, by its extent.
fn line(svg: &mut Html, class: &'static str, from: (f64, f64), extent: (f64, f64)) {
    let path = format!("M{:.2} {:.2}l{} {}", from.0, from.1, extent.0, extent.1);
    svg.element("path", &[("class", class), ("d", &path)], |_| {});
}

/// A bar for a part of a whole.
pub(super) fn bar(page: &mut Html, part: usize, whole: usize) {
    let width = format!("{:.1}", part as f64 / whole.max(1) as f64 * 100.0);
    let attributes = [
        ("class", "bar"),
        ("viewBox", "0 0 100 8"),
        ("preserveAspectRatio", "none"),
        ("aria-hidden", "true"),
    ];
    page.element("svg", &attributes, |svg| {
        let ground = [("class", "ground"), ("width", "100"), ("height", "8")];
        svg.element("rect", &ground, |_| {});
        let filled = [("class", "filled"), ("width", width.as_str()), ("height", "8")];
        svg.element("rect", &filled, |_| {});
    });
}
