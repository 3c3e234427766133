//! A report as one page: nothing is loaded from anywhere, and the page may load nothing.
//!
//! The content security policy names the style and the script of this program by their hashes, so
//! that a browser runs nothing else even if something else got in.

mod chart;
mod parts;
mod sections;
mod tables;
mod writer;

use self::writer::Html;
use super::RecordingReport;

/// How the page looks.
pub const STYLE: &str = include_str!("style.css");
/// Sorts tables by the column whose heading is clicked. Without it, they stand in their order.
pub const SCRIPT: &str = include_str!("sort.js");

/// What a browser may use: the style and the script with these SHA-256 hashes, in base64. A test
/// computes them anew.
pub const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-Vr9eCxboIFp+VXZY6Qwh19GJDQ/KarsRYjiVsd6/1Hk='; script-src 'sha256-LPFeMn5IG+l/PL/xc2Je81mGyhZZBb30kiUMoUnbjh0='";

/// Writes the page.
pub fn write(report: &RecordingReport) -> String {
    let mut page = Html::default();
    page.markup("<!DOCTYPE html>\n");
    page.element("html", &[("lang", "en")], |html| {
        html.line();
        html.element("head", &[], |head| {
            head.void("meta", &[("charset", "utf-8")]);
            head.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            let scale = [("name", "viewport"), ("content", "width=device-width, initial-scale=1")];
            head.void("meta", &scale);
            head.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
            head.leaf("title", &[], &format!("Syscalls of {}", report.title));
            head.element("style", &[], |style| style.markup(STYLE));
        });
        html.line();
        html.element("body", &[], |body| {
            sections::write(body, report);
            body.element("script", &[], |script| script.markup(SCRIPT));
        });
    });
    page.line();
    page.finish()
}
