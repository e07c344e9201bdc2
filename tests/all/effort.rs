//! How much a sweep tries. Everything that tries many seeds, crash points or generated cases asks here, and nowhere else.

/// The variable that `./test.sh --long` sets: how many times as much as usual is tried.
const VARIABLE: &str = "SQUALL_TEST_EFFORT";

/// This many times as much as usual: 1 unless `SQUALL_TEST_EFFORT` says otherwise.
///
/// # Panics
/// Panics when the variable is no whole number from 1 on, so that a mistyped one does not shrink a sweep.
#[expect(clippy::disallowed_methods, reason = "this is how a test program is told something")]
pub fn effort() -> u32 {
    let Some(text) = std::env::var_os(VARIABLE) else { return 1 };
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    assert!(number.is_some(), "{VARIABLE} is {}, and not a whole number from 1 on", text.display());
    number.unwrap_or(1)
}
