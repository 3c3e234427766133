//! When the recording so far is saved: soon after the first calls, then ever more seldom.

use std::time::{Duration, Instant};

/// How long after one save the next may be: at first, doubled by each.
const FIRST: Duration = Duration::from_millis(500);
/// At most, unless saving takes long.
const LONGEST: Duration = Duration::from_secs(10);
/// The session does nothing else while it saves; only names are asked for. The next save comes
/// after so many times the time that the last one took.
const REST: u32 = 20;

/// Decides when the recording so far is saved.
pub(super) struct Autosave {
    due: Instant,
    period: Duration,
    saved: usize,
}

impl Autosave {
    /// Nothing was saved yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now, period: FIRST, saved: 0 }
    }

    /// Whether to save now that so many different calls were seen; if so, they count as saved.
    pub(super) fn is_due(&mut self, now: Instant, seen: usize) -> bool {
        if seen == self.saved || now < self.due {
            return false;
        }
        self.saved = seen;
        self.due = now + self.period;
        self.period = (2 * self.period).min(LONGEST);
        true
    }

    /// Notes that a save lasted from the one moment to the other.
    pub(super) fn note_duration(&mut self, from: Instant, to: Instant) {
        self.due = self.due.max(to + REST * to.duration_since(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_after_the_first_call_then_every_ten_seconds_when_it_changed() {
        let start = Instant::now();
        let mut autosave = Autosave::new(start);
        let times = (0..400_u64).map(|tick| 250 * tick);
        // A new call in each quarter of a second, from the second on.
        let saves: Vec<u64> = times
            .filter(|&time| {
                let calls = (time / 250).saturating_sub(4) as usize;
                autosave.is_due(start + Duration::from_millis(time), calls)
            })
            .collect();
        assert_eq!(saves[..6], [1250, 1750, 2750, 4750, 8750, 16750]);
        assert!(saves.windows(2).all(|pair| pair[1] - pair[0] <= 10_000), "{saves:?}");
        let end = start + Duration::from_secs(1000);
        assert!(autosave.is_due(end, 400));
        assert!(!autosave.is_due(end + LONGEST, 400), "nothing changed");
    }

    #[test]
    fn saving_takes_a_small_part_of_the_time() {
        let start = Instant::now();
        let mut autosave = Autosave::new(start);
        assert!(autosave.is_due(start, 1));
        let end = start + Duration::from_secs(3);
        autosave.note_duration(start, end);
        assert!(!autosave.is_due(end + Duration::from_secs(59), 2));
        assert!(autosave.is_due(end + Duration::from_secs(60), 2));
    }
}
