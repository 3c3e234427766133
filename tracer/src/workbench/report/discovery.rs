//! When syscalls were seen for the first time: a recording that has shown nothing new for long may
//! have shown all.

use std::collections::BTreeSet;

use super::evidence::{all_calls, is_in_profile};
use crate::{
    recording::{Call, Recording},
    syscalls::Abi,
};

/// How many different syscalls had been seen at each time. Recordings stand one behind another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// The times at which a new one was seen, in seconds, and how many were known then; sorted.
    pub points: Vec<(f64, usize)>,
    /// How long all recordings lasted.
    pub seconds: f64,
    /// When each recording but the first began.
    pub boundaries: Vec<f64>,
    /// How many have no time of their own: they stand at the end of their recording.
    pub untimed: usize,
}

impl Discovery {
    /// Looks at recordings, in their order.
    pub(super) fn of(recordings: &[&Recording]) -> Self {
        let mut found = Self::default();
        let mut known: BTreeSet<(Abi, i32)> = BTreeSet::new();
        for (index, recording) in recordings.iter().enumerate() {
            let began = found.seconds;
            if index > 0 {
                found.boundaries.push(began);
            }
            found.seconds += recording.duration_seconds.max(0.0);
            let calls = || all_calls(recording).filter(|call| is_in_profile(call.phase));
            let timed = |call: &'_ Call| Some((call.first_seen_seconds?, (call.abi, call.number)));
            let mut sightings: Vec<(f64, (Abi, i32))> = calls().filter_map(timed).collect();
            sightings.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (seconds, call) in sightings {
                if known.insert(call) {
                    let time = (began + seconds.max(0.0)).min(found.seconds);
                    found.points.push((time, known.len()));
                }
            }
            let before = known.len();
            known.extend(calls().map(|call| (call.abi, call.number)));
            if known.len() > before {
                found.untimed += known.len() - before;
                found.points.push((found.seconds, known.len()));
            }
        }
        found
    }

    /// How many were seen in all.
    pub fn total(&self) -> usize {
        self.points.last().map_or(0, |(_, count)| *count)
    }

    /// For how long, up to the end, nothing new was seen; None when that is not known.
    pub fn quiet_seconds(&self) -> Option<f64> {
        let (last, _) = self.points.last().filter(|_| self.untimed == 0)?;
        Some((self.seconds - last).max(0.0))
    }
}
