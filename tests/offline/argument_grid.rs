//! The calls, with their registers, at which profiles are compared with the defaults of engines.

use std::collections::BTreeSet;

use tracer::profile::defaults::DefaultsEngine;
use tracer::profile::policy::Policy;
use tracer::syscalls::{self, Abi};
use tracer_ebpf::arguments::{LOWER_HALF, NAMESPACES};

/// The number of a call.
pub fn number(abi: Abi, name: &str) -> u32 {
    let number = syscalls::number(abi, name).unwrap_or_else(|| panic!("{name} of {abi:?}"));
    number.try_into().expect("not negative")
}

/// A call at which profiles are compared: its name, through an ABI, and its registers.
type Point = (Abi, &'static str, [u64; 6]);

/// What no `int` has, behind the value of a register.
const GARBAGE: [u64; 4] = [0, 1 << 32, 0xdead_beef << 32, 0xffff_ffff << 32];

/// Points, and those of them that one of the defaults refuses.
pub struct Grid {
    pub points: usize,
    refused: Vec<(u32, Point)>,
}

impl Grid {
    /// All of them.
    pub fn new() -> Self {
        let all = points();
        let points = all.len();
        let refused = all.into_iter().map(|point| (number(point.0, point.1), point));
        let refused = refused.filter(|(number, (abi, _, registers))| {
            let mut engines = DefaultsEngine::ALL.into_iter().map(DefaultsEngine::default_profile);
            engines.any(|default| default.refuses(*abi, *number, registers))
        });
        Self { points, refused: refused.collect() }
    }

    /// The calls, and the values of their first arguments, that a profile allows and one of the
    /// defaults refuses.
    pub fn wider(&self, policy: &Policy) -> BTreeSet<(&'static str, u64)> {
        let passes = |(number, (abi, _, registers)): &&(u32, Point)| {
            !policy.decide(*abi, *number, registers).refuses()
        };
        let wider = self.refused.iter().filter(passes);
        wider.map(|(_, (_, name, registers))| (*name, registers[0] & LOWER_HALF)).collect()
    }
}

/// Every family with every type, every flag of `clone` and every two of them, the personalities,
/// each with garbage in the upper half; and every other call.
fn points() -> Vec<Point> {
    let mut grid = Vec::new();
    for abi in Abi::ALL {
        for garbage in GARBAGE {
            let mut push = |name, first: u64, second| {
                grid.push((abi, name, [first | garbage, second, 0, 0, 0, 0]));
            };
            for family in (0..=64).chain([100, 255, 0x26_0000, 0x8000_0026, 0xffff_ffff]) {
                let types = (0..=10).chain([0x80003, 0x801, 0x80801]);
                types.for_each(|socket_type| push("socket", family, socket_type));
            }
            for one in 0..32 {
                for other in 0..32 {
                    push("clone", 1 << one | 1 << other, 0);
                }
            }
            for whole in [0, 0x11, 0x50f00, 0x3d_0f00, NAMESPACES, NAMESPACES | 0x11, 0xffff_ffff] {
                push("clone", whole, 0);
            }
            for personality in personalities() {
                push("personality", personality, 0);
            }
        }
        for (_, name) in syscalls::entries(abi) {
            grid.push((abi, name, [0; 6]));
            grid.push((abi, name, [u64::MAX; 6]));
        }
    }
    grid
}

/// Those that have a name (`include/uapi/linux/personality.h`), their bits, and a sample of all.
fn personalities() -> BTreeSet<u64> {
    let named = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10];
    let bits = (0..32).map(|bit| 1_u64 << bit);
    let sample = (0..=0xffff_ffff_u64).step_by(0x00fe_dcb9);
    let with_bits = bits.clone().flat_map(|bit| [bit, bit | 8, bit | 0x2_0000]);
    named.into_iter().chain(with_bits).chain(sample).chain([0x2_0008, 0xffff_ffff]).collect()
}
