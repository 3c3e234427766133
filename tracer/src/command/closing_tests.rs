//! Tests of what stands in the closing block when there is more to say than it has room for.

use super::*;

fn items(of: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{of} {number}")).collect()
}

/// A recording of which there is everything to say.
fn everything(count: usize) -> Vec<ClosingPart> {
    let losses = items("incomplete: loss", count);
    let losses = losses.iter().map(|loss| format!("{loss}\nhint: remedy")).collect();
    vec![
        ClosingPart::text(Weight::Always, "stopped"),
        ClosingPart::text(Weight::Always, "82 calls allowed"),
        ClosingPart::text(Weight::Note, "the last new call"),
        ClosingPart::list(Weight::Note, items("note", count), "note"),
        ClosingPart::list(Weight::Result, items("  beyond", count), "")
            .below("beyond: all".to_owned()),
        ClosingPart::list(Weight::Finding, items("  denied", count), "")
            .below("denied:".to_owned()),
        ClosingPart::list(Weight::Note, items("start", count), "container"),
        ClosingPart::list(Weight::Result, items("file", count), "profile").of_files(),
        ClosingPart::list(Weight::Result, losses, "kind of loss"),
        ClosingPart::text(Weight::Always, "next: tracer explain it"),
    ]
}

fn block(parts: Vec<ClosingPart>) -> String {
    Block::new(parts, Rest::File("tracer explain FILE".to_owned())).shown(false)
}

#[test]
fn the_block_never_has_more_lines_and_what_matters_most_stays() {
    for count in 0..40 {
        let text = block(everything(count));
        let lines = text.lines().count();
        assert!(lines <= LINES, "{count}: {lines} lines\n{text}");
        for always in ["stopped\n", "82 calls allowed\n", "next: tracer explain it\n"] {
            assert!(text.contains(always), "{count}: {text}");
        }
        assert!(text.starts_with("stopped\n") && text.ends_with("explain it\n"), "{text}");
        if count > 0 {
            for first in ["beyond: all\n", "file 1\n", "incomplete: loss 1\nhint: remedy\n"] {
                assert!(text.contains(first), "{count}: {text}");
            }
        }
    }
}

#[test]
fn a_loss_stays_whatever_else_there_is_to_say() {
    let loss = |count| {
        let losses = items("incomplete: loss", count).into_iter();
        let losses = losses.map(|loss| format!("{loss}\nhint: remedy")).collect();
        ClosingPart::list(Weight::Loss, losses, "kind of loss")
    };
    for (count, others) in [(1, 3), (2, 5), (9, 9)] {
        let mut parts: Vec<ClosingPart> = (0..others)
            .map(|_| ClosingPart::text(Weight::Result, "a result\nof two lines"))
            .collect();
        parts.extend([loss(count), ClosingPart::text(Weight::Always, "next: tracer explain it")]);
        let text = block(parts);
        assert!(text.contains("incomplete: loss 1\nhint: remedy\n"), "{count}, {others}: {text}");
        assert!(text.lines().count() <= LINES, "{count}, {others}: {text}");
    }
}

#[test]
fn what_is_put_back_is_cut_to_the_room_that_there_is() {
    let always = |number| ClosingPart::text(Weight::Always, format!("always {number}"));
    let mut parts: Vec<ClosingPart> = (0..7).map(always).collect();
    parts.push(ClosingPart::list(Weight::Finding, items("finding", 4), "finding"));
    parts.push(ClosingPart::text(Weight::Note, "a note\nof\nfour\nlines"));
    let text = block(parts);
    assert!(text.contains("finding 1\n"), "{text}");
    assert!(text.lines().count() <= LINES, "{text}");
}

#[test]
fn what_has_room_is_shown_in_full() {
    let mut parts = everything(1);
    parts.remove(2);
    let text = block(parts.clone());
    assert!(text.lines().count() == LINES && !text.contains("more"), "{text}");
    assert_eq!(text, in_full(parts));
}

#[test]
fn a_list_gives_before_a_note_and_says_how_much_and_where_it_is() {
    let list = |count, what| ClosingPart::list(Weight::Result, items("loss", count), what);
    let note = || ClosingPart::text(Weight::Note, "a note");
    let text = block(vec![note(), list(12, "kind of loss")]);
    let expected = "a note\nloss 1\nloss 2\nloss 3\nloss 4\nloss 5\nloss 6\nloss 7\nloss 8\nloss 9\nloss 10\nand 2 more kinds of loss: tracer explain FILE\n";
    assert_eq!(text, expected);
    let text = block(vec![note(), list(30, "profile").of_files()]);
    assert!(text.ends_with("loss 10\nand 20 more profiles\n"), "{text}");
}

#[test]
fn what_is_left_out_as_a_whole_is_counted() {
    let always = |number| ClosingPart::text(Weight::Always, format!("always {number}"));
    let mut parts: Vec<ClosingPart> = (0..10).map(always).collect();
    parts.insert(2, ClosingPart::text(Weight::Note, "a note\nof two lines"));
    parts.insert(3, ClosingPart::text(Weight::Finding, "a finding"));
    let text = block(parts.clone());
    assert!(
        text.contains("always 1\nand 2 more lines: tracer explain FILE\na finding\n"),
        "{text}"
    );
    parts.push(always(10));
    let text = block(parts);
    assert!(text.contains("always 1\nand 3 more lines: tracer explain FILE\nalways 2\n"), "{text}");
    assert_eq!(text.lines().count(), LINES);
}

#[test]
fn a_list_with_forms_of_its_own_takes_them() {
    let cuts = vec![vec!["all 9".to_owned()], vec!["one".to_owned(), "other 8".to_owned()]];
    let list = ClosingPart::list(Weight::Finding, items("step", 9), "").or(cuts);
    let rest = (0..10).map(|number| ClosingPart::text(Weight::Always, format!("always {number}")));
    let text = block(iter::once(list.clone()).chain(rest.clone()).collect());
    assert!(text.starts_with("one\nother 8\nalways 0\n"), "{text}");
    let text = block(
        iter::once(list).chain(rest.chain([ClosingPart::text(Weight::Always, "x")])).collect(),
    );
    assert!(text.starts_with("all 9\nalways 0\n"), "{text}");
}

#[test]
fn in_full_means_all_but_the_ends_of_long_lists() {
    let text = in_full(vec![
        ClosingPart::list(Weight::Note, items("container", 25), "container"),
        ClosingPart::lines(Weight::Note, "one\nhint: do it\ntwo\n", ""),
        ClosingPart::list(Weight::Note, Vec::new(), "thing"),
    ]);
    assert_eq!(text.lines().count(), 21 + 3, "{text}");
    assert!(text.contains("\nand 5 more containers: "), "{text}");
    assert!(text.ends_with("one\nhint: do it\ntwo\n"), "{text}");
}

#[test]
fn what_no_file_holds_is_not_cut_to_twelve_lines_and_with_verbose_not_at_all() {
    let parts = || vec![ClosingPart::list(Weight::Loss, items("loss", 25), "kind of loss")];
    let shown = |rest: &Rest, verbose| Block::new(parts(), rest.clone()).shown(verbose);
    let file = Rest::File("tracer explain FILE".to_owned());
    let lines = |count| items("loss", count).join("\n");
    for (rest, verbose, expected) in [
        (&file, false, format!("{}\nand 14 more kinds of loss: tracer explain FILE\n", lines(11))),
        (&file, true, format!("{}\nand 5 more kinds of loss: tracer explain FILE\n", lines(20))),
        (&Rest::NoFile, false, format!("{}\nand 5 more kinds of loss: -v shows them\n", lines(20))),
        (&Rest::NoFile, true, format!("{}\n", lines(25))),
    ] {
        assert_eq!(shown(rest, verbose), expected, "{rest:?} {verbose}");
    }
}

#[test]
fn nouns_are_in_the_number() {
    let counted = |count| [1, 2].map(|number| noun(number, count));
    assert_eq!(counted("kind of loss"), [" kind of loss", " kinds of loss"]);
    assert_eq!(counted("older recording"), [" older recording", " older recordings"]);
    assert_eq!(counted(""), ["", ""]);
}
