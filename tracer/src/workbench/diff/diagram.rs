//! What two policies make of one call, for every value of its six arguments.
//!
//! A decision is a function of 384 bits. It is kept as a reduced, ordered decision diagram (Bryant
//! 1986): a shared graph that tests one bit at each node, the highest of the first argument first.
//! Two functions are equal when their diagrams are the same node, so that rules which say the same
//! in other words are found equal, and the difference of two is exact.

use std::collections::HashMap;

use crate::{
    profile::{
        oci::{Condition, Operator},
        policy::{CallDecision, Verdict},
    },
    syscalls::{Abi, arguments},
};
use tracer_ebpf::arguments::LOWER_HALF;

/// The most nodes. Rules of real profiles take a few hundred.
const MOST_NODES: usize = 200_000;
/// Bits of a register.
const BITS: u16 = 64;
/// Bits of what the kernel takes of a register, where it takes an `int`.
const LOWER: u16 = 32;

/// Two verdicts on one call with the same arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictPair {
    /// The verdict of the first policy.
    pub before: Verdict,
    /// The verdict of the second one.
    pub after: Verdict,
    /// Arguments that lead to both: the lowest values.
    pub arguments: [u64; 6],
}

/// The conditions of a call are too many to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Every pair of verdicts that two decisions lead to, each with arguments for it; those of the
/// lowest arguments first.
///
/// A register counts as the kernel takes it: where it takes an `int`, the upper half counts as
/// zero.
///
/// # Errors
/// The conditions are too many, or too much entangled.
pub fn outcomes(
    (abi, call): (Abi, &str),
    before: (&CallDecision, Verdict),
    after: (&CallDecision, Verdict),
) -> Result<Vec<VerdictPair>, TooLarge> {
    let mut diagram = Diagram::new(abi, call);
    let before = diagram.decision(before)?;
    let after = diagram.decision(after)?;
    let root = diagram.product(before, after, &mut HashMap::new())?;
    let mut found: Vec<VerdictPair> = Vec::new();
    diagram.walk(root, [0; 6], &mut HashMap::new(), &mut found);
    Ok(found)
}

/// Conditions, of which one set holds, and no other, where both decisions lead to verdicts that are
/// meant; each set with the first of these verdicts. A set has one condition for an argument at
/// most.
///
/// # Errors
/// They are too many, or too much entangled.
pub fn regions(
    (abi, call): (Abi, &str),
    before: (&CallDecision, Verdict),
    after: (&CallDecision, Verdict),
    is_meant: impl Fn(Verdict, Verdict) -> bool,
) -> Result<Vec<(Vec<Condition>, Verdict)>, TooLarge> {
    let mut diagram = Diagram::new(abi, call);
    let before = diagram.decision(before)?;
    let after = diagram.decision(after)?;
    let root = diagram.product(before, after, &mut HashMap::new())?;
    let mut search = Search { diagram: &diagram, is_meant, leads: HashMap::new(), found: vec![] };
    search.walk(root, &mut [(0, 0); 6])?;
    Ok(search.found)
}

/// The most sets of conditions.
const MOST_REGIONS: usize = 256;

/// Collects the ways from the root of a product to the ends that are meant.
struct Search<'a, Meant> {
    diagram: &'a Diagram<'a>,
    is_meant: Meant,
    /// Whether a node leads to such an end.
    leads: HashMap<Id, bool>,
    found: Vec<(Vec<Condition>, Verdict)>,
}

impl<Meant: Fn(Verdict, Verdict) -> bool> Search<'_, Meant> {
    /// `bits`: of each argument those that were tested, and those of them that are set.
    fn walk(&mut self, id: Id, bits: &mut [(u64, u64); 6]) -> Result<(), TooLarge> {
        if !self.leads(id) {
            return Ok(());
        }
        let Node::Bit { place, clear, set } = self.diagram.nodes[id] else {
            if self.found.len() == MOST_REGIONS {
                return Err(TooLarge);
            }
            if let Some((verdict, _)) = self.end(id) {
                self.found.push((conditions(bits), verdict));
            }
            return Ok(());
        };
        let (index, bit) = (usize::from(place / BITS), 1 << (BITS - 1 - place % BITS));
        let before = bits[index];
        bits[index].0 |= bit;
        self.walk(clear, bits)?;
        bits[index].1 |= bit;
        self.walk(set, bits)?;
        bits[index] = before;
        Ok(())
    }

    fn end(&self, id: Id) -> Option<(Verdict, Verdict)> {
        let Node::Two(before, after) = self.diagram.nodes[id] else { return None };
        let of = |key: VerdictKey| self.diagram.verdicts[usize::from(key)];
        Some((of(before), of(after)))
    }

    fn leads(&mut self, id: Id) -> bool {
        if let Some(known) = self.leads.get(&id) {
            return *known;
        }
        let leads = match self.diagram.nodes[id] {
            Node::Bit { clear, set, .. } => self.leads(clear) || self.leads(set),
            _ => self.end(id).is_some_and(|(before, after)| (self.is_meant)(before, after)),
        };
        self.leads.insert(id, leads);
        leads
    }
}

fn conditions(bits: &[(u64, u64); 6]) -> Vec<Condition> {
    let tested = (0_u8..).zip(bits).filter(|(_, (mask, _))| *mask != 0);
    let condition = |(index, (mask, value)): (u8, &(u64, u64))| Condition {
        index,
        value: *mask,
        value_two: *value,
        operator: Operator::MaskedEqual,
    };
    tested.map(condition).collect()
}

/// The place of a node.
type Id = usize;
const NO: Id = 0;
const YES: Id = 1;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// The end: false or true.
    Truth(bool),
    /// The end: what happens.
    One(VerdictKey),
    /// The end: what happens under each of two policies.
    Two(VerdictKey, VerdictKey),
    /// A bit: where it leads when it is clear, and when it is set.
    Bit { place: u16, clear: Id, set: Id },
}

/// A verdict that can be hashed: its place among those that were met.
type VerdictKey = u16;

struct Diagram<'a> {
    abi: Abi,
    call: &'a str,
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
    verdicts: Vec<Verdict>,
}

impl<'a> Diagram<'a> {
    fn new(abi: Abi, call: &'a str) -> Self {
        let ends = [Node::Truth(false), Node::Truth(true)];
        let known = HashMap::from([(ends[NO], NO), (ends[YES], YES)]);
        Self { abi, call, nodes: ends.into(), known, verdicts: Vec::new() }
    }

    fn node(&mut self, node: Node) -> Result<Id, TooLarge> {
        if let Node::Bit { clear, set, .. } = node
            && clear == set
        {
            return Ok(clear);
        }
        if let Some(id) = self.known.get(&node) {
            return Ok(*id);
        }
        if self.nodes.len() == MOST_NODES {
            return Err(TooLarge);
        }
        self.nodes.push(node);
        self.known.insert(node, self.nodes.len() - 1);
        Ok(self.nodes.len() - 1)
    }

    fn verdict(&mut self, verdict: Verdict) -> Result<Id, TooLarge> {
        let known = self.verdicts.iter().position(|it| *it == verdict);
        let key = known.unwrap_or_else(|| {
            self.verdicts.push(verdict);
            self.verdicts.len() - 1
        });
        self.node(Node::One(key as VerdictKey))
    }

    fn decision(&mut self, (decision, default): (&CallDecision, Verdict)) -> Result<Id, TooLarge> {
        let alternatives = match decision {
            CallDecision::Always(verdict) => return self.verdict(*verdict),
            CallDecision::When(alternatives) => alternatives,
        };
        let mut whole = self.verdict(default)?;
        for (conditions, verdict) in alternatives.iter().rev() {
            let mut all = YES;
            for condition in conditions {
                let one = self.condition(condition)?;
                all = self.choose(all, one, NO, &mut HashMap::new())?;
            }
            let verdict = self.verdict(*verdict)?;
            whole = self.choose(all, verdict, whole, &mut HashMap::new())?;
        }
        Ok(whole)
    }

    /// The bits of an argument that can be set, from the lowest.
    fn width(&self, index: u8) -> u16 {
        let is_int = arguments::masks(self.call, index).iter().any(|mask| *mask <= LOWER_HALF);
        if self.abi != Abi::X86_64 || is_int { LOWER } else { BITS }
    }

    fn condition(&mut self, condition: &Condition) -> Result<Id, TooLarge> {
        let Condition { index, value, value_two, operator } = *condition;
        let width = self.width(index);
        // A filter for a 32-bit ABI compares the lower halves; elsewhere a value of the upper half
        // is one that no `int` has.
        let compared = if self.abi == Abi::X86_64 { BITS } else { LOWER };
        let (ends, value, mask) = match operator {
            Operator::MaskedEqual => ((YES, NO, NO), value_two & value, value),
            Operator::Equal => ((YES, NO, NO), value, u64::MAX),
            Operator::NotEqual => ((NO, YES, YES), value, u64::MAX),
            Operator::Less => ((NO, YES, NO), value, u64::MAX),
            Operator::LessOrEqual => ((YES, YES, NO), value, u64::MAX),
            Operator::GreaterOrEqual => ((YES, NO, YES), value, u64::MAX),
            Operator::Greater => ((NO, NO, YES), value, u64::MAX),
        };
        // Equal so far, below, above.
        let (mut node, below, above) = ends;
        for bit in 0..compared {
            if mask >> bit & 1 == 0 {
                continue;
            }
            let is_set = value >> bit & 1 == 1;
            let (clear, set) = if is_set { (below, node) } else { (node, above) };
            let place = u16::from(index) * BITS + (BITS - 1 - bit);
            node = if bit < width { self.node(Node::Bit { place, clear, set })? } else { clear };
        }
        Ok(node)
    }

    /// The bit that a node tests, and where it leads; a node that tests a later one leads to
    /// itself.
    fn at(&self, id: Id, place: u16) -> (Id, Id) {
        match self.nodes[id] {
            Node::Bit { place: own, clear, set } if own == place => (clear, set),
            _ => (id, id),
        }
    }

    fn place(&self, id: Id) -> u16 {
        match self.nodes[id] {
            Node::Bit { place, .. } => place,
            _ => u16::MAX,
        }
    }

    /// `yes` where the condition holds, and `no` elsewhere.
    fn choose(
        &mut self,
        condition: Id,
        yes: Id,
        no: Id,
        known: &mut HashMap<(Id, Id, Id), Id>,
    ) -> Result<Id, TooLarge> {
        match condition {
            YES => return Ok(yes),
            NO => return Ok(no),
            _ if yes == no => return Ok(yes),
            _ => {}
        }
        let key = (condition, yes, no);
        if let Some(id) = known.get(&key) {
            return Ok(*id);
        }
        if known.len() > MOST_NODES {
            return Err(TooLarge);
        }
        let place = self.place(condition).min(self.place(yes)).min(self.place(no));
        let (of_condition, of_yes, of_no) =
            (self.at(condition, place), self.at(yes, place), self.at(no, place));
        let clear = self.choose(of_condition.0, of_yes.0, of_no.0, known)?;
        let set = self.choose(of_condition.1, of_yes.1, of_no.1, known)?;
        let id = self.node(Node::Bit { place, clear, set })?;
        known.insert(key, id);
        Ok(id)
    }

    /// Both decisions at once.
    fn product(
        &mut self,
        before: Id,
        after: Id,
        known: &mut HashMap<(Id, Id), Id>,
    ) -> Result<Id, TooLarge> {
        if let (Node::One(before), Node::One(after)) = (self.nodes[before], self.nodes[after]) {
            return self.node(Node::Two(before, after));
        }
        if let Some(id) = known.get(&(before, after)) {
            return Ok(*id);
        }
        let place = self.place(before).min(self.place(after));
        let (one, other) = (self.at(before, place), self.at(after, place));
        let clear = self.product(one.0, other.0, known)?;
        let set = self.product(one.1, other.1, known)?;
        let id = self.node(Node::Bit { place, clear, set })?;
        known.insert((before, after), id);
        Ok(id)
    }

    /// Collects the ends below a node, each once.
    fn walk(
        &self,
        id: Id,
        arguments: [u64; 6],
        visited: &mut HashMap<Id, ()>,
        found: &mut Vec<VerdictPair>,
    ) {
        if visited.insert(id, ()).is_some() {
            return;
        }
        match self.nodes[id] {
            Node::Truth(_) | Node::One(_) => {}
            Node::Two(before, after) => {
                let of = |key: VerdictKey| self.verdicts[usize::from(key)];
                found.push(VerdictPair { before: of(before), after: of(after), arguments });
            }
            Node::Bit { place, clear, set } => {
                self.walk(clear, arguments, visited, found);
                let mut with = arguments;
                with[usize::from(place / BITS)] |= 1 << (BITS - 1 - place % BITS);
                self.walk(set, with, visited, found);
            }
        }
    }
}

#[cfg(test)]
#[path = "diagram_tests.rs"]
mod tests;
