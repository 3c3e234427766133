//! Names from outside as names of files.
//!
//! Containers, pods and whatever else is traced get their names from whoever starts them. Here such
//! a name becomes the `X` of the files `X.json`, `X.recording.json` and so on: harmless in every
//! shell and file system, the same in every run and version, and, for honest names, unlike every
//! other one's.

use super::formats::{PROFILE, RECORDING};

/// The longest `X`, in bytes: room for a number and for every suffix remains within `NAME_MAX`.
pub(super) const STEM_MAX: usize = 128;

/// What a name becomes of which nothing is left.
const UNNAMED: &str = "unnamed";

/// The `X` for a name from outside: `[a-z0-9._-]`, at most [`STEM_MAX`] bytes, neither empty nor
/// beginning with a dot or a dash.
///
/// A name that is such an `X` already stays what it is. Any other ends in a hash of the whole name,
/// so that names that differ only in what was replaced or cut off stay apart. The hash is no
/// defence against someone who looks for a collision: whoever needs different files for different
/// names numbers them, as [`super::Directory`] does.
pub(super) fn stem(name: &str) -> String {
    let replaced: String = name.chars().map(replacement).collect();
    let begun = replaced.trim_start_matches(['.', '-']);
    if begun == name && is_free(name) {
        return name.to_owned();
    }
    let hash = format!("-{:016x}", fnv1a(name.as_bytes()));
    // Everything left is ASCII: it can be cut anywhere.
    let kept = &begun[..begun.len().min(STEM_MAX - hash.len())];
    let kept = kept.trim_end_matches(['.', '-']);
    format!("{}{hash}", if kept.is_empty() { UNNAMED } else { kept })
}

/// The same behind a prefix that is kept as it is, unless the whole is too long or another one's.
pub(super) fn prefixed(prefix: &str, name: &str) -> String {
    let joined = format!("{prefix}{}", stem(name));
    if is_free(&joined) { joined } else { stem(&joined) }
}

fn replacement(character: char) -> char {
    match character.to_ascii_lowercase() {
        plain @ ('a'..='z' | '0'..='9' | '.' | '_' | '-') => plain,
        _ => '-',
    }
}

/// It needs no hash: neither empty, nor too long, nor with files that are another name's. The
/// profile of `X.recording` would be the recording of `X`: both are `X.recording.json`.
fn is_free(name: &str) -> bool {
    let profile = PROFILE.name(name);
    (1..=STEM_MAX).contains(&name.len()) && !profile.ends_with(RECORDING.suffix)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::NAME_MAX;
    use super::super::formats::PARTIAL;
    use super::*;

    #[test]
    fn the_hash_is_the_specified_one() {
        // From the draft's own test vectors: it must never change, or files would change their
        // names.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn plain_names_stay_what_they_are() {
        let longest = "x".repeat(STEM_MAX);
        for name in [
            "web",
            "web-2",
            "under_score.v1",
            "_web",
            "7",
            "a..b",
            "web.json",
            "web.kubernetes",
            "web.kubernetes.yaml",
            "web.recording.json",
            "web.recording.json.partial",
            "recording",
            "web-",
            "web.",
            &longest,
        ] {
            assert_eq!(stem(name), name);
        }
    }

    #[test]
    fn other_names_end_in_a_hash() {
        for (name, expected) in [
            ("", "unnamed-cbf29ce484222325"),
            ("Web", "web-HASH"),
            ("shop/web", "shop-web-HASH"),
            ("docker:web", "docker-web-HASH"),
            ("/", "unnamed-HASH"),
            ("..", "unnamed-HASH"),
            ("../../etc/passwd", "etc-passwd-HASH"),
            (".hidden", "hidden-HASH"),
            ("--rm", "rm-HASH"),
            ("-.-.x", "x-HASH"),
            ("a\nb", "a-b-HASH"),
            ("a\0b", "a-b-HASH"),
            ("\u{1b}[2Jweb", "2jweb-HASH"),
            ("a b;$(reboot)", "a-b---reboot-HASH"),
            ("é", "unnamed-HASH"),
            ("naïve ☃ 名", "na-ve-HASH"),
            ("\u{202e}txt", "txt-HASH"),
            // The Kelvin sign becomes a k elsewhere.
            ("\u{212a}ube", "ube-HASH"),
            ("web.recording", "web.recording-HASH"),
            ("web.RECORDING", "web.recording-HASH"),
            (".recording", "recording-HASH"),
        ] {
            let hash = format!("{:016x}", fnv1a(name.as_bytes()));
            assert_eq!(stem(name), expected.replace("HASH", &hash), "{name:?}");
        }
    }

    #[test]
    fn names_that_differ_in_what_is_lost_stay_apart() {
        let long = |end: &str| format!("{}{end}", "x".repeat(252));
        let names = [
            "shop/web",
            "shop-web",
            "shop:web",
            "shop web",
            "shop\nweb",
            "Shop/web",
            ".shop/web",
            "-shop/web",
            "shop/web/",
            "shop//web",
            "shöp/web",
            "shøp/web",
            "é",
            "è",
            "",
            ".",
            "..",
            "-",
            "/",
            "unnamed",
            "web.recording",
            "web-recording",
            "WEB.recording",
        ];
        let mut names: Vec<String> = names.map(str::to_owned).into();
        names.extend([long("a"), long("b"), long("A"), "x".repeat(STEM_MAX + 1)]);
        let stems: BTreeSet<String> = names.iter().map(|name| stem(name)).collect();
        assert_eq!(stems.len(), names.len(), "{stems:?}");
    }

    #[test]
    fn every_name_of_a_file_is_harmless() {
        let hostile = (0..=0x2ff).filter_map(char::from_u32);
        let hostile = hostile.flat_map(|odd| {
            [
                format!("{odd}"),
                format!("{odd}{odd}x"),
                format!("x{odd}"),
                odd.to_string().repeat(300),
            ]
        });
        let others = ["x".repeat(253), "x.recording".repeat(30), "-.".repeat(126)];
        for name in hostile.chain(others) {
            let stem = stem(&name);
            assert!((1..=STEM_MAX).contains(&stem.len()), "{name:?}: {stem}");
            assert!(!stem.starts_with(['.', '-']), "{name:?}: {stem}");
            assert!(!stem.ends_with(".recording"), "{name:?}: {stem}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(stem.bytes().all(|byte| plain(byte) || b"._-".contains(&byte)), "{stem:?}");
        }
        assert!(STEM_MAX + "-18446744073709551615".len() + PARTIAL.suffix.len() <= NAME_MAX);
    }
}
