//! The BPF program of a policy, as `seccomp(2)` takes it.
//!
//! seccompiler, the compiler of the rust-vmm project, makes the code of the conditions, with their
//! comparisons of 64-bit numbers by halves. Its compiler for whole filters is not used: it knows
//! one ABI per filter and not i386, one action besides the default, and spends five instructions on
//! each call one after the other, so that the three tables of a default profile are longer than the
//! 4096 instructions that the kernel takes. Here the numbers are searched by halving:
//!
//! ```text
//! load the architecture;  go to its part, or kill the thread
//! part: load the number;  [x86_64: x32 numbers go to their part, or kill the thread]
//!       number >= middle?  upper half : lower half  ...  verdict, or the conditions and their verdicts
//! ```

pub use seccompiler::sock_filter as Instruction;
use seccompiler::{
    BackendError, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule,
};

use super::{
    oci::{Condition, Operator},
    policy::{CallDecision, Policy, Verdict},
};
use crate::syscalls::{Abi, AbiDescription, HOST};

/// `BPF_LD | BPF_W | BPF_ABS` (`include/uapi/linux/bpf_common.h`).
const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JA`.
const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGE | BPF_K`.
const JUMP_IF_AT_LEAST: u16 = 0x35;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

/// Where `struct seccomp_data` has the number (`include/uapi/linux/seccomp.h`).
const NUMBER: u32 = 0;
/// Where it has the architecture.
const ARCHITECTURE: u32 = 4;
/// `BPF_MAXINSNS`: the longest program that the kernel takes (`include/uapi/linux/bpf_common.h`).
const MOST_INSTRUCTIONS: usize = 4096;

/// Why a policy has no program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The kernel would not take it.
    #[error(
        "the profile makes a filter of {instructions} instructions, and the kernel takes {MOST_INSTRUCTIONS}; list fewer architectures or fewer rules with conditions"
    )]
    TooLong {
        /// Its length.
        instructions: usize,
    },
    /// A condition could not be compiled.
    #[error("a condition could not be compiled")]
    Condition(#[source] BackendError),
}

impl From<BackendError> for FilterError {
    fn from(error: BackendError) -> Self {
        Self::Condition(error)
    }
}

/// Compiles a policy.
///
/// # Errors
/// The program would be too long.
pub fn compile(policy: &Policy) -> Result<Vec<Instruction>, FilterError> {
    let mut rest = vec![return_of(Verdict::KillThread)];
    for base in HOST.abis.iter().rev().filter(|abi| abi.number_bit == 0) {
        let numbers = numbers(policy, base)?;
        rest = choose(JUMP_IF_EQUAL, base.audit_arch, &numbers, &rest);
    }
    let mut program = vec![statement(LOAD, ARCHITECTURE)];
    program.extend(rest);
    if program.len() > MOST_INSTRUCTIONS {
        return Err(FilterError::TooLong { instructions: program.len() });
    }
    Ok(program)
}

/// What a filter does with the numbers of an architecture as the kernel shows it: those of an ABI,
/// and those that a bit marks as another ABI's.
fn numbers(policy: &Policy, base: &AbiDescription) -> Result<Vec<Instruction>, FilterError> {
    let marked = HOST.abis.iter().filter(|abi| abi.number_bit != 0);
    let mut marked = marked.filter(|abi| abi.audit_arch == base.audit_arch).peekable();
    let own = part(policy, base)?;
    if own.is_none() && marked.peek().is_none() {
        return Ok(vec![return_of(Verdict::KillThread)]);
    }
    let mut code = own.unwrap_or_else(|| vec![return_of(Verdict::KillThread)]);
    for abi in marked {
        let own = part(policy, abi)?.unwrap_or_else(|| unlisted(policy));
        code = choose(JUMP_IF_AT_LEAST, abi.number_bit.unsigned_abs(), &own, &code);
    }
    Ok(loading_number(code))
}

/// What a filter does with marked numbers whose ABI is not listed: as with other foreign ABIs, but
/// for -1, by which a tracer skips a call (`seccomp(2)`) and which libseccomp leaves to the default
/// for that reason.
fn unlisted(policy: &Policy) -> Vec<Instruction> {
    let default = [return_of(policy.default_verdict())];
    choose(JUMP_IF_EQUAL, u32::MAX, &default, &[return_of(Verdict::KillThread)])
}

fn loading_number(rest: Vec<Instruction>) -> Vec<Instruction> {
    [statement(LOAD, NUMBER)].into_iter().chain(rest).collect()
}

/// The search through an ABI's numbers; `None` when it is not listed.
fn part(policy: &Policy, abi: &AbiDescription) -> Result<Option<Vec<Instruction>>, FilterError> {
    let Some(table) = policy.table(abi.abi) else { return Ok(None) };
    let base = abi.number_bit.unsigned_abs();
    let default = CallDecision::Always(policy.default_verdict());
    // Each range from its number to that of the next.
    let mut ranges: Vec<(u32, &CallDecision)> = vec![(base, &default)];
    let mut push = |number, decision| match ranges.last_mut() {
        Some((_, last)) if *last == decision => {}
        Some((start, last)) if *start == number => *last = decision,
        _ => ranges.push((number, decision)),
    };
    let mut end = base;
    for (number, decision) in table {
        let number = base + number;
        if number > end {
            push(end, &default);
        }
        push(number, decision);
        end = number + 1;
    }
    push(end, &default);
    search(&ranges, policy.default_verdict(), abi.abi).map(Some)
}

fn search(
    ranges: &[(u32, &CallDecision)],
    default: Verdict,
    abi: Abi,
) -> Result<Vec<Instruction>, FilterError> {
    match ranges {
        [] => Ok(vec![return_of(default)]),
        [(_, decision)] => leaf(decision, default, abi),
        _ => {
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let middle = upper.first().map_or(0, |(start, _)| *start);
            let (lower, upper) = (search(lower, default, abi)?, search(upper, default, abi)?);
            Ok(choose(JUMP_IF_AT_LEAST, middle, &upper, &lower))
        }
    }
}

fn leaf(
    decision: &CallDecision,
    default: Verdict,
    abi: Abi,
) -> Result<Vec<Instruction>, FilterError> {
    let alternatives = match decision {
        CallDecision::Always(verdict) => return Ok(vec![return_of(*verdict)]),
        CallDecision::When(alternatives) => alternatives,
    };
    let mut code = Vec::new();
    for (conditions, verdict) in alternatives {
        let conditions =
            conditions.iter().map(|it| condition(it, abi)).collect::<Result<_, _>>()?;
        // It goes on behind itself when the conditions hold, and jumps over one more instruction
        // when they do not.
        code.extend(Vec::<Instruction>::from(SeccompRule::new(conditions)?));
        code.push(return_of(*verdict));
    }
    code.push(return_of(default));
    Ok(code)
}

fn condition(condition: &Condition, abi: Abi) -> Result<SeccompCondition, BackendError> {
    let is_wide = abi.description().argument_mask == u64::MAX;
    let length = if is_wide { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
    let (operator, value) = match condition.operator {
        Operator::NotEqual => (SeccompCmpOp::Ne, condition.value),
        Operator::Less => (SeccompCmpOp::Lt, condition.value),
        Operator::LessOrEqual => (SeccompCmpOp::Le, condition.value),
        Operator::Equal => (SeccompCmpOp::Eq, condition.value),
        Operator::GreaterOrEqual => (SeccompCmpOp::Ge, condition.value),
        Operator::Greater => (SeccompCmpOp::Gt, condition.value),
        Operator::MaskedEqual => (SeccompCmpOp::MaskedEq(condition.value), condition.value_two),
    };
    SeccompCondition::new(condition.index, length, operator, value)
}

/// One of two pieces of code, by a comparison of what is loaded. Each piece ends in returns only.
fn choose(comparison: u16, with: u32, yes: &[Instruction], no: &[Instruction]) -> Vec<Instruction> {
    let mut code = Vec::with_capacity(2 + yes.len() + no.len());
    match u8::try_from(no.len()) {
        Ok(over) => code.push(Instruction { code: comparison, jt: over, jf: 0, k: with }),
        // A conditional jump reaches 255 instructions, the other kind any.
        Err(_) => {
            code.push(Instruction { code: comparison, jt: 0, jf: 1, k: with });
            code.push(statement(JUMP, no.len() as u32));
        }
    }
    code.extend_from_slice(no);
    code.extend_from_slice(yes);
    code
}

fn statement(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn return_of(verdict: Verdict) -> Instruction {
    let action = match verdict {
        Verdict::Allow => SeccompAction::Allow,
        Verdict::Log => SeccompAction::Log,
        Verdict::Trace(number) => SeccompAction::Trace(number.into()),
        Verdict::Errno(number) => SeccompAction::Errno(number.into()),
        Verdict::Trap => SeccompAction::Trap,
        Verdict::KillThread => SeccompAction::KillThread,
        Verdict::KillProcess => SeccompAction::KillProcess,
    };
    statement(RETURN, action.into())
}
