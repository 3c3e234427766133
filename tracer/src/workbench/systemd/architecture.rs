//! systemd's words for architectures (`src/shared/seccomp-util.c`).

use crate::{profile::oci::SeccompArch, syscalls::Abi};

/// The words for architectures, and the tokens of profiles for them.
const WORDS: [(&str, &str); 21] = [
    ("x86-64", "SCMP_ARCH_X86_64"),
    ("x86", "SCMP_ARCH_X86"),
    ("x32", "SCMP_ARCH_X32"),
    ("arm", "SCMP_ARCH_ARM"),
    ("arm64", "SCMP_ARCH_AARCH64"),
    ("loongarch64", "SCMP_ARCH_LOONGARCH64"),
    ("mips", "SCMP_ARCH_MIPS"),
    ("mips64", "SCMP_ARCH_MIPS64"),
    ("mips64-n32", "SCMP_ARCH_MIPS64N32"),
    ("mips-le", "SCMP_ARCH_MIPSEL"),
    ("mips64-le", "SCMP_ARCH_MIPSEL64"),
    ("mips64-le-n32", "SCMP_ARCH_MIPSEL64N32"),
    ("parisc", "SCMP_ARCH_PARISC"),
    ("parisc64", "SCMP_ARCH_PARISC64"),
    ("ppc", "SCMP_ARCH_PPC"),
    ("ppc64", "SCMP_ARCH_PPC64"),
    ("ppc64-le", "SCMP_ARCH_PPC64LE"),
    ("riscv64", "SCMP_ARCH_RISCV64"),
    ("s390", "SCMP_ARCH_S390"),
    ("s390x", "SCMP_ARCH_S390X"),
    ("native", "SCMP_ARCH_X86_64"),
];

/// systemd's word for an ABI.
pub fn word(abi: Abi) -> &'static str {
    let token = abi.seccomp_arch();
    WORDS.iter().find(|(_, known)| *known == token).map_or("native", |(word, _)| word)
}

/// The architecture of a word.
pub fn of_word(word: &str) -> Option<SeccompArch> {
    let (_, token) = WORDS.iter().find(|(known, _)| *known == word)?;
    SeccompArch::from_token(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_of_an_architecture() {
        for (known, _) in WORDS {
            assert!(of_word(known).is_some(), "{known}");
        }
        for abi in Abi::ALL {
            assert_eq!(of_word(word(abi)), Some(SeccompArch::Ours(abi)));
        }
        assert_eq!(of_word("native"), Some(SeccompArch::Ours(Abi::NATIVE)));
        assert_eq!(of_word("amd64"), None);
    }
}
