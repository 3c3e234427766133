//! Inputs at random: a kept one, with a few changes.

use std::ops::Range;

use crate::Random;

/// The most bytes of an input that is made.
const LARGEST: usize = 8 << 10;
/// The most bytes of all inputs that are kept while a target runs.
const KEPT: usize = 16 << 20;
/// The most changes of one input.
const MOST_CHANGES: u64 = 8;

/// What is put into inputs: what JSON, YAML and logs are made of, numbers at the ends of types, and
/// characters that a terminal obeys.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\n",
    "\r\n",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "0",
    "-1",
    "159",
    "255",
    "4096",
    "2147483648",
    "4294967295",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "0x",
    "0.1",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_CMP_MASKED_EQ",
    "\"names\"",
    "\"args\"",
    "\"version\"",
    "\"cgroups\"",
    "[[allow]]\n",
    "[[deny]]\n",
    "syscalls = [\"bpf\"]\n",
    "because = \"",
    "until = 2027-02-29\n",
    "\"\"\"",
    "type=1326 ",
    "syscall=",
    "arch=c000003e",
    "%",
    "*",
    "/",
    "../",
    "@",
    "//",
    "# ",
    "- ",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}",
];

/// Makes inputs.
pub struct Mutator {
    random: Random,
    kept: Vec<Vec<u8>>,
    bytes: usize,
}

impl Mutator {
    /// Begins with these inputs.
    pub fn new(random: Random, kept: Vec<Vec<u8>>) -> Self {
        assert!(!kept.is_empty(), "something to change is needed");
        let bytes = kept.iter().map(Vec::len).sum();
        Self { random, kept, bytes }
    }

    /// Keeps an input, to be changed further.
    pub fn keep(&mut self, input: Vec<u8>) {
        if self.bytes + input.len() <= KEPT {
            self.bytes += input.len();
            self.kept.push(input);
        }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.any();
        for _ in 0..=self.random.below(MOST_CHANGES) {
            self.change(&mut input);
            input.truncate(LARGEST);
        }
        input
    }

    /// One of those that are kept; of a large one a part.
    fn any(&mut self) -> Vec<u8> {
        let place = self.below(self.kept.len());
        let length = self.kept[place].len();
        if length <= LARGEST {
            return self.kept[place].clone();
        }
        let start = self.below(length - LARGEST);
        self.kept[place][start..start + LARGEST].to_vec()
    }

    fn below(&mut self, limit: usize) -> usize {
        let number = self.random.below(limit.max(1) as u64);
        usize::try_from(number).expect("it is below a usize")
    }

    /// A part of so many bytes; most parts are short.
    fn part(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length + 1);
        let most = match self.below(4) {
            0 => length,
            _ => 16,
        };
        let end = start + self.below(most.min(length - start) + 1);
        start..end
    }

    fn word(&mut self) -> Vec<u8> {
        WORDS[self.below(WORDS.len())].into()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let part = self.part(input.len());
        match self.below(10) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = input.get_mut(part.start) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let byte = self.below(256);
                input.insert(part.start, u8::try_from(byte).expect("it is below 256"));
            }
            2 => drop(input.drain(part)),
            3 => input.truncate(part.start),
            4 => drop(input.splice(part.start..part.start, self.word())),
            5 => drop(input.splice(part, self.word())),
            6 => self.replace_token(input),
            7 => {
                let copy = input[part].to_vec();
                let place = self.below(input.len() + 1);
                drop(input.splice(place..place, copy));
            }
            8 => {
                // As many times as there is room for, at most.
                let room = (LARGEST / part.len().max(1)).min(4096);
                let copies = input[part.clone()].repeat(self.below(room + 1));
                drop(input.splice(part.end..part.end, copies));
            }
            _ => {
                let other = self.any();
                let from = self.part(other.len());
                drop(input.splice(part, other[from].iter().copied()));
            }
        }
    }

    /// Puts a word in the place of a name or a number.
    fn replace_token(&mut self, input: &mut Vec<u8>) {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        let place = self.below(input.len());
        let Some(start) = input[place..].iter().position(is_part) else { return };
        let start = place + start;
        let length = input[start..].iter().position(|byte| !is_part(byte));
        let end = start + length.unwrap_or(input.len() - start);
        drop(input.splice(start..end, self.word()));
    }
}
