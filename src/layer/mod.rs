//! squall's own Lambda layer, seen from squall: its zips, how it is published and added to a function, and whether one function
//! has it right. The layer itself is the crate `layer/`.
//!
//! Nothing here does IO; `cli/layer.rs` reads files and prints, and `account/aws/layer.rs` asks AWS.

pub mod archive;
pub mod installed;
pub mod publish;
pub mod snippet;
pub mod terms;

use std::fmt;

/// A processor architecture of Lambda's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Architecture {
    /// 64-bit x86.
    #[value(name = "x86_64")]
    X86,
    /// 64-bit Arm (Graviton).
    #[value(name = "arm64")]
    Arm,
}

impl Architecture {
    /// Both.
    pub const ALL: [Architecture; 2] = [Architecture::X86, Architecture::Arm];

    /// Lambda's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Architecture::X86 => "x86_64",
            Architecture::Arm => "arm64",
        }
    }

    /// The target that the layer's binary is built for.
    pub fn target(self) -> &'static str {
        match self {
            Architecture::X86 => "x86_64-unknown-linux-musl",
            Architecture::Arm => "aarch64-unknown-linux-musl",
        }
    }

    /// The machine in the head of its binaries (`e_machine`, <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>).
    fn machine(self) -> u16 {
        match self {
            Architecture::X86 => 62,
            Architecture::Arm => 183,
        }
    }

    /// The file name of its zip.
    pub fn zip(self) -> String {
        format!("{}.zip", self.layer())
    }

    /// The name of the layer that is published for it. Layers of two architectures have two names, so that a function's
    /// configuration shows which one it has.
    pub fn layer(self) -> String {
        format!("{LAYER}-{}", self.word())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the names of its layers begin with, and the name of its wrapper script.
pub const LAYER: &str = "squall-layer";

/// The value of `AWS_LAMBDA_EXEC_WRAPPER` that starts it.
pub const WRAPPER: &str = "/opt/squall-layer";

/// Whether the layer runs in a function: as its wrapper script, or, where Lambda ignores those, by a bootstrap of its own, of which
/// the configuration shows nothing. A container image has no runtime.
pub fn runs_in(runtime: &str, variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("SQUALL_LAYER").is_some_and(|value| value == "off") {
        return false;
    }
    let wrapper = variable("AWS_LAMBDA_EXEC_WRAPPER").unwrap_or_default();
    wrapper.ends_with("/squall-layer") || runtime.is_empty() || runtime.starts_with("provided")
}

/// A parameter that waits for its first order.
pub const EMPTY: &str = r#"{"version": 1}"#;
